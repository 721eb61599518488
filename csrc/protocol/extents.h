// What a message holds where ranks do not write into each other's regions: a few long extents
// whatever the number of rows, since the slots of a (bank, rank) pair lie one behind the other.
//
// An extent has the same offset where it is read and where it arrives, and takes a multiple of
// 4 bytes.
#ifndef CSRC_PROTOCOL_EXTENTS_H_
#define CSRC_PROTOCOL_EXTENTS_H_

#include "csrc/protocol/layout.h"
#include "csrc/protocol/shape.h"
#include "csrc/protocol/std.h"

namespace ep {

// Calls each(offset, bytes) for all that a dispatch of rank `source` with `rows` rows has put into
// `bank` of a peer's image.
template <class Each>
constexpr void ForEachDispatchExtent(const Shape& shape, const Layout& layout, uint32_t bank,
                                     uint32_t source, uint32_t rows, Each each) {
  // An odd number of counts takes some of the padding of its line along.
  each(layout.Counts(bank, source), RoundUp(sizeof(uint16_t) * shape.experts_per_rank, 4));
  if (rows == 0) return;
  const uint64_t metas = layout.Meta(bank, source, 0);
  each(metas, layout.Meta(bank, source, rows) - metas);
  if (shape.dtype == Dtype::kFp8) {
    const uint64_t scales = layout.Scales(bank, source, 0);
    each(scales, layout.Scales(bank, source, rows) - scales);
  }
  const uint64_t payload = layout.Row(bank, source, 0);
  each(payload, layout.Row(bank, source, rows) - payload);
}

// The same of a combine of rank `source`: the partial sums of `rows` rows.
template <class Each>
constexpr void ForEachCombineExtent(const Layout& layout, uint32_t bank, uint32_t source,
                                    uint32_t rows, Each each) {
  if (rows == 0) return;
  const uint64_t partials = layout.Partial(bank, source, 0);
  each(partials, layout.Partial(bank, source, rows) - partials);
}

}  // namespace ep

#endif  // CSRC_PROTOCOL_EXTENTS_H_
