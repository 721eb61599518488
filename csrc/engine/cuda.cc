#include "csrc/engine/cuda.h"

#include <algorithm>
#include <atomic>
#include <string>
#include <utility>

#include "csrc/engine/chunks.h"
#include "csrc/engine/error_text.h"
#include "csrc/region/cuda_status.h"

namespace ep {

CudaEngine::~CudaEngine() {
  // Memory goes back to the GPU it came from.
  cudaSetDevice(config_.gpu);
}

Status CudaEngine::Create(RankConfig rank, const CudaConfig& config, std::unique_ptr<Region> region,
                          std::unique_ptr<CudaEngine>* engine) {
  rank.routing.shape = ChunkedForGpu(rank.routing.shape);
  std::unique_ptr<CudaEngine> made(new CudaEngine(rank, config, std::move(region)));
  EP_TRY(CudaStatus(cudaSetDevice(config.gpu), "use GPU " + std::to_string(config.gpu)));
  EP_TRY(CudaKernels::Load(made->context_.shape, config.ranks_on_gpu, config.sms, &made->kernels_));
  EP_TRY(made->Prepare(std::move(rank), 1));
  EP_TRY(made->Allocate());
  *engine = std::move(made);
  return {};
}

Status CudaEngine::CopyHeader(const RegionHeader* from, RegionHeader* to,
                              const std::string& what) const {
  EP_TRY(Use());
  return CudaStatus(cudaMemcpy(to, from, sizeof(*to), cudaMemcpyDefault), what);
}

Status CudaEngine::AddMirror(const uint8_t* host, size_t bytes, const char* what) {
  if (bytes == 0) return {};
  DeviceMemory device;
  Status status = DeviceMemory::Allocate(bytes, what, &device);
  if (status.ok()) mirrors_.push_back({host, std::move(device)});
  return status;
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
  handle_ = tensors_.MakeHandle();
  const struct {
    const void* host;
    size_t bytes;
  } arrays[] = {
      {handle_.destinations, sizeof(Destination) * shape.tokens * shape.MaxDestinations()},
      {handle_.chunk_slots, sizeof(uint32_t) * (shape.Chunks() + 1) * shape.ranks},
      {handle_.selections,
       handle_.selections == nullptr ? 0 : sizeof(Selection) * shape.tokens * shape.topk},
      {handle_.selection_count, handle_.selection_count == nullptr ? 0 : shape.tokens},
      {handle_.copies, handle_.copies == nullptr
                           ? 0
                           : uint64_t{shape.ranks} * shape.tokens * context_.layout.MetaStride()},
      {handle_.places.rows_from, sizeof(uint32_t) * shape.ranks},
      {handle_.places.first_row, sizeof(uint32_t) * shape.Experts()},
      {handle_.places.counts, sizeof(uint32_t) * shape.experts_per_rank},
      {handle_.places.begin, sizeof(uint32_t) * (shape.Blocks() + 1)},
  };
  for (const auto& array : arrays) {
    Status status = AddMirror(static_cast<const uint8_t*>(array.host), array.bytes, "the handle");
    if (!status.ok()) return status;
  }
  // A rank without tokens never writes it.
  Status cleared =
      CopyIn(handle_.chunk_slots, sizeof(uint32_t) * (shape.Chunks() + 1) * shape.ranks);
  if (!cleared.ok()) return cleared;
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
  Status status =
      DeviceMemory::Allocate(sizeof(uint32_t) * words, "a handle without rows", &no_rows_places_);
  uint32_t* at = no_rows_places_.As<uint32_t>();
  no_rows_handle_ = gpu_handle_;
  no_rows_handle_.tokens = 0;
  uint32_t* counts = at + shape.ranks + shape.Experts();
  no_rows_handle_.places = {at, at + shape.ranks, counts, counts + shape.experts_per_rank};
  return status;
}

Status CudaEngine::CopyInputs() {
  const Shape& shape = context_.shape;
  const uint64_t tokens = tensors_.tokens();
  const auto copy = [this](const void* host, size_t bytes, const char* what) {
    if (host == nullptr) return Status();  // rows, or codes and scales
    Status status = AddMirror(static_cast<const uint8_t*>(host), bytes, what);
    return status.ok() ? CopyIn(host, bytes) : status;
  };
  const DispatchInput first = tensors_.Input(0);
  Status status = copy(first.topk_idx, sizeof(int32_t) * tokens * shape.topk, "ids");
  if (status.ok()) {
    status = copy(first.topk_weights, sizeof(float) * kSets * shape.tokens * shape.topk, "weights");
  }
  for (uint32_t set = 0; set < kSets && status.ok(); ++set) {
    const DispatchInput input = tensors_.Input(set);
    status = copy(input.rows, sizeof(Bf16) * tokens * shape.hidden, "token rows");
    if (status.ok()) status = copy(input.codes, tokens * shape.hidden, "quantised rows");
    if (!status.ok()) break;
    status = copy(input.scales, sizeof(float) * tokens * shape.ScalesPerRow(), "scales of rows");
  }
  return status;
}

Status CudaEngine::Allocate() {
  const Shape& shape = context_.shape;
  Status status = shared_.Allocate("errors");
  if (status.ok()) {
    status = CudaStatus(cudaStreamCreateWithFlags(stream_.out(), cudaStreamNonBlocking),
                        "make a stream");
  }
  if (status.ok()) status = DeviceMemory::Allocate(sizeof(State), "the rank's state", &state_);
  if (status.ok()) status = AllocateHandle();
  if (!status.ok()) return status;
  State* state = state_.As<State>();
  context_.epochs = &state->epochs;
  context_.tickets = &state->tickets;
  context_.error = &state->error;

  const uint32_t tokens = tensors_.tokens();
  status = CopyInputs();
  if (!status.ok()) return status;
  for (const GuardedRows* rows : {&tensors_.received, &tensors_.scales, &tensors_.sources,
                                  &tensors_.descriptions, &tensors_.combined}) {
    if (rows->bytes() == 0) continue;  // descriptions, where rows fan out
    status = AddMirror(rows->Row(-1), rows->bytes(), "outputs");
    if (!status.ok()) return status;
  }
  for (const Mapping& rows : tensors_.expert_rows) {
    status = AddMirror(rows.data(), rows.size(), "expert outputs");
    if (!status.ok()) return status;
  }
  const uint32_t tiles = Tiling(shape, kernels::kLong.tile_tokens).Count(tokens);
  if (tiles > 1) {
    const size_t bytes = sizeof(uint32_t) * Entries(shape);
    status = DeviceMemory::Allocate(bytes * tiles, "the plan", &tile_counts_);
    if (status.ok()) {
      status = DeviceMemory::Allocate(bytes * (tiles + 1), "the plan", &tile_begins_);
    }
    if (!status.ok()) return status;
  }
  for (DeviceMemory* sms : {&dispatch_sms_.sms, &combine_sms_.sms, &flags_sms_}) {
    status = DeviceMemory::Allocate(sizeof(uint32_t) * kernels_->MostBlocks(),
                                    "the blocks' multiprocessors", sms);
    if (!status.ok()) return status;
  }
  status = DeviceMemory::Allocate(2 * kBatch * sizeof(kernels::Stamps), "stamps", &stamps_);
  if (!status.ok()) return status;
  return Finish();
}

Status CudaEngine::CopyCountsOut() {
  const Shape& shape = context_.shape;
  Status status =
      CopyOut(handle_.destinations, sizeof(Destination) * shape.tokens * shape.MaxDestinations());
  if (status.ok()) {
    status = CopyOut(handle_.places.counts, sizeof(uint32_t) * shape.experts_per_rank);
  }
  if (status.ok()) status = CopyOut(handle_.places.rows_from, sizeof(uint32_t) * shape.ranks);
  if (status.ok()) {
    status = CopyOut(handle_.places.begin, sizeof(uint32_t) * (shape.Blocks() + 1));
  }
  return status;
}

Status CudaEngine::FetchCounts(bool sources) {
  Status status = Use();
  if (status.ok()) status = CopyCountsOut();
  checker_->ForEachTouched({.dispatch = sources, .combine = false},
                           [&](const GuardedRows& rows, int64_t first, int64_t count) {
                             if (!status.ok() || &rows != &tensors_.sources) return;
                             status = CopyOut(rows.Row(first),
                                              static_cast<size_t>(count) * rows.row_bytes());
                           });
  return status.ok() ? Finish() : status;
}

Status CudaEngine::Fetch(Operations operations) {
  Status status = Use();
  if (operations.dispatch && status.ok()) status = CopyCountsOut();
  checker_->ForEachTouched(operations, [&](const GuardedRows& rows, int64_t first, int64_t count) {
    if (status.ok())
      status = CopyOut(rows.Row(first), static_cast<size_t>(count) * rows.row_bytes());
  });
  return status.ok() ? Finish() : status;
}

Status CudaEngine::PutExpertRows() {
  Status status = Use();
  const uint64_t row_bytes = sizeof(Bf16) * context_.shape.hidden;
  for (const Mapping& rows : tensors_.expert_rows) {
    for (const Block& block : tensors_.Blocks()) {
      if (!status.ok()) break;
      status = CopyIn(rows.data() + block.first * row_bytes, block.rows * row_bytes);
    }
  }
  return status.ok() ? Finish() : status;
}

Status CudaEngine::Poison() {
  Status status = Use();
  checker_->ForEachTouched({.dispatch = true, .combine = true}, [&](const GuardedRows& rows,
                                                                    int64_t first, int64_t count) {
    if (!status.ok() || rows.row_bytes() == 0) return;
    status =
        CudaStatus(cudaMemsetAsync(OnGpu(rows.Row(first)), kPoison,
                                   static_cast<size_t>(count) * rows.row_bytes(), stream_.get()),
                   "poison the outputs");
  });
  return status.ok() ? Finish() : status;
}

Status CudaEngine::FlushCaches() {
  Status status = Use();
  if (status.ok() && zeros_.bytes() == 0) {
    status = DeviceMemory::Allocate(kFlushBytes, "zeros to flush the caches", &zeros_);
  }
  if (!status.ok()) return status;
  status = CudaStatus(cudaMemsetAsync(zeros_.As(), 0, zeros_.bytes(), stream_.get()),
                      "flush the caches");
  return status.ok() ? Finish() : status;
}

Status CudaEngine::Epochs(EpochState* epochs) {
  Status status = Use();
  if (!status.ok()) return status;
  return CudaStatus(cudaMemcpyAsync(epochs, context_.epochs, sizeof(*epochs),
                                    cudaMemcpyDeviceToHost, stream_.get()),
                    "read the epochs");
}

void CudaEngine::Abort() {
  std::atomic_ref<uint32_t>(shared_->aborted).store(1, std::memory_order_relaxed);
}

bool CudaEngine::Aborted() const {
  return std::atomic_ref<uint32_t>(shared_->aborted).load(std::memory_order_relaxed) != 0;
}

}  // namespace ep
