#include "csrc/rank/engine.h"

#include <cstring>
#include <utility>

#include "csrc/base/ranges.h"
#include "csrc/check/fp8.h"
#include "csrc/check/inputs.h"

namespace ep {

Engine::Engine(const RankConfig& rank, std::unique_ptr<Region> region)
    : context_{.shape = rank.routing.shape,
               .layout = Layout(rank.routing.shape),
               .rank = rank.rank,
               .wait_timeout_ns = rank.wait_timeout_ns,
               .epochs = nullptr,
               .error = nullptr,
               .tickets = nullptr,
               .region = region->data(),
               .there = {}},
      region_(std::move(region)) {}

Status Engine::Prepare(RankConfig config, uint32_t workers) {
  host_threads_ = config.host_threads;
  const uint64_t seed = config.routing.seed;
  const Shape shape = config.routing.shape;
  const uint64_t all_weights = uint64_t{shape.ranks} * kSets * shape.tokens * shape.topk;
  if (!shape.FansOut() && config.routing.weights.size() != all_weights) {
    return {Code::kInvalid, "create rank " + std::to_string(context_.rank) +
                                ": layouts rank and flat need the weights of all ranks"};
  }
  const uint32_t tokens = config.routing.tokens_of_rank[context_.rank];
  EP_TRY(tensors_.Allocate(shape, workers, tokens, config.routing.Selected(context_.rank, 0),
                           config.weights));
  for (uint32_t set = 0; set < kSets; ++set) {
    ForRanges(host_threads_, tokens, RowsWorthAThread(sizeof(Bf16) * shape.hidden),
              [&](uint64_t begin, uint64_t end) {
                for (uint64_t token = begin; token < end; ++token) {
                  MakeTokenRow(seed, set, static_cast<uint32_t>(token));
                }
              });
  }
  checker_ =
      std::make_unique<Checker>(std::move(config.routing), context_.rank, &tensors_, host_threads_);
  const RegionHeader header = Header();
  return CopyHeader(&header, reinterpret_cast<RegionHeader*>(region_->data()),
                    "write the region's header");
}

void Engine::MakeTokenRow(uint64_t seed, uint32_t set, uint32_t token) {
  const Shape& shape = tensors_.shape();
  const uint64_t first = uint64_t{token} * shape.hidden;
  Bf16* row = tensors_.token_rows[set].As<Bf16>() + first;
  reference::TokenRow(seed, set, context_.rank, token, shape.hidden, row);
  if (shape.quantize != Quantize::kOutside) return;
  reference::QuantizeRow(
      row, shape.hidden, tensors_.token_codes[set].As<E4m3>() + first,
      tensors_.token_scales[set].As<float>() + uint64_t{token} * shape.ScalesPerRow());
}

Status Engine::Ready(bool wants_expert_rows) const {
  if (!connected_) return {Code::kState, "run: the rank is not connected"};
  if (wants_expert_rows && !has_expert_rows_) {
    return {Code::kState, "combine: there are no expert outputs yet; dispatch and make them first"};
  }
  return {};
}

// The header goes with the blob, so that a rank of another plan is refused before anything is
// mapped, and lies in the region, so that what is mapped is known to be the peer's.
std::vector<uint8_t> Engine::Blob() const {
  const RegionHeader header = Header();
  std::vector<uint8_t> blob(sizeof(header));
  std::memcpy(blob.data(), &header, sizeof(header));
  const std::vector<uint8_t> rest = region_->Blob();
  blob.insert(blob.end(), rest.begin(), rest.end());
  return blob;
}

Status Engine::Connect(const std::vector<std::span<const uint8_t>>& blobs) {
  const std::string doing = "connect rank " + std::to_string(context_.rank);
  if (blobs.size() != context_.shape.ranks) {
    return {Code::kInvalid, doing + ": " + std::to_string(blobs.size()) + " blobs for " +
                                std::to_string(context_.shape.ranks) + " ranks"};
  }
  std::vector<std::span<const uint8_t>> rest(blobs.size());
  for (uint32_t rank = 0; rank < blobs.size(); ++rank) {
    RegionHeader header = {};
    if (blobs[rank].size() >= sizeof(header)) {
      std::memcpy(&header, blobs[rank].data(), sizeof(header));
      rest[rank] = blobs[rank].subspan(sizeof(header));
    }
    if (rank != context_.rank) EP_TRY(CheckHeader(header, rank));
  }
  std::vector<Reach> reached;
  EP_TRY(region_->Connect(rest, context_.rank, &reached));
  for (uint32_t rank = 0; rank < reached.size(); ++rank) {
    uint8_t* const region = reached[rank].region;
    if (region == nullptr) {
      context_.there[rank] = reached[rank].image;
      context_.proxied[rank / 32] |= 1u << rank % 32;
      continue;
    }
    RegionHeader header = {};
    EP_TRY(CopyHeader(reinterpret_cast<const RegionHeader*>(region), &header,
                      doing + " to rank " + std::to_string(rank) + ": read its region's header"));
    EP_TRY(CheckHeader(header, rank));
    context_.there[rank] = region + context_.layout.PairArea(context_.rank);
  }
  context_.inbox = region_->inbox();
  reached_ = std::move(reached);
  connected_ = true;
  return Connected();
}

Status Engine::Disconnect() {
  EP_TRY(region_->Disconnect());
  reached_.clear();
  connected_ = false;
  return {};
}

Status Engine::CheckHeader(const RegionHeader& header, uint32_t peer) const {
  if (header.magic == kRegionMagic && header.layout_hash == context_.layout.Hash() &&
      header.rank == peer) {
    return {};
  }
  return {Code::kProtocol, "connect rank " + std::to_string(context_.rank) + " to rank " +
                               std::to_string(peer) +
                               ": its region has another layout; do all ranks run the same plan "
                               "with the same build?"};
}

Status Engine::MakeExpertRows() {
  if (dispatches_ == 0) return {Code::kState, "make expert outputs: nothing was dispatched yet"};
  EP_TRY(FetchCounts(true));
  const std::vector<Block> blocks = tensors_.Blocks();
  uint64_t count = 0;
  for (const Block& block : blocks) count += block.rows;
  ForRanges(host_threads_, count, RowsWorthAThread(sizeof(Bf16) * tensors_.shape().hidden),
            [&](uint64_t begin, uint64_t end) {
              size_t b = 0;
              uint64_t before = 0;  // rows of the blocks before
              for (uint64_t i = begin; i < end; ++i) {
                while (i - before >= blocks[b].rows) before += blocks[b++].rows;
                MakeExpertRow(b, blocks[b].first + (i - before));
              }
            });
  has_expert_rows_ = true;
  return PutExpertRows();
}

void Engine::MakeExpertRow(size_t block, uint64_t row) {
  const Source from = tensors_.sources.As<Source>()[row];
  for (uint32_t set = 0; set < kSets; ++set) {
    Bf16* rows = tensors_.expert_rows[set].As<Bf16>();
    checker_->MakeExpertRow(set, block, {from.rank, from.token},
                            rows + row * tensors_.shape().hidden);
  }
}

Status Engine::RunFresh(Operations operations, uint64_t iterations, uint64_t* duration_ns) {
  for (uint64_t i = 0; i < iterations; ++i) {
    EP_TRY(RunFlags(1, nullptr));
    EP_TRY(Run(operations, 1, &duration_ns[i]));
  }
  return {};
}

Status Engine::RunGraph(Operations, uint64_t, uint64_t, uint64_t*) {
  return {Code::kState, "run a graph: only GPUs have graphs", EP_HINT_USE_GPUS};
}

Status Engine::RunKernels(Operations, uint64_t, uint64_t*) {
  return {Code::kState, "time kernels: only GPUs have kernels", EP_HINT_USE_GPUS};
}

Status Engine::RunMeter(ep_pass_meter, Operations, uint64_t, uint64_t, uint64_t*) {
  return {Code::kState, "run a meter: only GPUs have multiprocessors", EP_HINT_USE_GPUS};
}

Status Engine::RunBeside(ep_pass_meter, Operations, uint64_t, uint64_t*) {
  return {Code::kState, "run beside a meter: only GPUs have multiprocessors", EP_HINT_USE_GPUS};
}

Status Engine::SmsOfBlocks(Operations, std::vector<uint32_t>* sms) {
  sms->clear();
  return {};
}

Status Engine::Check(Operations operations, Findings* findings) {
  if ((operations.dispatch && dispatches_ == 0) || (operations.combine && combines_ == 0)) {
    return {Code::kState, "check: the operation has not run yet"};
  }
  EP_TRY(Fetch(operations));
  if (operations.dispatch) checker_->CheckDispatch(LastDispatchSet(), findings);
  if (operations.combine) checker_->CheckCombine(LastCombineSet(), LastDispatchSet(), findings);
  return {};
}

Status Engine::CountTraffic(TrafficCounts* counts) {
  if (dispatches_ == 0) return {Code::kState, "count rows: nothing was dispatched yet"};
  EP_TRY(FetchCounts(false));
  *counts = {};
  counts->rows_to_rank = tensors_.CountRowsToRanks();
  for (uint32_t rank = 0; rank < tensors_.shape().ranks; ++rank) {
    counts->rank_rows += counts->rows_to_rank[rank];
    if (rank != context_.rank) counts->remote_rows += counts->rows_to_rank[rank];
  }
  for (uint32_t x = 0; x < tensors_.shape().experts_per_rank; ++x) {
    counts->selections_of_expert.push_back(tensors_.counts()[x]);
  }
  counts->selections = tensors_.CountSelections();
  return {};
}

Status Engine::LastContents(std::optional<Contents>* contents) {
  if (dispatches_ == 0 || combines_ == 0) {
    return {Code::kState, "copy a tensor: dispatch and combine have not both run yet"};
  }
  EP_TRY(Fetch({.dispatch = true, .combine = true}));
  contents->emplace(&tensors_, LastDispatchSet(), LastCombineSet());
  return {};
}

}  // namespace ep
