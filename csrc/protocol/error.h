// What a failed operation leaves behind for the host to read; nothing traps, nothing hangs.
#ifndef CSRC_PROTOCOL_ERROR_H_
#define CSRC_PROTOCOL_ERROR_H_

#include "csrc/protocol/epoch.h"
#include "csrc/protocol/std.h"

namespace ep {

enum class Op : uint32_t { kDispatch = 1, kCombine = 2 };

enum class ErrorKind : uint32_t {
  kNone = 0,
  // `peer` has not flagged `epoch` within the deadline.
  kTimeout = 1,
  // The host asked to stop waiting for `peer`, or, if that is this rank, for what it has sent.
  kAborted = 2,
  // `peer` wrote a flag, count or row description that it must not.
  kViolation = 3,
  // This rank's token names an expert that does not exist, or one expert twice.
  kBadExpert = 4,
  // This rank's row holds an infinity, which has no FP8 scale.
  kInfiniteInput = 5,
  // The network between this rank and `peer` failed.
  kNetwork = 6,
};

// What a proxy tells the rank's workers by a word of the host's; 0 where all is well.
constexpr uint64_t MakeStop(ErrorKind kind, uint32_t peer) {
  return uint64_t{static_cast<uint32_t>(kind)} << 32 | peer;
}
constexpr ErrorKind StopKind(uint64_t stop) { return static_cast<ErrorKind>(stop >> 32); }
constexpr uint32_t StopPeer(uint64_t stop) { return static_cast<uint32_t>(stop); }

// Filled once, by the worker that fails first. Other workers stop when they see it claimed, and
// later operations return at once.
struct ErrorRecord {
  ErrorKind kind;
  Op op;
  Epoch epoch;
  // kBadExpert, kInfiniteInput: unused. Else the rank waited for or sent to.
  uint32_t peer;
  // kTimeout, kAborted, kViolation: the word read last. kBadExpert, kInfiniteInput: the token.
  uint64_t seen;
  uint64_t waited_ns;
  // Set before the rest is; 0 while all is well.
  uint32_t claimed;
};

}  // namespace ep

#endif  // CSRC_PROTOCOL_ERROR_H_
