// A rank's symmetric region in GPU memory, and how its kernels reach those of the peers.
#ifndef CSRC_TRANSPORT_GPU_REGION_H_
#define CSRC_TRANSPORT_GPU_REGION_H_

#include <cstdint>
#include <span>
#include <vector>

#include "csrc/base/status.h"

namespace ep {

class GpuRegion {
 public:
  virtual ~GpuRegion() = default;

  virtual uint8_t* data() const = 0;
  // What peers need for Connect.
  virtual std::vector<uint8_t> Blob() const = 0;
  // Makes all peers' regions accessible to this region's GPU, and that GPU the thread's current
  // one. `blobs` are all ranks', of which we are `rank`; (*regions)[r] is where that GPU sees rank
  // r's.
  virtual Status Connect(const std::vector<std::span<const uint8_t>>& blobs, uint32_t rank,
                         std::vector<uint8_t*>* regions) = 0;
};

}  // namespace ep

#endif  // CSRC_TRANSPORT_GPU_REGION_H_
