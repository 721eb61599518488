// A rank's symmetric region in GPU memory, and how its kernels reach those of the peers.
#ifndef CSRC_TRANSPORT_GPU_REGION_H_
#define CSRC_TRANSPORT_GPU_REGION_H_

#include <cstdint>
#include <span>
#include <vector>

#include "csrc/base/status.h"

namespace ep {

// What a rank's kernels address of one rank.
struct GpuReach {
  // The rank's region where it is mapped; else our image of it (csrc/transport/link.h), which puts
  // are read from.
  uint8_t* memory = nullptr;
  // Where puts lead: the rank's region, and its image of ours. Null where the region is mapped.
  uint8_t* put_region = nullptr;
  uint8_t* put_image = nullptr;
};

class GpuRegion {
 public:
  virtual ~GpuRegion() = default;

  virtual uint8_t* data() const = 0;
  // What peers need for Connect.
  virtual std::vector<uint8_t> Blob() const = 0;
  // Makes all peers' regions accessible to this region's GPU, and that GPU the thread's current
  // one. `blobs` are all ranks', of which we are `rank`; (*reach)[r] is how rank r is reached.
  virtual Status Connect(const std::vector<std::span<const uint8_t>>& blobs, uint32_t rank,
                         std::vector<GpuReach>* reach) = 0;
};

}  // namespace ep

#endif  // CSRC_TRANSPORT_GPU_REGION_H_
