#include "csrc/region/gpu_direct.h"

#include <cuda_runtime_api.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <system_error>

#include "csrc/region/cuda_status.h"

namespace ep {

Status ReadGpuDirectFacts(int gpu, GpuDirectFacts* facts) {
  const auto read = [gpu](cudaDeviceAttr attribute, int* value) {
    return CudaStatus(cudaDeviceGetAttribute(value, attribute, gpu),
                      "ask whether NICs reach the memory of GPU " + std::to_string(gpu));
  };
  int supported = 0;
  int coherent = 0;
  EP_TRY(read(cudaDevAttrGPUDirectRDMASupported, &supported));
  EP_TRY(read(cudaDevAttrGPUDirectRDMAWritesOrdering, &facts->writes_ordering));
  EP_TRY(read(cudaDevAttrGPUDirectRDMAFlushWritesOptions, &facts->flush_options));
  EP_TRY(read(cudaDevAttrPageableMemoryAccessUsesHostPageTables, &coherent));
  facts->supported = supported != 0;
  facts->coherent_host = coherent != 0;
  return {};
}

GpuDirect DecideGpuDirect(const GpuDirectFacts& facts) {
  if (!facts.supported) {
    return {false, GpuFlush::kNever, "its driver lets no NIC reach its memory"};
  }
  if (!facts.coherent_host && facts.writes_ordering >= cudaGPUDirectRDMAWritesOrderingOwner) {
    return {true, GpuFlush::kNone, ""};
  }
  if (!facts.coherent_host && (facts.flush_options & cudaFlushGPUDirectRDMAWritesOptionHost) != 0) {
    return {true, GpuFlush::kHost, ""};
  }
  return {false, GpuFlush::kNever,
          facts.coherent_host ? "it shares memory with its host, where NICs' writes have no order"
                              : "it neither orders a NIC's writes nor can they be flushed"};
}

Status FlushGpuDirectWrites() {
  return CudaStatus(
      cudaDeviceFlushGPUDirectRDMAWrites(cudaFlushGPUDirectRDMAWritesTargetCurrentDevice,
                                         cudaFlushGPUDirectRDMAWritesToOwner),
      "flush what NICs have written");
}

bool HasActiveRdmaPort(const std::string& folder) {
  std::error_code error;
  for (const auto& nic : std::filesystem::directory_iterator(folder, error)) {
    for (const auto& port : std::filesystem::directory_iterator(nic.path() / "ports", error)) {
      std::string state;
      std::getline(std::ifstream(port.path() / "state"), state);
      if (state.find("ACTIVE") != std::string::npos) return true;
    }
  }
  return false;
}

}  // namespace ep
