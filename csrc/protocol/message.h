// What one rank tells another with a word: the rows of a dispatch, or the sums of a combine.
#ifndef CSRC_PROTOCOL_MESSAGE_H_
#define CSRC_PROTOCOL_MESSAGE_H_

#include "csrc/protocol/epoch.h"
#include "csrc/protocol/error.h"
#include "csrc/protocol/flag.h"
#include "csrc/protocol/layout.h"
#include "csrc/protocol/std.h"

namespace ep {

struct Message {
  // Instead of a chunk: how many rows there will be, and the counts of the peer's experts.
  static constexpr uint32_t kCounts = 0xFFFFFFFF;

  Op op;
  Epoch epoch;
  uint32_t peer;  // who is told
  uint32_t chunk;
  // Of kCounts, [0, rows).
  SlotRange slots;

  constexpr uint64_t Value() const {
    return chunk == kCounts ? MakeFlag(epoch, slots.end) : MakeRange(epoch, slots);
  }
  // Which of the words that a rank raises for another in this operation it is.
  constexpr uint32_t Index() const {
    if (op == Op::kCombine) return chunk;
    return chunk == kCounts ? 0 : 1 + chunk;
  }
  // Where the word of `sender` stands in the peer's region.
  constexpr uint64_t Offset(const Layout& layout, uint32_t sender) const {
    const uint32_t bank = BankOf(epoch);
    if (op == Op::kCombine) return layout.SumWord(bank, sender, chunk);
    return chunk == kCounts ? layout.CountsWord(bank, sender)
                            : layout.ChunkWord(bank, sender, chunk);
  }
};

}  // namespace ep

#endif  // CSRC_PROTOCOL_MESSAGE_H_
