// What a rank on a GPU does once it is connected: operations in its stream, timed.
#include <algorithm>
#include <cmath>
#include <string>
#include <utility>

#include "csrc/rank/cuda_engine.h"
#include "csrc/rank/error_text.h"
#include "csrc/rank/sm_use.h"
#include "csrc/region/cuda_status.h"

namespace ep {
namespace {

Result<uint64_t> NanosecondsBetween(const CudaEvent& begin, const CudaEvent& end) {
  float ms = 0;
  EP_TRY(CudaStatus(cudaEventElapsedTime(&ms, begin.get(), end.get()), "read an event"));
  return static_cast<uint64_t>(std::llround(static_cast<double>(ms) * 1e6));
}

}  // namespace

Status CudaEngine::Use() const {
  return CudaStatus(cudaSetDevice(config_.gpu), "use the rank's GPU");
}

Status CudaEngine::Failure() const {
  Status status = ErrorText(failed_, context_);
  uint32_t peer = 0;
  if (post_ == nullptr || failed_.kind != ErrorKind::kNetwork) return status;
  return {status.code(), status.text() + ": " + post_->Failure(&peer).text()};
}

Status CudaEngine::CanRun(bool wants_expert_rows) const {
  if (failed_.kind != ErrorKind::kNone) return Failure();
  EP_TRY(Use());
  EP_TRY(Ready(wants_expert_rows));
  if (post_ != nullptr) post_->Work();
  return {};
}

Status CudaEngine::EnqueueDispatch(uint32_t set, kernels::Stamps* stamps) {
  const DispatchInput host = tensors_.Input(set);
  const DispatchInput input = {
      host.tokens,         OnGpuAs(host.rows),  OnGpuAs(host.topk_idx), OnGpuAs(host.topk_weights),
      OnGpuAs(host.codes), OnGpuAs(host.scales)};
  const DispatchOutput host_output = tensors_.Output();
  const DispatchOutput output = {OnGpuAs(host_output.rows), OnGpuAs(host_output.scales),
                                 OnGpuAs(host_output.sources), OnGpuAs(host_output.metas)};
  if (tile_counts_.bytes() > 0) {
    EP_TRY(kernels_->Launch(
        kernels::CountArguments{.context = context_,
                                .memory = {context_.shape, 1, kernels::kLong},
                                .topk_idx = input.topk_idx,
                                .tokens = input.tokens,
                                .tiles = {tile_counts_.As<uint32_t>(), tile_begins_.As<uint32_t>()},
                                .stamps = stamps},
        stream_.get()));
  }
  const uint32_t blocks = kernels_->DispatchBlocks();
  dispatch_sms_.blocks = blocks;
  return kernels_->Launch(
      kernels::DispatchArguments{
          .context = context_,
          .memory = {context_.shape, blocks, kernels_->DispatchBlock(blocks)},
          .input = input,
          .output = output,
          .handle = gpu_handle_,
          .tile_begins = tile_begins_.As<const uint32_t>(),
          .aborted = &shared_->aborted,
          .sms = dispatch_sms_.sms.As<uint32_t>(),
          .stamps = stamps},
      blocks, stream_.get());
}

Status CudaEngine::EnqueueCombine(uint32_t set, kernels::Stamps* stamps) {
  const uint32_t blocks = kernels_->CombineBlocks();
  combine_sms_.blocks = blocks;
  return kernels_->Launch(
      kernels::CombineArguments{.context = context_,
                                .memory = {context_.shape, blocks, kernels_->CombineBlock(blocks)},
                                .handle = gpu_handle_,
                                .expert_rows = OnGpuAs(tensors_.expert_rows[set].As<const Bf16>()),
                                .combined = OnGpuAs(tensors_.combined.As<Bf16>()),
                                .aborted = &shared_->aborted,
                                .sms = combine_sms_.sms.As<uint32_t>(),
                                .stamps = stamps},
      blocks, stream_.get());
}

Status CudaEngine::EnqueueFlags() {
  return kernels_->Launch(
      kernels::DispatchArguments{.context = context_,
                                 .memory = {context_.shape, 1, kernels_->DispatchBlock(1)},
                                 .input = {},
                                 .output = {},
                                 .handle = no_rows_handle_,
                                 .tile_begins = nullptr,
                                 .aborted = &shared_->aborted,
                                 .sms = flags_sms_.As<uint32_t>(),
                                 .stamps = nullptr},
      1, stream_.get());
}

Status CudaEngine::Enqueue(Operations operations, kernels::Stamps* stamps) {
  if (operations.dispatch) EP_TRY(EnqueueDispatch(NextDispatchSet(), stamps));
  if (stamps != nullptr) ++stamps;
  if (operations.combine) EP_TRY(EnqueueCombine(NextCombineSet(), stamps));
  return {};
}

Status CudaEngine::Finish() {
  EP_TRY(CudaStatus(cudaMemcpyAsync(&shared_->error, &state_.As<State>()->error,
                                    sizeof(ErrorRecord), cudaMemcpyDeviceToHost, stream_.get()),
                    "read the kernels' error"));
  EP_TRY(CudaStatus(cudaStreamSynchronize(stream_.get()),
                    "rank " + std::to_string(context_.rank) + ": wait for the kernels"));
  failed_ = shared_->error;
  if (post_ != nullptr) {
    post_->Rest();
    // What was sent last may fail when no kernel waits any more.
    uint32_t peer = 0;
    if (failed_.kind == ErrorKind::kNone && !post_->Failure(&peer).ok()) {
      failed_ = {ErrorKind::kNetwork, {}, {}, peer, 0, 0, 0};
    }
  }
  return failed_.kind == ErrorKind::kNone ? Status() : Failure();
}

Status CudaEngine::Record(size_t event) {
  return CudaStatus(cudaEventRecord(events_[event].get(), stream_.get()), "record an event");
}

Status CudaEngine::Time(uint64_t iterations, uint64_t* duration_ns,
                        const std::function<Status()>& body) {
  while (duration_ns != nullptr && events_.size() < 2 * std::min(iterations, kBatch)) {
    CudaEvent event;
    EP_TRY(CudaStatus(cudaEventCreate(event.out()), "make an event"));
    events_.push_back(std::move(event));
  }
  for (uint64_t begin = 0; begin < iterations; begin += kBatch) {
    const uint64_t count = std::min(iterations - begin, kBatch);
    if (post_ != nullptr) post_->Work();
    for (uint64_t i = 0; i < count; ++i) {
      if (duration_ns != nullptr) EP_TRY(Record(2 * i));
      EP_TRY(body());
      if (duration_ns != nullptr) EP_TRY(Record(2 * i + 1));
    }
    EP_TRY(Finish());
    for (uint64_t i = 0; i < count && duration_ns != nullptr; ++i) {
      duration_ns[begin + i] = EP_TRY(NanosecondsBetween(events_[2 * i], events_[2 * i + 1]));
    }
  }
  return {};
}

Status CudaEngine::Run(Operations operations, uint64_t iterations, uint64_t* duration_ns) {
  EP_TRY(CanRun(operations.combine));
  return Time(iterations, duration_ns, [&] { return Enqueue(operations, nullptr); });
}

Status CudaEngine::RunFlags(uint64_t iterations, uint64_t* duration_ns) {
  EP_TRY(CanRun(false));
  return Time(iterations, duration_ns, [&] { return EnqueueFlags(); });
}

Status CudaEngine::RunChained(Operations operations, uint64_t dropped, uint64_t iterations,
                              uint64_t* duration_ns) {
  EP_TRY(CanRun(operations.combine));
  for (uint64_t i = 0; i < dropped; ++i) EP_TRY(Enqueue(operations, nullptr));
  return Time(1, duration_ns, [&]() -> Status {
    for (uint64_t i = 0; i < iterations; ++i) EP_TRY(Enqueue(operations, nullptr));
    return {};
  });
}

Status CudaEngine::RunGraph(Operations operations, uint64_t captured, uint64_t replays,
                            uint64_t* duration_ns) {
  EP_TRY(CanRun(operations.combine));
  CudaGraph graph;
  CudaGraphExec replayed;
  const std::string doing = "capture " + std::to_string(captured) + " iterations into a graph";
  EP_TRY(
      CudaStatus(cudaStreamBeginCapture(stream_.get(), cudaStreamCaptureModeThreadLocal), doing));
  Status enqueued;
  for (uint64_t i = 0; i < captured && enqueued.ok(); ++i) enqueued = Enqueue(operations, nullptr);
  // A capture ends whatever came of it; else the stream would be of no more use.
  Status ended = CudaStatus(cudaStreamEndCapture(stream_.get(), graph.out()), doing);
  EP_TRY(std::move(enqueued));
  EP_TRY(std::move(ended));
  EP_TRY(CudaStatus(cudaGraphInstantiate(replayed.out(), graph.get(), 0), doing));
  EP_TRY(CudaStatus(cudaGraphUpload(replayed.get(), stream_.get()), doing));
  return Time(replays, duration_ns, [&] {
    return CudaStatus(cudaGraphLaunch(replayed.get(), stream_.get()), "replay a graph");
  });
}

Status CudaEngine::RunKernels(Operations operations, uint64_t iterations, uint64_t* duration_ns) {
  EP_TRY(CanRun(operations.combine));
  // One of a dispatch, one of a combine.
  std::vector<kernels::Stamps> stamps(2 * kBatch);
  for (uint64_t begin = 0; begin < iterations; begin += kBatch) {
    const uint64_t count = std::min(iterations - begin, kBatch);
    if (post_ != nullptr) post_->Work();
    std::ranges::fill(stamps, kernels::Stamps{~uint64_t{0}, 0});
    EP_TRY(CudaStatus(cudaMemcpyAsync(stamps_.As(), stamps.data(), stamps_.bytes(),
                                      cudaMemcpyHostToDevice, stream_.get()),
                      "clear the stamps"));
    for (uint64_t i = 0; i < count; ++i) {
      EP_TRY(Enqueue(operations, stamps_.As<kernels::Stamps>() + 2 * i));
    }
    EP_TRY(Finish());
    EP_TRY(
        CudaStatus(cudaMemcpy(stamps.data(), stamps_.As(), stamps_.bytes(), cudaMemcpyDeviceToHost),
                   "read the stamps"));
    for (uint64_t i = 0; i < count; ++i) {
      duration_ns[begin + i] = 0;
      for (const kernels::Stamps& stamp : {stamps[2 * i], stamps[2 * i + 1]}) {
        if (stamp.last_out_ns != 0) duration_ns[begin + i] += stamp.last_out_ns - stamp.first_in_ns;
      }
    }
  }
  return {};
}

Status CudaEngine::SmsOfBlocks(Operations operation, std::vector<uint32_t>* sms) {
  if (!operation.dispatch && !operation.combine) {
    *sms = meter_ == nullptr ? std::vector<uint32_t>() : meter_->sms();
    return {};
  }
  const BlockSms& of = operation.dispatch ? dispatch_sms_ : combine_sms_;
  sms->clear();
  if (of.blocks == 0) return {};
  EP_TRY(Use());
  std::vector<uint32_t> read(of.blocks);
  EP_TRY(CudaStatus(cudaMemcpyAsync(read.data(), of.sms.As(), sizeof(uint32_t) * of.blocks,
                                    cudaMemcpyDeviceToHost, stream_.get()),
                    "read the blocks' multiprocessors"));
  EP_TRY(Finish());
  *sms = std::move(read);
  return CheckSms(context_.rank, operation.dispatch ? "dispatch" : "combine", *sms);
}

}  // namespace ep
