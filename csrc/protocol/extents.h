// What a message holds where ranks do not write into each other's regions: a few long extents
// whatever the number of rows, since the slots of a pair lie one behind the other. Words, counts
// and descriptions are one, and so are words and sums: over TCP each costs some microseconds.
//
// An extent lies in the pair area of sender and receiver, at the same offset where it is read and
// where it arrives, and takes a multiple of 4 bytes.
#ifndef CSRC_PROTOCOL_EXTENTS_H_
#define CSRC_PROTOCOL_EXTENTS_H_

#include "csrc/protocol/layout.h"
#include "csrc/protocol/shape.h"
#include "csrc/protocol/std.h"

namespace ep {

// Calls each(offset, bytes) for all that a dispatch with `rows` rows for a peer has put into
// `bank`, the words that announce it first.
template <class Each>
constexpr void ForEachDispatchExtent(const Shape& shape, const Layout& layout, uint32_t bank,
                                     uint32_t rows, Each each) {
  const uint64_t words = layout.PostedWords(Op::kDispatch, bank);
  if (rows == 0) {
    // An odd number of counts takes some of the padding of its line along.
    each(words,
         layout.Counts(bank) + RoundUp(sizeof(uint16_t) * shape.experts_per_rank, 4) - words);
    return;
  }
  each(words, layout.Meta(bank, rows) - words);
  if (shape.dtype == Dtype::kFp8) {
    const uint64_t scales = layout.Scales(bank, 0);
    each(scales, layout.Scales(bank, rows) - scales);
  }
  const uint64_t payload = layout.Row(bank, 0);
  each(payload, layout.Row(bank, rows) - payload);
}

// The same of a combine: the partial sums of `rows` rows.
template <class Each>
constexpr void ForEachCombineExtent(const Layout& layout, uint32_t bank, uint32_t rows, Each each) {
  const uint64_t words = layout.PostedWords(Op::kCombine, bank);
  each(words, rows == 0 ? sizeof(uint64_t) * layout.Words(Op::kCombine)
                        : layout.Partial(bank, rows) - words);
}

}  // namespace ep

#endif  // CSRC_PROTOCOL_EXTENTS_H_
