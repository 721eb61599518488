// Bounded waiting for a peer's flag.
//
// csrc/protocol/device.h lists what a device policy provides.
#ifndef CSRC_PROTOCOL_WAIT_H_
#define CSRC_PROTOCOL_WAIT_H_

#include "csrc/protocol/error.h"
#include "csrc/protocol/flag.h"
#include "csrc/protocol/rank.h"
#include "csrc/protocol/std.h"

namespace ep {

// One lane's waits of one operation, for one peer after another.
struct Waiting {
  Op op;
  Epoch epoch;
  // The first look at the clock: a wait that soon ends costs none, for on a GPU all its warps read
  // one clock, in turn.
  uint64_t since_ns;
  static constexpr uint64_t kNotYet = ~uint64_t{0};
};

// Returns true and how many rows `peer` announces once its flag shows this epoch. Otherwise, and
// at the latest when the operation's time is over, records why and returns false; it returns
// false, too, when another worker has failed.
template <class Device>
bool AwaitFlag(Device& device, const RankContext& context, Waiting& waiting, uint32_t peer,
               const uint64_t* flag, uint32_t* rows) {
  for (uint32_t misses = 0;; ++misses) {
    const uint64_t seen = device.LoadAcquire(flag);
    const Verdict verdict = Judge(seen, waiting.epoch);
    const bool too_many = FlagRows(seen) > context.shape.tokens;
    if (verdict == Verdict::kReady && !too_many) {
      *rows = FlagRows(seen);
      return true;
    }
    ErrorKind kind = verdict == Verdict::kNotYet ? ErrorKind::kNone : ErrorKind::kViolation;
    uint64_t waited_ns = 0;
    if (kind == ErrorKind::kNone && misses % Device::kPollsPerLook == Device::kPollsPerLook - 1) {
      if (device.Failed(context.error->claimed)) return false;
      const uint64_t now_ns = device.NowNs();
      if (waiting.since_ns == Waiting::kNotYet) waiting.since_ns = now_ns;
      waited_ns = now_ns - waiting.since_ns;
      if (waited_ns > context.wait_timeout_ns) kind = ErrorKind::kTimeout;
      if (device.Aborted()) kind = ErrorKind::kAborted;
    }
    if (kind != ErrorKind::kNone) {
      Fail(device, context, {kind, waiting.op, waiting.epoch, peer, seen, waited_ns, 0});
      return false;
    }
    device.Relax(misses);
  }
}

// A worker awaits all peers, its lanes one each; rows[peer] gets what the peer announces.
template <class Device>
bool AwaitAll(Device& device, const RankContext& context, Op op, Epoch epoch, uint32_t* rows) {
  Waiting waiting = {op, epoch, Waiting::kNotYet};
  const uint32_t bank = BankOf(epoch);
  bool good = true;
  for (uint32_t i = device.Thread(); good && i < context.shape.ranks; i += device.Threads()) {
    const uint32_t peer = context.Peer(i);
    const uint64_t offset = op == Op::kDispatch ? context.layout.DispatchFlag(bank, peer)
                                                : context.layout.CombineFlag(bank, peer);
    const auto* flag = context.In<const uint64_t>(context.rank, offset);
    good = AwaitFlag(device, context, waiting, peer, flag, &rows[peer]);
  }
  return !device.Any(!good);
}

}  // namespace ep

#endif  // CSRC_PROTOCOL_WAIT_H_
