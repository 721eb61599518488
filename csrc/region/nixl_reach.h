// What a view of NIXL's means to kernels: which addresses they use of each peer, or why they
// cannot.
#ifndef CSRC_REGION_NIXL_REACH_H_
#define CSRC_REGION_NIXL_REACH_H_

#include <vector>

#include "csrc/base/status.h"
#include "csrc/nixl/view.h"
#include "csrc/region/region.h"

namespace ep {

// Fills in how each peer is reached, from the entries of a view of all peers' regions in rank
// order; what `reached` has for `rank`, which is ours, stays. kInvalid: a peer cannot be used so.
Status ReachPeers(const std::vector<nixl::ViewEntry>& entries, uint32_t rank,
                  std::vector<Reach>* reached);

}  // namespace ep

#endif  // CSRC_REGION_NIXL_REACH_H_
