#include "csrc/rank/allocations.h"

#include <algorithm>

#include "csrc/check/inputs.h"
#include "csrc/protocol/bitmap_plan.h"
#include "csrc/protocol/dispatch_step.h"
#include "csrc/protocol/layout.h"
#include "csrc/protocol/rank.h"

namespace ep {

using reference::kSets;

Allocations::Allocations(const Shape& shape, uint32_t tokens) : shape_(shape) {
  const Layout layout(shape);
  const uint64_t bf16_row = sizeof(Bf16) * shape.hidden;
  const uint64_t scale_row = sizeof(float) * shape.ScalesPerRow();
  const uint64_t outputs = OutputRows(shape);
  const uint64_t some = std::max(1u, tokens);  // a mapping of no bytes is an error
  // The guard before the first row; the one behind is among N.
  const uint64_t guarded = outputs + 1;
  const bool outside = shape.quantize == Quantize::kOutside;
  const bool by_expert = shape.sum == CombineSum::kExpert;
  const uint64_t at_most = shape.tokens;
  list_ = {
      {Item::kTokenRows, "token rows", kSets, some, bf16_row},
      {Item::kTokenCodes, "quantised rows", kSets, outside ? some : 0, shape.hidden},
      {Item::kTokenScales, "scales of rows", kSets, outside ? some : 0, scale_row},
      {Item::kIds, "ids", 1, tokens, sizeof(int32_t) * shape.topk},
      {Item::kWeights, "weights", kSets, at_most, sizeof(float) * shape.topk},
      {Item::kReceived, "received rows", 1, guarded, layout.RowBytes(), true},
      {Item::kReceivedScales, "received scales", 1, guarded, scale_row, true},
      {Item::kSources, "received sources", 1, guarded, sizeof(Source), true},
      {Item::kDescriptions, "row descriptions", 1, shape.FansOut() ? 0 : guarded,
       layout.MetaStride(), true},
      {Item::kExpertRows, "expert outputs", kSets, outputs, bf16_row, true},
      {Item::kCombined, "combined rows", 1, uint64_t{tokens} + 2, bf16_row},
      {Item::kDestinations, "the handle", 1, at_most,
       sizeof(Destination) * shape.MaxDestinations()},
      {Item::kChunkSlots, "the handle", 1, uint64_t{shape.Chunks()} + 1,
       sizeof(uint32_t) * shape.ranks},
      {Item::kSelections, "the handle", 1, by_expert ? at_most : 0, sizeof(Selection) * shape.topk},
      {Item::kSelectionCounts, "the handle", 1, by_expert ? at_most : 0, 1},
      {Item::kCopies, "row copies", 1, shape.FansOut() ? uint64_t{shape.ranks} * shape.tokens : 0,
       layout.MetaStride()},
  };
}

uint64_t Allocations::OutputRows(const Shape& shape) {
  switch (shape.layout) {
    case OutputLayout::kExpert:
      return uint64_t{shape.experts_per_rank} * (shape.MaxRowsPerExpert() + 1);
    case OutputLayout::kContig: return shape.MaxContigRows() + 1;
    case OutputLayout::kRank:
    case OutputLayout::kFlat: break;
  }
  return uint64_t{shape.ranks} * shape.tokens + 1;
}

const Allocation& Allocations::Of(Item item) const {
  return *std::ranges::find(list_, item, &Allocation::item);
}

uint64_t Allocations::HostBytes(uint64_t received_selections) const {
  uint64_t rows = received_selections;
  if (!shape_.FansOut()) rows = std::min(rows, uint64_t{shape_.ranks} * shape_.tokens);
  uint64_t bytes = 0;
  for (const Allocation& one : list_) {
    uint64_t touched = one.rows;
    if (one.received) {
      touched = rows;
      if (shape_.layout == OutputLayout::kContig && one.item != Item::kExpertRows) {
        touched += uint64_t{shape_.experts_per_rank} * (kContigRows - 1);
      }
      touched = std::min(touched, one.rows);
    }
    // Rows of BF16 have no scales.
    if (one.item == Item::kReceivedScales && shape_.dtype != Dtype::kFp8) touched = 0;
    bytes += one.sets * touched * one.row_bytes;
  }
  return bytes;
}

uint64_t Allocations::GpuBytes() const {
  uint64_t bytes = 0;
  for (const Allocation& one : list_) {
    // Where rows are quantised before, BF16 stays on the host.
    if (one.item == Item::kTokenRows && shape_.quantize == Quantize::kOutside) continue;
    bytes += one.sets * one.Bytes();
  }
  return bytes;
}

uint64_t Allocations::OutputBytes() const {
  uint64_t row = 0;
  for (const Allocation& one : list_) {
    if (one.received && one.rows > 0) row += one.sets * one.row_bytes;
  }
  return OutputRows(shape_) * row;
}

uint64_t RoutingBytes(const Shape& shape) {
  const uint64_t world_tokens = uint64_t{shape.ranks} * shape.tokens;
  uint64_t per_token = sizeof(int32_t) * shape.topk;
  if (!shape.FansOut()) per_token += kSets * sizeof(float) * shape.topk;  // all weights
  return world_tokens * per_token;
}

TilePlanBytes::TilePlanBytes(const Shape& shape, uint32_t tokens, uint32_t tile_tokens) {
  const uint64_t tiles = Tiling(shape, tile_tokens).Count(tokens);
  if (tiles <= 1) return;
  const uint64_t of_tile = sizeof(uint32_t) * Entries(shape);
  counts = of_tile * tiles;
  begins = of_tile * (tiles + 1);
}

}  // namespace ep
