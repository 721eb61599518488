// A wire (csrc/region/wire.h) over NIXL: shared memory, cross-memory attach, TCP, RDMA or whatever
// else UCX finds.
//
// A message is one write of all its extents with its notice as notification, which follows the
// bytes wherever a network would let a word overtake them.
#ifndef CSRC_REGION_NIXL_WIRE_H_
#define CSRC_REGION_NIXL_WIRE_H_

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "csrc/base/status.h"
#include "csrc/nixl/agent.h"
#include "csrc/region/nixl_peers.h"
#include "csrc/region/region.h"
#include "csrc/region/wire.h"

namespace ep {

class NixlWire final : public Wire {
 public:
  // Where messages to a peer come from and go to: an address here, registered with our agent, and
  // one in its process, registered with its.
  struct Ends {
    uintptr_t from = 0;  // 0: it gets none
    uintptr_t to = 0;
    nixl::Memory from_memory = nixl::Memory::Host();
    nixl::Memory to_memory = nixl::Memory::Host();
  };

  // Of areas of so many bytes; the peers outlive the wire.
  NixlWire(NixlPeers* peers, uint32_t ranks, uint64_t area_bytes)
      : peers_(peers), area_bytes_(area_bytes), ends_(ranks), slots_(ranks * kRequests) {}

  // Forgets all peers, and all writes that their agents know of. Nothing may be under way.
  void Forget();
  // Goes over other peers from here on; they outlive the wire, or are forgotten before.
  void Use(NixlPeers* peers) { peers_ = peers; }

  // Of a peer that is connected; before the first message to it.
  void Reach(uint32_t peer, const Ends& ends) { ends_[peer] = ends; }

  Status Post(uint32_t peer, uint32_t request, std::span<const PairExtent> extents,
              const Notice& notice, bool* done) override;
  Status Poll(uint32_t peer, uint32_t request, bool* done) override;
  Status Arrivals(const std::function<Status(uint32_t peer, const Notice&)>& each) override;
  // Sends to each proxied peer of `reached` messages as small and as large as there will be, and
  // stores what they took. Nobody may use their areas meanwhile: what lies in an image goes onto
  // what went there before, zeros at first. Each message must be over within so long. Until all
  // ranks are through, they must move on.
  Status Probe(uint64_t timeout_ns, std::vector<ep::Reach>* reached);
  // Whether the network may still use some of the memory. For ever, after a failure: then neither
  // memory nor agent may be given back.
  bool UnderWay() const;

 private:
  // A write is made once for each list of extents, which the next epochs of a routing have as well.
  struct Made {
    std::vector<PairExtent> extents;
    nixl::Write write;
  };
  static constexpr uint32_t kMade = 4;
  struct Slot {
    Made made[kMade];
    uint32_t replace_next = 0;
    nixl::Write* under_way = nullptr;
  };

  // Sends the first `bytes` three times and stores what the fastest took.
  Status Probe(uint32_t peer, uint64_t bytes, uint64_t timeout_ns, uint64_t* took_ns);
  Status Make(uint32_t peer, std::span<const PairExtent> extents, nixl::Write* write) const;
  // The write of these extents, made anew if it must be.
  Result<nixl::Write*> Find(uint32_t peer, Slot& slot, std::span<const PairExtent> extents);

  NixlPeers* peers_;
  const uint64_t area_bytes_;
  std::vector<Ends> ends_;   // by peer
  std::vector<Slot> slots_;  // [peer, request]
};

}  // namespace ep

#endif  // CSRC_REGION_NIXL_WIRE_H_
