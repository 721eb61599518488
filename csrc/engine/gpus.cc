#include "csrc/engine/gpus.h"

#include <cuda_runtime_api.h>

#include <cstdio>

#include "csrc/engine/chunks.h"
#include "csrc/engine/tensors.h"
#include "csrc/kernels/arguments.h"
#include "csrc/protocol/bitmap_plan.h"
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
  Status status = CudaStatus(cudaGetDeviceCount(&found), "count GPUs");
  if (status.ok()) *count = static_cast<uint32_t>(found);
  return status;
}

Status DescribeGpu(uint32_t index, Gpu* gpu) {
  cudaDeviceProp properties;
  int driver = 0;
  const int device = static_cast<int>(index);
  Status status = CudaStatus(cudaGetDeviceProperties(&properties, device),
                             "describe GPU " + std::to_string(index));
  if (status.ok()) {
    status = CudaStatus(cudaDriverGetVersion(&driver), "ask for the driver's version");
  }
  char pci[16] = {};
  if (status.ok()) {
    status = CudaStatus(cudaDeviceGetPCIBusId(pci, sizeof(pci), device), "ask where a GPU is");
  }
  if (!status.ok()) return status;
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

uint64_t GpuPrivateBytes(const Shape& of) {
  const Shape shape = ChunkedForGpu(of);
  const Layout layout(shape);
  const uint64_t bf16_row = sizeof(Bf16) * shape.hidden;
  const uint64_t packed = Tensors::OutputRows(shape) + 1;
  const uint64_t input_row = shape.quantize == Quantize::kOutside
                                 ? shape.hidden + sizeof(float) * shape.ScalesPerRow()
                                 : bf16_row;
  uint64_t per_token = kSets * input_row + bf16_row +
                       (kSets * sizeof(float) + sizeof(int32_t)) * shape.topk +
                       sizeof(Destination) * shape.MaxDestinations();
  if (shape.sum == CombineSum::kExpert) per_token += sizeof(Selection) * shape.topk;
  const uint64_t copies =
      shape.FansOut() ? uint64_t{shape.ranks} * shape.tokens * layout.MetaStride() : 0;
  const uint32_t tiles = Tiling(shape, kernels::kLong.tile_tokens).Count(shape.tokens);
  const uint64_t plan = sizeof(uint32_t) * (2 * tiles + 1) * Entries(shape);
  return packed * Tensors::OutputRowBytes(shape) + shape.tokens * per_token + copies + plan +
         kFlushBytes;
}

}  // namespace ep
