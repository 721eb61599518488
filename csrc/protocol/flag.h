// The 64-bit words by which a rank tells a peer how far it is in an epoch.
//
// Epoch in the upper half; in the lower how many rows there will be in all, or which slots [begin,
// end) are complete, 16 bits each. A word has a single writer for ever, who stores it with release
// order after what it announces; the reader loads it with acquire order.
#ifndef CSRC_PROTOCOL_FLAG_H_
#define CSRC_PROTOCOL_FLAG_H_

#include "csrc/protocol/epoch.h"
#include "csrc/protocol/shape.h"
#include "csrc/protocol/std.h"

namespace ep {

constexpr uint64_t MakeFlag(Epoch epoch, uint32_t rows) {
  return static_cast<uint64_t>(epoch) << 32 | rows;
}
constexpr Epoch FlagEpoch(uint64_t flag) { return static_cast<Epoch>(flag >> 32); }
constexpr uint32_t FlagRows(uint64_t flag) { return static_cast<uint32_t>(flag); }

// Slots [begin, end) of a pair.
struct SlotRange {
  uint32_t begin;
  uint32_t end;

  constexpr uint32_t Count() const { return end - begin; }
};

static_assert(kMaxTokens <= 0xFFFF, "slots travel as 16-bit numbers");
constexpr uint64_t MakeRange(Epoch epoch, SlotRange slots) {
  return MakeFlag(epoch, slots.begin << 16 | slots.end);
}
constexpr SlotRange FlagRange(uint64_t flag) {
  return {static_cast<uint32_t>(flag) >> 16, static_cast<uint32_t>(flag) & 0xFFFF};
}

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
