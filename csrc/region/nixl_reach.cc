#include "csrc/region/nixl_reach.h"

#include <string>

namespace ep {

Status ReachPeers(const std::vector<nixl::ViewEntry>& entries, uint32_t rank,
                  std::vector<Reach>* reached) {
  if (entries.size() != reached->size() - 1) {
    return {Code::kInvalid, "reach peers over NIXL: " + std::to_string(entries.size()) +
                                " entries for " + std::to_string(reached->size()) + " ranks"};
  }
  auto entry = entries.begin();
  for (uint32_t peer = 0; peer < reached->size(); ++peer) {
    if (peer == rank) continue;
    if (entry->mapped == nullptr) {
      return {Code::kInvalid,
              "reach rank " + std::to_string(peer) + " over NIXL: UCX offers " + entry->transports +
                  "; kernels of this build reach mapped memory (cuda_ipc) alone",
              EP_HINT_USE_IPC_OR_NONE};
    }
    (*reached)[peer] = {Reached::kMapped, entry->mapped};
    ++entry;
  }
  return {};
}

}  // namespace ep
