// The GPUs of this host, as CUDA counts them.
#ifndef CSRC_RANK_GPUS_H_
#define CSRC_RANK_GPUS_H_

#include <cstdint>
#include <string>

#include "csrc/base/status.h"
#include "csrc/protocol/shape.h"

namespace ep {

struct Gpu {
  std::string name;
  std::string uuid;  // GPU-xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx
  std::string pci;   // dddd:bb:dd.f
  uint64_t memory_bytes;
  uint32_t multiprocessors;
  uint32_t major;
  uint32_t minor;
  uint32_t driver_version;
};

// kSystem: there is no driver, or no GPU that this process may use.
Status CountGpus(uint32_t* count);
Status DescribeGpu(uint32_t index, Gpu* gpu);

}  // namespace ep

#endif  // CSRC_RANK_GPUS_H_
