// What ranks send each other where regions are not mapped: whole extents of the layout, since the
// slots of a (bank, rank) pair lie one behind the other.
#ifndef CSRC_ENGINE_MESSAGES_H_
#define CSRC_ENGINE_MESSAGES_H_

#include <cstdint>
#include <vector>

#include "csrc/protocol/layout.h"
#include "csrc/protocol/shape.h"
#include "csrc/transport/link.h"

namespace ep {

// The `rows` rows that `source` has put into `bank` of a peer's image.
inline std::vector<Extent> DispatchExtents(const Shape& shape, const Layout& layout, uint32_t bank,
                                           uint32_t source, uint32_t rows) {
  const uint64_t counts = layout.Counts(bank, source);
  const uint64_t metas = layout.Meta(bank, source, 0);
  const uint64_t scales = layout.Scales(bank, source, 0);
  const uint64_t payload = layout.Row(bank, source, 0);
  std::vector<Extent> extents = {{counts, sizeof(uint16_t) * shape.experts_per_rank}};
  if (rows == 0) return extents;
  extents.push_back({metas, layout.Meta(bank, source, rows) - metas});
  if (shape.dtype == Dtype::kFp8) {
    extents.push_back({scales, layout.Scales(bank, source, rows) - scales});
  }
  extents.push_back({payload, layout.Row(bank, source, rows) - payload});
  return extents;
}

// The `rows` partial sums for `home` in `bank` of this rank's region.
inline std::vector<Extent> CombineExtents(const Layout& layout, uint32_t bank, uint32_t home,
                                          uint32_t rows) {
  const uint64_t partials = layout.Partial(bank, home, 0);
  if (rows == 0) return {};
  return {{partials, layout.Partial(bank, home, rows) - partials}};
}

inline LinkConfig MakeLinkConfig(const Shape& shape, uint32_t rank, uint64_t wait_timeout_ns) {
  const Layout layout(shape);
  LinkConfig config = {.rank = rank,
                       .ranks = shape.ranks,
                       .region_bytes = layout.SizeBytes(),
                       .image_extents = {},
                       .wait_timeout_ns = wait_timeout_ns};
  for (uint32_t bank = 0; bank < kBanks; ++bank) {
    for (const auto& extents : {DispatchExtents(shape, layout, bank, rank, shape.tokens),
                                CombineExtents(layout, bank, rank, shape.tokens)}) {
      config.image_extents.insert(config.image_extents.end(), extents.begin(), extents.end());
    }
  }
  return config;
}

// What a rank touches of its images of all peers.
inline uint64_t ImageBytes(const Shape& shape) {
  uint64_t of_one = 0;
  for (const Extent& extent : MakeLinkConfig(shape, 0, 0).image_extents) of_one += extent.bytes;
  return (shape.ranks - 1) * of_one;
}

}  // namespace ep

#endif  // CSRC_ENGINE_MESSAGES_H_
