// What a view of NIXL's means to kernels: which addresses they use of each peer, or why they
// cannot.
#ifndef CSRC_TRANSPORT_NIXL_REACH_H_
#define CSRC_TRANSPORT_NIXL_REACH_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "csrc/base/status.h"
#include "csrc/nixl/view.h"
#include "csrc/transport/gpu_region.h"

namespace ep {

// What becomes of memory that NIXL can map.
enum class NixlUse {
  kMapped,  // kernels load and store in it
  kPut,     // they do as if it were not: rows wait in an image, and puts move them
  kNever,   // it must not be: what is to be measured is a network of NICs
};

// Ranges of a peer in a view: its region, and where rows are put, its image of ours behind it.
constexpr size_t RangesOf(NixlUse use) { return use == NixlUse::kPut ? 2 : 1; }

// Our images of all ranks, one behind the other; null where nothing is put.
struct Images {
  uint8_t* begin;
  size_t bytes_of_one;
};

// Fills in how each peer is reached, from the entries of a view of all peers' ranges in rank order;
// what `reach` has for `rank`, which is ours, stays. kInvalid: a peer cannot be used so.
Status ReachPeers(const std::vector<nixl::ViewEntry>& entries, NixlUse use, uint32_t rank,
                  const Images& images, std::vector<GpuReach>* reach);

}  // namespace ep

#endif  // CSRC_TRANSPORT_NIXL_REACH_H_
