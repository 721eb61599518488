#include "csrc/engine/tensors.h"

#include <algorithm>

namespace ep {

Status Tensors::Allocate(const Shape& shape, uint32_t workers, uint32_t tokens,
                         const int32_t* topk_idx, const float* weights) {
  shape_ = shape;
  tokens_ = tokens;
  topk_idx_.assign(topk_idx, topk_idx + uint64_t{tokens} * shape.topk);
  weights_.assign(weights, weights + uint64_t{kSets} * shape.tokens * shape.topk);
  destinations_.resize(uint64_t{shape.tokens} * shape.MaxDestinations());
  chunk_slots_.resize((uint64_t{shape.Chunks()} + 1) * shape.ranks);
  if (shape.sum == CombineSum::kExpert) {
    selections_.resize(uint64_t{shape.tokens} * shape.topk);
    selection_count_.resize(shape.tokens);
  }
  rows_to_rank_.resize(workers * shape.ranks);
  selections_of_expert_.resize(workers * shape.Experts());
  kept_ = PlacesMemory(shape);
  working_.clear();
  for (uint32_t worker = 0; worker < workers; ++worker) working_.emplace_back(shape);

  const Layout layout(shape);
  const uint64_t packed = OutputRows(shape);
  const uint64_t bf16_row = sizeof(Bf16) * shape.hidden;
  // A mapping of no bytes is an error, and FP8's scales are always read through a pointer.
  const uint64_t scale_row = sizeof(float) * shape.ScalesPerRow();
  Status status;
  for (uint32_t set = 0; set < kSets && status.ok(); ++set) {
    status = Mapping::Private(std::max(1u, tokens) * bf16_row, "token rows", &token_rows[set]);
    if (status.ok() && shape.quantize == Quantize::kOutside) {
      status = AllocateQuantized(set);
    }
    if (!status.ok()) break;
    status = Mapping::Private(packed * bf16_row, "expert outputs", &expert_rows[set]);
  }
  if (status.ok()) status = received.Allocate(packed, layout.RowBytes(), "received rows");
  if (status.ok()) status = scales.Allocate(packed, scale_row, "received scales");
  if (status.ok()) status = sources.Allocate(packed, sizeof(Source), "received sources");
  if (status.ok()) status = combined.Allocate(tokens + 1, bf16_row, "combined rows");
  if (status.ok() && shape.FansOut()) {
    status = Mapping::Private(uint64_t{shape.ranks} * shape.tokens * layout.MetaStride(),
                              "row copies", &copies_);
  }
  if (status.ok() && !shape.FansOut()) {
    status = descriptions.Allocate(packed, layout.MetaStride(), "row descriptions");
  }
  return status;
}

Status Tensors::AllocateQuantized(uint32_t set) {
  const uint64_t tokens = std::max(1u, tokens_);
  Status status = Mapping::Private(tokens * shape_.hidden, "quantised rows", &token_codes[set]);
  if (!status.ok()) return status;
  return Mapping::Private(tokens * sizeof(float) * shape_.ScalesPerRow(), "scales of rows",
                          &token_scales[set]);
}

uint64_t Tensors::OutputRows(const Shape& shape) {
  switch (shape.layout) {
    case OutputLayout::kExpert:
      return uint64_t{shape.experts_per_rank} * (shape.MaxRowsPerExpert() + 1);
    case OutputLayout::kContig: return shape.MaxContigRows() + 1;
    case OutputLayout::kRank:
    case OutputLayout::kFlat: break;
  }
  return uint64_t{shape.ranks} * shape.tokens + 1;
}

uint64_t Tensors::OutputRowBytes(const Shape& shape) {
  const Layout layout(shape);
  const uint64_t description = shape.FansOut() ? 0 : layout.MetaStride();
  return layout.RowBytes() + sizeof(float) * shape.ScalesPerRow() + sizeof(Source) + description +
         kSets * sizeof(Bf16) * shape.hidden;
}

std::vector<Block> Tensors::Blocks() const {
  std::vector<Block> blocks;
  const uint32_t* rows = shape_.FansOut() ? counts() : rows_from();
  for (uint32_t b = 0; b < shape_.Blocks(); ++b) blocks.push_back({begin()[b], rows[b]});
  return blocks;
}

DispatchInput Tensors::Input(uint32_t set) const {
  DispatchInput input = {.tokens = tokens_,
                         .rows = token_rows[set].As<const Bf16>(),
                         .topk_idx = topk_idx_.data(),
                         .topk_weights = Weights(set, 0)};
  if (shape_.quantize == Quantize::kOutside) {
    input.rows = nullptr;
    input.codes = token_codes[set].As<const E4m3>();
    input.scales = token_scales[set].As<const float>();
  }
  return input;
}

DispatchOutput Tensors::Output() {
  return {received.Row(0), scales.As<float>(), sources.As<Source>(),
          shape_.FansOut() ? nullptr : descriptions.Row(0)};
}

uint64_t Tensors::CountSelections() const {
  return topk_idx_.size() - static_cast<uint64_t>(std::ranges::count(topk_idx_, -1));
}

std::vector<uint64_t> Tensors::CountRowsToRanks() const {
  std::vector<uint64_t> rows(shape_.ranks);
  for (uint32_t token = 0; token < tokens_; ++token) {
    for (uint32_t d = 0; d < shape_.MaxDestinations(); ++d) {
      const uint32_t rank = destinations_[token * shape_.MaxDestinations() + d].rank;
      if (rank == kNoDestination.rank) break;
      ++rows[rank];
    }
  }
  return rows;
}

SequentialPlan Tensors::Plan(uint32_t worker) {
  return {shape_, &rows_to_rank_[worker * shape_.ranks],
          &selections_of_expert_[worker * shape_.Experts()]};
}

Working Tensors::WorkingOf(uint32_t worker) {
  WorkerMemory& memory = working_[worker];
  const Pieces whole = {shape_.hidden, shape_.hidden, 1};
  return {memory.places.Get(),  {},    &memory.crew, memory.sum.data(),
          memory.tables.data(), whole, whole,        1};
}

Handle Tensors::MakeHandle() {
  return {.tokens = tokens_,
          .destinations = destinations_.data(),
          .chunk_slots = chunk_slots_.data(),
          .selections = selections_.data(),
          .selection_count = selection_count_.data(),
          .copies = copies_.data(),
          .expert_stride = ExpertStride(),
          .places = kept_.Get()};
}

uint64_t PrivateBytes(const Shape& shape, uint64_t received_selections) {
  const Layout layout(shape);
  const uint64_t bf16_row = sizeof(Bf16) * shape.hidden;
  const uint64_t scale_row = shape.dtype == Dtype::kFp8 ? sizeof(float) * shape.ScalesPerRow() : 0;
  const uint64_t dispatched_row = layout.RowBytes() + scale_row + sizeof(Source);
  const uint64_t world_tokens = uint64_t{shape.ranks} * shape.tokens;
  uint64_t rows = received_selections;
  uint64_t padding = 0;
  if (shape.layout == OutputLayout::kContig) {
    padding = uint64_t{shape.experts_per_rank} * (kContigRows - 1);
  }
  if (!shape.FansOut()) rows = std::min(rows, world_tokens);
  uint64_t per_token = (kSets + 1) * bf16_row + kSets * sizeof(float) * shape.topk +
                       sizeof(Destination) * shape.MaxDestinations();
  if (shape.sum == CombineSum::kExpert) per_token += sizeof(Selection) * shape.topk;
  if (shape.quantize == Quantize::kOutside) per_token += kSets * (shape.hidden + scale_row);
  uint64_t per_world_token =
      layout.MetaStride() + 2 * sizeof(int32_t) * shape.topk;  // handle; routing, twice
  if (!shape.FansOut()) per_world_token += kSets * sizeof(float) * shape.topk;  // all weights
  return (rows + padding) * dispatched_row + rows * kSets * bf16_row + shape.tokens * per_token +
         world_tokens * per_world_token + kFlushBytes;
}

}  // namespace ep
