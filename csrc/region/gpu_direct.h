// Whether a NIC may read and write a GPU's memory, and what a kernel then needs to see what a NIC
// has written: a rule over what CUDA says of the GPU.
#ifndef CSRC_REGION_GPU_DIRECT_H_
#define CSRC_REGION_GPU_DIRECT_H_

#include <string>

#include "csrc/base/status.h"
#include "csrc/region/region.h"

namespace ep {

// What makes a NIC's writes visible to a kernel that runs.
enum class GpuFlush {
  kNone,   // the GPU orders them itself
  kHost,   // cudaDeviceFlushGPUDirectRDMAWrites, once what has arrived is known
  kNever,  // nothing does: what arrives must lie in the host's memory
};

struct GpuDirect {
  bool usable;
  GpuFlush flush;
  std::string why;  // if it is not usable, as words behind "since"
};

// Reads a GPU's facts.
Status ReadGpuDirectFacts(int gpu, GpuDirectFacts* facts);

// The rule. CUDA: a GPU whose ordering is Owner or more orders writes to its memory; one that hangs
// on the CPU by C2C says so as well, but leaves the order to the user.
GpuDirect DecideGpuDirect(const GpuDirectFacts& facts);

// Makes visible to kernels of the current GPU what NICs have written to its memory.
Status FlushGpuDirectWrites();

// Whether a NIC of this host has an active RDMA port, by the folder that the kernel lists them in.
bool HasActiveRdmaPort(const std::string& folder = "/sys/class/infiniband");

}  // namespace ep

#endif  // CSRC_REGION_GPU_DIRECT_H_
