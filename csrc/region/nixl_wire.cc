#include "csrc/region/nixl_wire.h"

#include <sched.h>

#include <algorithm>
#include <string>

#include "csrc/base/clock.h"
#include "csrc/region/nixl_message.h"

namespace ep {
namespace {

// What lies between two extents goes along where that takes less time than a further extent: one
// costs 4 us where GPUs copy it, 6 over TCP, 2 over shared memory, 1 over RDMA.
constexpr uint64_t kShortGapBytes = 16 << 10;

}  // namespace

Status NixlWire::Post(uint32_t peer, uint32_t request, std::span<const PairExtent> extents,
                      const Notice& notice, bool* done) {
  if (peer >= ends_.size() || request >= kRequests || ends_[peer].from == 0) {
    return {Code::kInvalid, "it is no peer of this wire"};
  }
  Slot& slot = slots_[peer * kRequests + request];
  if (slot.under_way != nullptr) return {Code::kState, "the request is under way"};
  nixl::Write* const write = EP_TRY(Find(peer, slot, extents));
  slot.under_way = write;
  EP_TRY(peers_->agent().Post(*write, BytesOf(notice), done));
  if (*done) slot.under_way = nullptr;
  return {};
}

Status NixlWire::Poll(uint32_t peer, uint32_t request, bool* done) {
  Slot& slot = slots_[peer * kRequests + request];
  *done = slot.under_way == nullptr;
  if (*done) return {};
  EP_TRY(peers_->agent().Poll(*slot.under_way, done));
  if (*done) slot.under_way = nullptr;
  return {};
}

Status NixlWire::Arrivals(const std::function<Status(uint32_t peer, const Notice&)>& each) {
  return peers_->Arrivals(each);
}

Status NixlWire::Probe(uint64_t timeout_ns, std::vector<ep::Reach>* reached) {
  // Longer messages go the same way.
  constexpr uint64_t kMostBytes = 4 << 20;
  const uint32_t ranks = static_cast<uint32_t>(reached->size());
  for (uint32_t i = 1; i < ranks; ++i) {
    const uint32_t peer = (peers_->rank() + i) % ranks;
    ep::Reach& reach = (*reached)[peer];
    if (!reach.IsProxied()) continue;
    const auto probe = [&](uint64_t bytes, uint64_t* took_ns) {
      return Probe(peer, std::min(bytes, area_bytes_), timeout_ns, took_ns)
          .In("probe the way to rank " + std::to_string(peer));
    };
    reach.probe.bytes = std::min(kMostBytes, area_bytes_);
    EP_TRY(probe(ProbeTimes::kSmallBytes, &reach.probe.small_ns));
    // UCX has other protocols for lengths between.
    uint64_t unused_ns = 0;
    EP_TRY(probe(8192, &unused_ns));
    EP_TRY(probe(reach.probe.bytes, &reach.probe.ns));
  }
  return {};
}

Status NixlWire::Probe(uint32_t peer, uint64_t bytes, uint64_t timeout_ns, uint64_t* took_ns) {
  const PairExtent extents[] = {{0, bytes}};
  const Notice notice = {kProbe, peers_->rank(), 0};
  *took_ns = ~uint64_t{0};
  for (int i = 0; i < 3; ++i) {
    const uint64_t begin_ns = MonotonicNs();
    bool done = false;
    EP_TRY(Post(peer, 0, extents, notice, &done));
    while (!done) {
      EP_TRY(Poll(peer, 0, &done));
      // The peer's probes need this end, too, and it may need this CPU.
      EP_TRY(peers_->MoveOn());
      sched_yield();
      if (MonotonicNs() - begin_ns > timeout_ns) {
        return {Code::kTimeout, std::to_string(bytes) + " bytes are not over after " +
                                    Milliseconds(timeout_ns) + "; has it ended?"};
      }
    }
    *took_ns = std::min(*took_ns, MonotonicNs() - begin_ns);
  }
  return {};
}

void NixlWire::Forget() {
  ends_.assign(ends_.size(), {});
  for (Slot& slot : slots_) slot = {};
}

bool NixlWire::UnderWay() const {
  return std::ranges::any_of(slots_, [](const Slot& slot) { return slot.under_way != nullptr; });
}

Result<nixl::Write*> NixlWire::Find(uint32_t peer, Slot& slot,
                                    std::span<const PairExtent> extents) {
  for (Made& made : slot.made) {
    if (made.write.ok() && std::ranges::equal(made.extents, extents)) return &made.write;
  }
  Made& made = slot.made[slot.replace_next++ % kMade];
  made.extents.assign(extents.begin(), extents.end());
  if (Status status = Make(peer, extents, &made.write); !status.ok()) {
    made.write = {};
    return status;
  }
  return &made.write;
}

Status NixlWire::Make(uint32_t peer, std::span<const PairExtent> extents,
                      nixl::Write* write) const {
  const Ends& ends = ends_[peer];
  std::vector<nixl::Range> local;
  std::vector<nixl::Range> remote;
  for (const PairExtent& extent : extents) {
    if (extent.offset > area_bytes_ || extent.bytes > area_bytes_ - extent.offset) {
      return {Code::kInvalid, std::to_string(extent.bytes) + " bytes at " +
                                  std::to_string(extent.offset) + " are beyond its area"};
    }
    const uintptr_t from = ends.from + extent.offset;
    if (!local.empty()) {
      nixl::Range& last = local.back();
      const uintptr_t end = last.address + last.bytes;
      if (from >= end && from - end <= kShortGapBytes) {
        last.bytes = from + extent.bytes - last.address;
        remote.back().bytes = last.bytes;
        continue;
      }
    }
    local.push_back({from, extent.bytes});
    remote.push_back({ends.to + extent.offset, extent.bytes});
  }
  return peers_->agent().MakeWrite(local, peers_->agent_name(peer), remote, write, ends.from_memory,
                                   ends.to_memory);
}

}  // namespace ep
