#include "csrc/rank/tensors.h"

#include <algorithm>
#include <utility>

namespace ep {

Status Tensors::Allocate(const Shape& shape, uint32_t workers, uint32_t tokens,
                         const int32_t* topk_idx, const float* weights) {
  const Allocations sizes(shape, tokens);
  shape_ = shape;
  tokens_ = tokens;
  topk_idx_.assign(topk_idx, topk_idx + uint64_t{tokens} * shape.topk);
  weights_.assign(weights, weights + uint64_t{kSets} * shape.tokens * shape.topk);
  const auto resize = [&sizes](auto& array, Item item) {
    array.resize(sizes.Of(item).Bytes() / sizeof(array[0]));
  };
  resize(destinations_, Item::kDestinations);
  resize(chunk_slots_, Item::kChunkSlots);
  resize(selections_, Item::kSelections);
  resize(selection_count_, Item::kSelectionCounts);
  rows_to_rank_.resize(workers * shape.ranks);
  selections_of_expert_.resize(workers * shape.Experts());
  kept_ = PlacesMemory(shape);
  working_.clear();
  for (uint32_t worker = 0; worker < workers; ++worker) working_.emplace_back(shape);

  const auto map = [&sizes](Item item, Mapping* memory) -> Status {
    const Allocation& size = sizes.Of(item);
    if (size.rows == 0) return {};
    return Mapping::Private(size.Bytes(), size.name, memory);
  };
  for (uint32_t set = 0; set < kSets; ++set) {
    EP_TRY(map(Item::kTokenRows, &token_rows[set]));
    EP_TRY(map(Item::kTokenCodes, &token_codes[set]));
    EP_TRY(map(Item::kTokenScales, &token_scales[set]));
    EP_TRY(map(Item::kExpertRows, &expert_rows[set]));
  }
  EP_TRY(map(Item::kCopies, &copies_));
  for (const auto& [item, rows] : {std::pair{Item::kReceived, &received},
                                   {Item::kReceivedScales, &scales},
                                   {Item::kSources, &sources},
                                   {Item::kDescriptions, &descriptions},
                                   {Item::kCombined, &combined}}) {
    EP_TRY(rows->Allocate(sizes.Of(item)));
  }
  return {};
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

}  // namespace ep
