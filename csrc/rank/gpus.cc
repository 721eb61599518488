#include "csrc/rank/gpus.h"

#include <cuda_runtime_api.h>

#include <cstdio>

#include "csrc/region/cuda_status.h"

namespace ep {
namespace {

std::string UuidText(const cudaUUID_t& uuid) {
  std::string text = "GPU-";
  for (int i = 0; i < 16; ++i) {
    char byte[3];
    std::snprintf(byte, sizeof(byte), "%02x", static_cast<unsigned char>(uuid.bytes[i]));
    text += byte;
    if (i == 3 || i == 5 || i == 7 || i == 9) text += '-';
  }
  return text;
}

}  // namespace

Status CountGpus(uint32_t* count) {
  *count = 0;
  int found = 0;
  EP_TRY(CudaStatus(cudaGetDeviceCount(&found), "count GPUs"));
  *count = static_cast<uint32_t>(found);
  return {};
}

Status DescribeGpu(uint32_t index, Gpu* gpu) {
  cudaDeviceProp properties;
  int driver = 0;
  const int device = static_cast<int>(index);
  EP_TRY(CudaStatus(cudaGetDeviceProperties(&properties, device),
                    "describe GPU " + std::to_string(index)));
  EP_TRY(CudaStatus(cudaDriverGetVersion(&driver), "ask for the driver's version"));
  char pci[16] = {};
  EP_TRY(CudaStatus(cudaDeviceGetPCIBusId(pci, sizeof(pci), device), "ask where a GPU is"));
  *gpu = {.name = properties.name,
          .uuid = UuidText(properties.uuid),
          .pci = pci,
          .memory_bytes = properties.totalGlobalMem,
          .multiprocessors = static_cast<uint32_t>(properties.multiProcessorCount),
          .major = static_cast<uint32_t>(properties.major),
          .minor = static_cast<uint32_t>(properties.minor),
          .driver_version = static_cast<uint32_t>(driver)};
  return {};
}

}  // namespace ep
