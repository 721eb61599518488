// The 64-bit word by which a rank tells a peer that its rows of an epoch are complete.
//
// Epoch in the upper half, number of rows in the lower. A word has a single writer for ever, who
// stores it with release order after the rows it counts; the reader loads it with acquire order.
#ifndef CSRC_PROTOCOL_FLAG_H_
#define CSRC_PROTOCOL_FLAG_H_

#include "csrc/protocol/epoch.h"
#include "csrc/protocol/std.h"

namespace ep {

constexpr uint64_t MakeFlag(Epoch epoch, uint32_t rows) {
  return static_cast<uint64_t>(epoch) << 32 | rows;
}
constexpr Epoch FlagEpoch(uint64_t flag) { return static_cast<Epoch>(flag >> 32); }
constexpr uint32_t FlagRows(uint64_t flag) { return static_cast<uint32_t>(flag); }

enum class Verdict { kNotYet, kReady, kViolation };

// What a reader that waits for `want` makes of the word it has read. Any epoch but the wanted
// one and the bank's previous one proves that a bank was reused too early: reported, never
// masked.
constexpr Verdict Judge(uint64_t have, Epoch want) {
  if (FlagEpoch(have) == want) return Verdict::kReady;
  return PrecedesInBank(FlagEpoch(have), want) ? Verdict::kNotYet : Verdict::kViolation;
}

}  // namespace ep

#endif  // CSRC_PROTOCOL_FLAG_H_
