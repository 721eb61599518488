// What a rank's region is made for: what ranks send each other over links, which
// csrc/protocol/extents.h lists.
#ifndef CSRC_RANK_MESSAGES_H_
#define CSRC_RANK_MESSAGES_H_

#include <cstdint>
#include <vector>

#include "csrc/protocol/extents.h"
#include "csrc/protocol/layout.h"
#include "csrc/protocol/shape.h"
#include "csrc/rank/landing.h"
#include "csrc/region/region.h"

namespace ep {

// What a dispatch of rank `source` with `rows` rows has put into `bank` of a peer's image.
inline std::vector<Extent> DispatchExtents(const Shape& shape, const Layout& layout, uint32_t bank,
                                           uint32_t source, uint32_t rows) {
  std::vector<Extent> extents;
  ForEachDispatchExtent(shape, layout, bank, rows, [&](uint64_t offset, uint64_t bytes) {
    extents.push_back({layout.PairArea(source) + offset, bytes});
  });
  return extents;
}

// The same of a combine: the partial sums of `rows` rows.
inline std::vector<Extent> CombineExtents(const Layout& layout, uint32_t bank, uint32_t source,
                                          uint32_t rows) {
  std::vector<Extent> extents;
  ForEachCombineExtent(layout, bank, rows, [&](uint64_t offset, uint64_t bytes) {
    extents.push_back({layout.PairArea(source) + offset, bytes});
  });
  return extents;
}

// Of a shape that is cut into chunks, with all that rank `rank` can write into its images.
inline RegionConfig MakeRegionConfig(const Shape& shape, uint32_t rank, uint64_t wait_timeout_ns,
                                     uint32_t landing_rows = 0) {
  const Layout layout(shape);
  RegionConfig config = {.rank = rank,
                         .ranks = shape.ranks,
                         .bytes = layout.SizeBytes() + Landing(shape, landing_rows).SizeBytes(),
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

// What a rank writes of its images of all peers.
inline uint64_t ImageBytes(const Shape& shape) {
  uint64_t of_one = 0;
  for (const Extent& extent : MakeRegionConfig(shape, 0, 0).image_extents) of_one += extent.bytes;
  return (shape.ranks - 1) * of_one;
}

}  // namespace ep

#endif  // CSRC_RANK_MESSAGES_H_
