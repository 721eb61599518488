// What a message holds where ranks do not write into each other's regions: a few long extents
// whatever the number of rows, since the slots of a pair lie one behind the other.
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
// `bank`.
template <class Each>
constexpr void ForEachDispatchExtent(const Shape& shape, const Layout& layout, uint32_t bank,
                                     uint32_t rows, Each each) {
  // An odd number of counts takes some of the padding of its line along.
  each(layout.Counts(bank), RoundUp(sizeof(uint16_t) * shape.experts_per_rank, 4));
  if (rows == 0) return;
  const uint64_t metas = layout.Meta(bank, 0);
  each(metas, layout.Meta(bank, rows) - metas);
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
  if (rows == 0) return;
  const uint64_t partials = layout.Partial(bank, 0);
  each(partials, layout.Partial(bank, rows) - partials);
}

}  // namespace ep

#endif  // CSRC_PROTOCOL_EXTENTS_H_
