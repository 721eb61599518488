// The CPU's device policy over a Link: the last of an operation's words for a peer sends what they
// announce.
#ifndef CSRC_RANK_LINK_DEVICE_H_
#define CSRC_RANK_LINK_DEVICE_H_

#include <cstdint>

#include "csrc/device/cpu.h"
#include "csrc/protocol/message.h"
#include "csrc/protocol/policies.h"
#include "csrc/protocol/rank.h"
#include "csrc/protocol/wait.h"
#include "csrc/rank/outbox.h"
#include "csrc/region/link.h"

namespace ep {

// All words of a combine, of which a rank's crews have looked only at those that they needed.
struct SumWords {
  const RankContext& context;
  uint32_t bank;

  uint32_t Size() const { return (context.shape.ranks - 1) * context.shape.Chunks(); }
  bool Awaits(uint32_t) const { return true; }
  Word At(uint32_t i) const {
    const uint32_t peer = context.Peer(i / context.shape.Chunks());
    return {peer, context.layout.SumWord(bank, peer, i % context.shape.Chunks())};
  }
  bool IsRight(uint32_t, uint64_t) const { return true; }
};

class LinkDevice : public HostDevice {
 public:
  using HostDevice::HostDevice;

  // Before the first operation. All outlive the device, and the outbox is the link's.
  void Use(Link* link, const RankContext* context, Outbox* outbox) {
    link_ = link;
    context_ = context;
    outbox_ = outbox;
  }

  void RaiseFlag(const RankContext& context, const Message& message) {
    if (message.peer == context.rank) return HostDevice::RaiseFlag(context, message);
    outbox_->Add(message);
  }

  void Relax(uint32_t misses) {
    MoveOn();
    HostDevice::Relax(misses);
  }

  // Waits until all that this rank has sent in `op` has arrived, so that what it was sent from may
  // change, and all that it is sent: a message may need this end, too, to arrive. Returns false,
  // with the reason in the context's error, if that cannot be. The deadline of what is sent is the
  // link's.
  bool Settle(Op op) {
    const RankContext& context = *context_;
    Waiting waiting = {op, context.epochs->combine};
    if (op == Op::kCombine &&
        !AwaitWords(*this, context, waiting, SumWords{context, BankOf(waiting.epoch)},
                    [](uint32_t, uint64_t) {})) {
      return false;
    }
    for (uint32_t misses = 0; !link_->Idle(); ++misses) {
      MoveOn();
      if (Failed(context.error->claimed)) return false;
      if (Aborted()) {
        const Epoch epoch =
            op == Op::kDispatch ? context.epochs->dispatch : context.epochs->combine;
        Fail(*this, context, {ErrorKind::kAborted, op, epoch, context.rank, 0, 0, 0});
        return false;
      }
      HostDevice::Relax(misses);
    }
    return true;
  }

 private:
  void MoveOn() {
    link_->Progress();
    uint32_t peer = 0;
    if (link_->Failure(&peer).ok()) return;  // its text is for who reports the error
    Fail(*this, *context_, {ErrorKind::kNetwork, {}, {}, peer, 0, 0, 0});
  }

  Link* link_ = nullptr;
  const RankContext* context_ = nullptr;
  Outbox* outbox_ = nullptr;
};

static_assert(DevicePolicy<LinkDevice>);

}  // namespace ep

#endif  // CSRC_RANK_LINK_DEVICE_H_
