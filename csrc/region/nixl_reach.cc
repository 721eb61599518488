#include "csrc/region/nixl_reach.h"

#include <string>

namespace ep {
namespace {

Status Usable(uint32_t peer, const nixl::ViewEntry& entry, NixlUse use) {
  const std::string how =
      "reach rank " + std::to_string(peer) + " over NIXL: UCX offers " + entry.transports;
  if (entry.mapped == nullptr) {
    return {Code::kInvalid, how + "; kernels of this build reach mapped memory (cuda_ipc) alone",
            EP_HINT_USE_IPC_OR_CPUS};
  }
  if (use == NixlUse::kNever) {
    return {Code::kInvalid, how + ", mapped memory", EP_HINT_ALLOW_NETWORK};
  }
  return {};
}

}  // namespace

Status ReachPeers(const std::vector<nixl::ViewEntry>& entries, NixlUse use, uint32_t rank,
                  std::vector<Reach>* reached) {
  if (entries.size() != reached->size() - 1) {
    return {Code::kInvalid, "reach peers over NIXL: " + std::to_string(entries.size()) +
                                " entries for " + std::to_string(reached->size()) + " ranks"};
  }
  auto entry = entries.begin();
  for (uint32_t peer = 0; peer < reached->size(); ++peer) {
    if (peer == rank) continue;
    EP_TRY(Usable(peer, *entry, use));
    (*reached)[peer] = {Reached::kMapped, entry->mapped};
    ++entry;
  }
  return {};
}

}  // namespace ep
