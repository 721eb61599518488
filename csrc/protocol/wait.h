// Bounded waiting for a peer's flag.
//
// A device policy gives LoadAcquire, NowNs, Aborted and Relax; see csrc/host/device.h.
#ifndef CSRC_PROTOCOL_WAIT_H_
#define CSRC_PROTOCOL_WAIT_H_

#include "csrc/protocol/error.h"
#include "csrc/protocol/flag.h"
#include "csrc/protocol/rank.h"
#include "csrc/protocol/std.h"

namespace ep {

// One operation's waits.
struct Waiting {
  Op op;
  Epoch epoch;
  uint64_t since_ns;
};

// Returns true and how many rows `peer` announces once its flag shows this epoch. Otherwise, and
// at the latest when the operation's time is over, records why and returns false.
template <class Device>
bool AwaitFlag(Device& device, const RankContext& context, const Waiting& waiting, uint32_t peer,
               const uint64_t* flag, uint32_t* rows) {
  // A clock read costs more than a poll.
  constexpr uint32_t kPollsPerClockRead = 16;
  for (uint32_t misses = 0;; ++misses) {
    const uint64_t seen = device.LoadAcquire(flag);
    const Verdict verdict = Judge(seen, waiting.epoch);
    const bool too_many = FlagRows(seen) > context.shape.tokens;
    if (verdict == Verdict::kReady && !too_many) {
      *rows = FlagRows(seen);
      return true;
    }
    ErrorKind kind = ErrorKind::kNone;
    uint64_t waited_ns = 0;
    if (verdict != Verdict::kNotYet) {
      kind = ErrorKind::kViolation;
    } else if (device.Aborted()) {
      kind = ErrorKind::kAborted;
    } else if (misses % kPollsPerClockRead == 0) {
      waited_ns = device.NowNs() - waiting.since_ns;
      if (waited_ns > context.wait_timeout_ns) kind = ErrorKind::kTimeout;
    }
    if (kind != ErrorKind::kNone) {
      Fail(context, {kind, waiting.op, waiting.epoch, peer, seen, waited_ns});
      return false;
    }
    device.Relax(misses);
  }
}

}  // namespace ep

#endif  // CSRC_PROTOCOL_WAIT_H_
