#include "csrc/rank/cuda_engine.h"

#include <algorithm>
#include <atomic>
#include <string>
#include <utility>

#include "csrc/rank/chunks.h"
#include "csrc/rank/error_text.h"
#include "csrc/region/cuda_status.h"

namespace ep {

CudaEngine::~CudaEngine() {
  // Memory goes back to the GPU it came from; nobody is left to hear of a failure.
  static_cast<void>(cudaSetDevice(config_.gpu));
  if (post_ == nullptr || post_->End(context_.wait_timeout_ns)) return;
  static_cast<void>(region_.release());
}

Status CudaEngine::Create(RankConfig rank, const CudaConfig& config, std::unique_ptr<Region> region,
                          std::unique_ptr<CudaEngine>* engine) {
  rank.routing.shape = ChunkedForGpu(rank.routing.shape);
  std::unique_ptr<CudaEngine> made(new CudaEngine(rank, config, std::move(region)));
  EP_TRY(CudaStatus(cudaSetDevice(config.gpu), "use GPU " + std::to_string(config.gpu)));
  EP_TRY(
      CudaKernels::Load(made->context_.shape, config.ranks_on_gpu, rank.choices, &made->kernels_));
  EP_TRY(made->Prepare(std::move(rank), 1));
  EP_TRY(made->Allocate());
  *engine = std::move(made);
  return {};
}

Status CudaEngine::Connected() {
  if (std::ranges::none_of(reached(), &Reach::IsProxied)) return {};
  EP_TRY(Use());
  EP_TRY(kernels_->UsePost());
  return CudaPost::Create(config_.gpu, config_.few_cpus, region_.get(), &context_, &post_);
}

Status CudaEngine::CopyHeader(const RegionHeader* from, RegionHeader* to,
                              const std::string& what) const {
  EP_TRY(Use());
  return CudaStatus(cudaMemcpy(to, from, sizeof(*to), cudaMemcpyDefault), what);
}

Status CudaEngine::AddMirror(const uint8_t* host, size_t bytes, const char* what) {
  if (bytes == 0) return {};
  DeviceMemory device;
  EP_TRY(DeviceMemory::Allocate(bytes, what, &device));
  mirrors_.push_back({host, std::move(device)});
  return {};
}

uint8_t* CudaEngine::OnGpu(const void* host) const {
  const auto* byte = static_cast<const uint8_t*>(host);
  for (const Mirror& mirror : mirrors_) {
    if (byte < mirror.host || byte >= mirror.host + mirror.device.bytes()) continue;
    return mirror.device.As() + (byte - mirror.host);
  }
  return nullptr;
}

Status CudaEngine::CopyIn(const void* host, size_t bytes) {
  if (bytes == 0) return {};
  return CudaStatus(
      cudaMemcpyAsync(OnGpu(host), host, bytes, cudaMemcpyHostToDevice, stream_.get()),
      "copy a tensor to the GPU");
}

Status CudaEngine::CopyOut(void* host, size_t bytes) {
  if (bytes == 0) return {};
  return CudaStatus(
      cudaMemcpyAsync(host, OnGpu(host), bytes, cudaMemcpyDeviceToHost, stream_.get()),
      "copy a tensor from the GPU");
}

Status CudaEngine::AllocateHandle() {
  const Shape& shape = context_.shape;
  const Allocations sizes(shape, tensors_.tokens());
  handle_ = tensors_.MakeHandle();
  const struct {
    const void* host;
    size_t bytes;
  } arrays[] = {
      {handle_.destinations, sizes.Of(Item::kDestinations).Bytes()},
      {handle_.chunk_slots, sizes.Of(Item::kChunkSlots).Bytes()},
      {handle_.selections, sizes.Of(Item::kSelections).Bytes()},
      {handle_.selection_count, sizes.Of(Item::kSelectionCounts).Bytes()},
      {handle_.copies, sizes.Of(Item::kCopies).Bytes()},
      {handle_.places.rows_from, sizeof(uint32_t) * shape.ranks},
      {handle_.places.first_row, sizeof(uint32_t) * shape.Experts()},
      {handle_.places.counts, sizeof(uint32_t) * shape.experts_per_rank},
      {handle_.places.begin, sizeof(uint32_t) * (shape.Blocks() + 1)},
  };
  for (const auto& array : arrays) {
    EP_TRY(AddMirror(static_cast<const uint8_t*>(array.host), array.bytes, "the handle"));
  }
  // A rank without tokens never writes it.
  EP_TRY(CopyIn(handle_.chunk_slots, sizes.Of(Item::kChunkSlots).Bytes()));
  gpu_handle_ = handle_;
  gpu_handle_.destinations = OnGpuAs(handle_.destinations);
  gpu_handle_.chunk_slots = OnGpuAs(handle_.chunk_slots);
  gpu_handle_.selections = OnGpuAs(handle_.selections);
  gpu_handle_.selection_count = OnGpuAs(handle_.selection_count);
  gpu_handle_.copies = OnGpuAs(handle_.copies);
  gpu_handle_.places = {OnGpuAs(handle_.places.rows_from), OnGpuAs(handle_.places.first_row),
                        OnGpuAs(handle_.places.counts), OnGpuAs(handle_.places.begin)};

  const uint64_t words =
      shape.ranks + shape.Experts() + shape.experts_per_rank + shape.Blocks() + 1;
  EP_TRY(
      DeviceMemory::Allocate(sizeof(uint32_t) * words, "a handle without rows", &no_rows_places_));
  uint32_t* at = no_rows_places_.As<uint32_t>();
  no_rows_handle_ = gpu_handle_;
  no_rows_handle_.tokens = 0;
  uint32_t* counts = at + shape.ranks + shape.Experts();
  no_rows_handle_.places = {at, at + shape.ranks, counts, counts + shape.experts_per_rank};
  return {};
}

Status CudaEngine::CopyInputs() {
  const Allocations sizes(context_.shape, tensors_.tokens());
  const auto copy = [&](const void* host, Item item, uint32_t sets) -> Status {
    // Rows, or codes and scales; and none of a rank without tokens.
    if (host == nullptr || tensors_.tokens() == 0) return {};
    const Allocation& size = sizes.Of(item);
    EP_TRY(AddMirror(static_cast<const uint8_t*>(host), sets * size.Bytes(), size.name));
    return CopyIn(host, sets * size.Bytes());
  };
  const DispatchInput first = tensors_.Input(0);
  EP_TRY(copy(first.topk_idx, Item::kIds, 1));
  EP_TRY(copy(first.topk_weights, Item::kWeights, kSets));
  for (uint32_t set = 0; set < kSets; ++set) {
    const DispatchInput input = tensors_.Input(set);
    EP_TRY(copy(input.rows, Item::kTokenRows, 1));
    EP_TRY(copy(input.codes, Item::kTokenCodes, 1));
    EP_TRY(copy(input.scales, Item::kTokenScales, 1));
  }
  return {};
}

Status CudaEngine::Allocate() {
  EP_TRY(shared_.Allocate("errors"));
  EP_TRY(
      CudaStatus(cudaStreamCreateWithFlags(stream_.out(), cudaStreamNonBlocking), "make a stream"));
  EP_TRY(DeviceMemory::Allocate(sizeof(State), "the rank's state", &state_));
  EP_TRY(AllocateHandle());
  State* state = state_.As<State>();
  context_.epochs = &state->epochs;
  context_.tickets = &state->tickets;
  context_.error = &state->error;

  EP_TRY(CopyInputs());
  for (const GuardedRows* rows : {&tensors_.received, &tensors_.scales, &tensors_.sources,
                                  &tensors_.descriptions, &tensors_.combined}) {
    if (rows->bytes() == 0) continue;  // descriptions, where rows fan out
    EP_TRY(AddMirror(rows->Row(-1), rows->bytes(), "outputs"));
  }
  for (const Mapping& rows : tensors_.expert_rows) {
    EP_TRY(AddMirror(rows.data(), rows.size(), "expert outputs"));
  }
  const TilePlanBytes plan(context_.shape, tensors_.tokens(), kernels::kLong.tile_tokens);
  if (plan.Sum() > 0) {
    EP_TRY(DeviceMemory::Allocate(plan.counts, "the plan", &tile_counts_));
    EP_TRY(DeviceMemory::Allocate(plan.begins, "the plan", &tile_begins_));
  }
  for (DeviceMemory* sms : {&dispatch_sms_.sms, &combine_sms_.sms, &flags_sms_}) {
    EP_TRY(DeviceMemory::Allocate(sizeof(uint32_t) * kernels_->MostBlocks(),
                                  "the blocks' multiprocessors", sms));
  }
  EP_TRY(DeviceMemory::Allocate(2 * kBatch * sizeof(kernels::Stamps), "stamps", &stamps_));
  return Finish();
}

Status CudaEngine::CopyCountsOut() {
  const Shape& shape = context_.shape;
  EP_TRY(
      CopyOut(handle_.destinations, sizeof(Destination) * shape.tokens * shape.MaxDestinations()));
  EP_TRY(CopyOut(handle_.places.counts, sizeof(uint32_t) * shape.experts_per_rank));
  EP_TRY(CopyOut(handle_.places.rows_from, sizeof(uint32_t) * shape.ranks));
  return CopyOut(handle_.places.begin, sizeof(uint32_t) * (shape.Blocks() + 1));
}

Status CudaEngine::FetchCounts(bool sources) {
  EP_TRY(Use());
  EP_TRY(CopyCountsOut());
  Status status;
  checker_->ForEachTouched({.dispatch = sources, .combine = false},
                           [&](const GuardedRows& rows, int64_t first, int64_t count) {
                             if (!status.ok() || &rows != &tensors_.sources) return;
                             status = CopyOut(rows.Row(first),
                                              static_cast<size_t>(count) * rows.row_bytes());
                           });
  EP_TRY(std::move(status));
  return Finish();
}

Status CudaEngine::Fetch(Operations operations) {
  EP_TRY(Use());
  if (operations.dispatch) EP_TRY(CopyCountsOut());
  Status status;
  checker_->ForEachTouched(operations, [&](const GuardedRows& rows, int64_t first, int64_t count) {
    if (!status.ok()) return;
    status = CopyOut(rows.Row(first), static_cast<size_t>(count) * rows.row_bytes());
  });
  EP_TRY(std::move(status));
  return Finish();
}

Status CudaEngine::PutExpertRows() {
  EP_TRY(Use());
  const uint64_t row_bytes = sizeof(Bf16) * context_.shape.hidden;
  for (const Mapping& rows : tensors_.expert_rows) {
    for (const Block& block : tensors_.Blocks()) {
      EP_TRY(CopyIn(rows.data() + block.first * row_bytes, block.rows * row_bytes));
    }
  }
  return Finish();
}

Status CudaEngine::Poison() {
  EP_TRY(Use());
  Status status;
  checker_->ForEachTouched({.dispatch = true, .combine = true}, [&](const GuardedRows& rows,
                                                                    int64_t first, int64_t count) {
    if (!status.ok() || rows.row_bytes() == 0) return;
    status =
        CudaStatus(cudaMemsetAsync(OnGpu(rows.Row(first)), kPoison,
                                   static_cast<size_t>(count) * rows.row_bytes(), stream_.get()),
                   "poison the outputs");
  });
  EP_TRY(std::move(status));
  return Finish();
}

Status CudaEngine::FlushCaches() {
  EP_TRY(Use());
  if (zeros_.bytes() == 0) {
    EP_TRY(DeviceMemory::Allocate(kGpuFlushBytes, "zeros to flush the caches", &zeros_));
  }
  EP_TRY(CudaStatus(cudaMemsetAsync(zeros_.As(), 0, zeros_.bytes(), stream_.get()),
                    "flush the caches"));
  return Finish();
}

Status CudaEngine::Epochs(EpochState* epochs) {
  EP_TRY(Use());
  return CudaStatus(cudaMemcpyAsync(epochs, context_.epochs, sizeof(*epochs),
                                    cudaMemcpyDeviceToHost, stream_.get()),
                    "read the epochs");
}

void CudaEngine::Abort() {
  std::atomic_ref<uint32_t>(shared_->aborted).store(1, std::memory_order_relaxed);
  if (post_ != nullptr) post_->Stop(ErrorKind::kAborted, context_.rank);
}

bool CudaEngine::Aborted() const {
  return std::atomic_ref<uint32_t>(shared_->aborted).load(std::memory_order_relaxed) != 0;
}

}  // namespace ep
