// Does every byte that an operation left behind have to be there?
//
// Before: all rows that must be written, and a guard row around each block of them, are overwritten
// with a pattern. After: every row is compared with the oracle's, and the guards with the pattern.
// Where the blocks lie is worked out here a second time, from what the oracle says is received.
//
// A check goes token by token: what a token must look like is computed once for all experts that
// received it. The first wrong row is the first in the order of the rows all the same.
#ifndef CSRC_CHECK_CHECKER_H_
#define CSRC_CHECK_CHECKER_H_

#include <cstdint>
#include <functional>
#include <vector>

#include "csrc/check/oracle.h"
#include "csrc/rank/tensors.h"

namespace ep {

// Which operations one iteration holds.
struct Operations {
  bool dispatch;
  bool combine;
};

enum class WrongKind : uint32_t {
  kNone = EP_WRONG_ROW_KIND_UNSPECIFIED,
  kDispatchRow = EP_WRONG_ROW_KIND_DISPATCH_ROW,
  kDispatchScale = EP_WRONG_ROW_KIND_DISPATCH_SCALE,
  kDispatchSource = EP_WRONG_ROW_KIND_DISPATCH_SOURCE,
  kDispatchCount = EP_WRONG_ROW_KIND_DISPATCH_COUNT,
  kGuard = EP_WRONG_ROW_KIND_GUARD,
  kCombineRow = EP_WRONG_ROW_KIND_COMBINE_ROW,
  kCopiedRow = EP_WRONG_ROW_KIND_COPIED_ROW,
  kDispatchBegin = EP_WRONG_ROW_KIND_DISPATCH_BEGIN,
  kPadding = EP_WRONG_ROW_KIND_PADDING,
  kDispatchDescription = EP_WRONG_ROW_KIND_DISPATCH_DESCRIPTION,
};

// What a check came to, with what was found before it.
struct Findings {
  uint64_t rows = 0;   // compared
  uint64_t wrong = 0;  // of them, plus wrong counts and guards
  // The first wrong one.
  WrongKind kind = WrongKind::kNone;
  uint32_t source_rank = 0;
  uint32_t token = 0;
  int32_t expert = -1;  // global id
  uint32_t channel = 0;
  uint64_t got = 0;
  uint64_t want = 0;
};

// No row of the inputs, no scale and no source looks like this.
inline constexpr uint8_t kPoison = 0xA5;

class Checker {
 public:
  // `tensors` outlives the checker. Up to `threads` threads share what it has to do; what it finds
  // does not depend on how many.
  Checker(reference::Routing routing, uint32_t rank, Tensors* tensors, uint32_t threads = 1);

  // Calls touch(rows, first, count) for all ranges of rows that the operations of each kind must
  // write, guards included. Negative rows are guards, too. No two ranges touch each other.
  using Touch = std::function<void(const GuardedRows& rows, int64_t first, int64_t count)>;
  void ForEachTouched(Operations operations, const Touch& touch) const;
  // Overwrites them all, in the host's tensors.
  void Poison();

  // Checks the rows of a dispatch of input set `set`.
  void CheckDispatch(uint32_t set, Findings* findings);
  // Checks a combine of the experts' outputs of set `set` with the weights of `weight_set`; where
  // the experts' kernel applied them, they are those of `set`.
  void CheckCombine(uint32_t set, uint32_t weight_set, Findings* findings);

  // Rows that this rank must receive.
  uint64_t ReceivedRows() const { return oracle_.ReceivedRows(); }

  // Rows [first, first + rows.size()) are those of an expert or a source; then come rows of zeros.
  struct Block {
    int64_t first;
    const std::vector<reference::Token>& rows;
    int64_t padding;
    int32_t expert;  // global id; -1: a source's

    int64_t PaddingBegin() const { return first + static_cast<int64_t>(rows.size()); }
    int64_t End() const { return PaddingBegin() + padding; }
  };
  // In the order of their rows.
  const std::vector<Block>& blocks() const { return blocks_; }
  // What the experts make of a row of a block: one expert's output, or where rows are kept once,
  // all their outputs here, weighted and summed. `from` may be anything.
  void MakeExpertRow(uint32_t set, size_t block, reference::Token from, Bf16* row) const;

 private:
  struct Guard {
    int64_t row;
    int32_t expert;
  };
  // A token that this rank receives; its copies are copies_[begin] to copies_[end - 1].
  struct Received {
    reference::Token token;
    uint32_t begin;
    uint32_t end;
  };
  // Row `index` of a block, padding counted on.
  struct Copy {
    uint32_t block;
    uint32_t index;
  };
  // What is found of some rows, in whichever order they are looked at.
  class Found;

  void PlaceBlocks();
  void PlaceGuards();
  void PlaceCopies();
  // The tensors that a dispatch fills row by row.
  std::vector<const GuardedRows*> Outputs() const;
  int64_t RowOf(Copy copy) const { return blocks_[copy.block].first + copy.index; }
  // Where a row stands among those of all blocks, padding included.
  uint64_t OrderOf(Copy copy) const { return order_of_block_[copy.block] + copy.index; }
  using CheckRange = std::function<void(uint64_t begin, uint64_t end, Found* found)>;
  // Lets threads share [0, count), which is of rows of so many bytes; adds what they find to `all`.
  void Share(uint64_t count, uint64_t row_bytes, Found* all, const CheckRange& check) const;
  void CheckCounts(Findings* findings) const;
  void CheckTokens(uint32_t set, uint64_t begin, uint64_t end, Found* found) const;
  void CheckCopy(uint32_t set, const Received& received, Copy copy,
                 const reference::DispatchedRow& want, Found* found) const;
  void CheckDescription(uint32_t set, int64_t row, uint64_t order, Findings wrong,
                        Found* found) const;
  void CheckPadding(Copy padding, Found* found) const;
  void CheckGuard(const GuardedRows& rows, const Guard& guard, Findings* findings) const;
  void CheckSums(uint32_t set, uint32_t weight_set, uint64_t begin, uint64_t end, Found* found);

  const Shape shape_;
  const uint32_t rank_;
  const uint32_t threads_;
  Tensors* const tensors_;
  const reference::Oracle oracle_;
  std::vector<Block> blocks_;
  std::vector<uint64_t> order_of_block_;  // of its first row
  std::vector<Guard> guards_;
  // In the order of source ranks and their tokens.
  std::vector<Received> received_;
  std::vector<Copy> copies_;
  std::vector<Copy> padding_;
  // [kSets, kSets, tokens]: whether the sum that is specified for a token, with outputs and weights
  // of these sets, was held against the exact one.
  std::vector<uint8_t> held_;
};

}  // namespace ep

#endif  // CSRC_CHECK_CHECKER_H_
