// The CPU's device policy over a Link: a flag for a peer sends what it announces.
#ifndef CSRC_ENGINE_LINK_DEVICE_H_
#define CSRC_ENGINE_LINK_DEVICE_H_

#include <cstdint>

#include "csrc/engine/messages.h"
#include "csrc/host/device.h"
#include "csrc/protocol/flag.h"
#include "csrc/protocol/rank.h"
#include "csrc/transport/link.h"

namespace ep {

class LinkDevice : public HostDevice {
 public:
  using HostDevice::HostDevice;

  // Before the first operation. Both outlive the device.
  void Use(Link* link, const RankContext* context) {
    link_ = link;
    context_ = context;
  }

  void StoreRelease(uint64_t* flag, uint64_t value) {
    const RankContext& context = *context_;
    const auto* at = reinterpret_cast<const uint8_t*>(flag);
    for (uint32_t i = 0; i + 1 < context.shape.ranks; ++i) {  // the last is this rank itself
      const uint32_t peer = context.Peer(i);
      if (at < context.regions[peer]) continue;
      const auto offset = static_cast<uint64_t>(at - context.regions[peer]);
      if (offset < context.layout.SizeBytes()) return Send(peer, offset, value);
    }
    HostDevice::StoreRelease(flag, value);
  }

  void Relax(uint32_t misses) {
    MoveOn();
    HostDevice::Relax(misses);
  }

  // Waits until all that this rank has sent in `op` has arrived, so that what it was sent from may
  // change. Returns false, with the reason in the context's error, if that cannot be. The deadline
  // is the link's.
  bool Settle(Op op) {
    const RankContext& context = *context_;
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
  void Send(uint32_t peer, uint64_t offset, uint64_t value) {
    const RankContext& context = *context_;
    const Layout& layout = context.layout;
    const uint32_t bank = BankOf(FlagEpoch(value));
    const uint32_t rows = FlagRows(value);
    if (offset == layout.DispatchFlag(bank, context.rank)) {
      link_->Send(peer, Route::kImageToRegion,
                  DispatchExtents(context.shape, layout, bank, context.rank, rows), offset, value);
    } else {
      link_->Send(peer, Route::kRegionToImage, CombineExtents(layout, bank, peer, rows), offset,
                  value);
    }
  }

  void MoveOn() {
    link_->Progress();
    uint32_t peer = 0;
    if (link_->Failure(&peer).ok()) return;  // its text is for who reports the error
    Fail(*this, *context_, {ErrorKind::kNetwork, {}, {}, peer, 0, 0, 0});
  }

  Link* link_ = nullptr;
  const RankContext* context_ = nullptr;
};

}  // namespace ep

#endif  // CSRC_ENGINE_LINK_DEVICE_H_
