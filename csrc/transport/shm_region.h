// A rank's symmetric region in shared memory, for ranks of one host.
//
// The memory is an unlinked memfd: it has no name that could outlive its processes, and the
// kernel frees it with the last of them, however they end.
#ifndef CSRC_TRANSPORT_SHM_REGION_H_
#define CSRC_TRANSPORT_SHM_REGION_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "csrc/base/fd.h"
#include "csrc/base/mapping.h"
#include "csrc/base/status.h"

namespace ep {

class ShmRegion {
 public:
  static Status Create(size_t bytes, std::unique_ptr<ShmRegion>* region);

  uint8_t* data() const { return memory_.data(); }
  size_t size() const { return memory_.size(); }

  // What a peer process of the same user needs for Map.
  std::vector<uint8_t> Blob() const;

  // Maps the region that `blob` describes, which must have this region's size. `rank` names its
  // owner in errors.
  Status Map(std::span<const uint8_t> blob, uint32_t rank, Mapping* mapping) const;

 private:
  ShmRegion(Fd fd, Mapping memory);

  Fd fd_;
  Mapping memory_;
};

}  // namespace ep

#endif  // CSRC_TRANSPORT_SHM_REGION_H_
