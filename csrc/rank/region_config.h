// What a rank's region is made for.
#ifndef CSRC_RANK_REGION_CONFIG_H_
#define CSRC_RANK_REGION_CONFIG_H_

#include <cstdint>

#include "csrc/protocol/layout.h"
#include "csrc/protocol/shape.h"
#include "csrc/rank/landing.h"
#include "csrc/region/region.h"

namespace ep {

// Of a shape that is cut into chunks.
inline RegionConfig MakeRegionConfig(const Shape& shape, uint32_t rank, uint64_t wait_timeout_ns,
                                     uint32_t landing_rows = 0) {
  const Layout layout(shape);
  return {.rank = rank,
          .ranks = shape.ranks,
          .bytes = layout.SizeBytes() + Landing(shape, landing_rows).SizeBytes(),
          .pairs = {layout.PairArea(0), layout.PairBytes()},
          .wait_timeout_ns = wait_timeout_ns};
}

}  // namespace ep

#endif  // CSRC_RANK_REGION_CONFIG_H_
