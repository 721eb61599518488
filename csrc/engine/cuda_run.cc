// What a rank on a GPU does once it is connected: operations in its stream, timed.
#include <algorithm>
#include <string>
#include <utility>

#include "csrc/engine/cuda.h"
#include "csrc/engine/error_text.h"
#include "csrc/engine/sm_use.h"
#include "csrc/region/cuda_status.h"

namespace ep {
namespace {

Status Milliseconds(const CudaEvent& begin, const CudaEvent& end, uint64_t* duration_ns) {
  float ms = 0;
  Status status = CudaStatus(cudaEventElapsedTime(&ms, begin.get(), end.get()), "read an event");
  *duration_ns = static_cast<uint64_t>(static_cast<double>(ms) * 1e6 + 0.5);
  return status;
}

}  // namespace

Status CudaEngine::Use() const {
  return CudaStatus(cudaSetDevice(config_.gpu), "use the rank's GPU");
}

Status CudaEngine::CanRun(bool wants_expert_rows) const {
  if (failed_.kind != ErrorKind::kNone) return ErrorText(failed_, context_);
  Status status = Use();
  return status.ok() ? Ready(wants_expert_rows) : status;
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
    Status status = kernels_->Launch(
        kernels::CountArguments{.context = context_,
                                .memory = {context_.shape, 1, kernels::kLong},
                                .topk_idx = input.topk_idx,
                                .tokens = input.tokens,
                                .tiles = {tile_counts_.As<uint32_t>(), tile_begins_.As<uint32_t>()},
                                .stamps = stamps},
        stream_.get());
    if (!status.ok()) return status;
  }
  const uint32_t blocks = kernels_->DispatchBlocks();
  dispatch_sms_.blocks = blocks;
  return kernels_->Launch(
      kernels::DispatchArguments{
          .context = context_,
          .memory = {context_.shape, blocks, kernels::DispatchBlock(context_.shape, blocks)},
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
      kernels::CombineArguments{
          .context = context_,
          .memory = {context_.shape, blocks, kernels::CombineBlock(context_.shape, blocks)},
          .handle = gpu_handle_,
          .expert_rows = OnGpuAs(tensors_.expert_rows[set].As<const Bf16>()),
          .combined = OnGpuAs(tensors_.combined.As<Bf16>()),
          .aborted = &shared_->aborted,
          .sms = combine_sms_.sms.As<uint32_t>(),
          .stamps = stamps},
      blocks, stream_.get());
}

Status CudaEngine::EnqueueFlags() {
  return kernels_->Launch(kernels::DispatchArguments{.context = context_,
                                                     .memory = {context_.shape, 1, kernels::kLong},
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
  Status status;
  if (operations.dispatch) status = EnqueueDispatch(NextDispatchSet(), stamps);
  if (stamps != nullptr) ++stamps;
  if (status.ok() && operations.combine) status = EnqueueCombine(NextCombineSet(), stamps);
  return status;
}

Status CudaEngine::Finish() {
  Status status =
      CudaStatus(cudaMemcpyAsync(&shared_->error, &state_.As<State>()->error, sizeof(ErrorRecord),
                                 cudaMemcpyDeviceToHost, stream_.get()),
                 "read the kernels' error");
  if (status.ok()) {
    status = CudaStatus(cudaStreamSynchronize(stream_.get()),
                        "rank " + std::to_string(context_.rank) + ": wait for the kernels");
  }
  if (!status.ok()) return status;
  failed_ = shared_->error;
  return failed_.kind == ErrorKind::kNone ? Status() : ErrorText(failed_, context_);
}

Status CudaEngine::Time(uint64_t iterations, uint64_t* duration_ns,
                        const std::function<Status()>& body) {
  while (duration_ns != nullptr && events_.size() < 2 * std::min(iterations, kBatch)) {
    CudaEvent event;
    Status status = CudaStatus(cudaEventCreate(event.out()), "make an event");
    if (!status.ok()) return status;
    events_.push_back(std::move(event));
  }
  for (uint64_t begin = 0; begin < iterations; begin += kBatch) {
    const uint64_t count = std::min(iterations - begin, kBatch);
    Status status;
    for (uint64_t i = 0; i < count && status.ok(); ++i) {
      if (duration_ns != nullptr) cudaEventRecord(events_[2 * i].get(), stream_.get());
      status = body();
      if (duration_ns != nullptr) cudaEventRecord(events_[2 * i + 1].get(), stream_.get());
    }
    if (status.ok()) status = Finish();
    for (uint64_t i = 0; i < count && status.ok() && duration_ns != nullptr; ++i) {
      status = Milliseconds(events_[2 * i], events_[2 * i + 1], &duration_ns[begin + i]);
    }
    if (!status.ok()) return status;
  }
  return {};
}

Status CudaEngine::Run(Operations operations, uint64_t iterations, uint64_t* duration_ns) {
  Status status = CanRun(operations.combine);
  if (!status.ok()) return status;
  return Time(iterations, duration_ns, [&] { return Enqueue(operations, nullptr); });
}

Status CudaEngine::RunFlags(uint64_t iterations, uint64_t* duration_ns) {
  Status status = CanRun(false);
  if (!status.ok()) return status;
  return Time(iterations, duration_ns, [&] { return EnqueueFlags(); });
}

Status CudaEngine::RunChained(Operations operations, uint64_t dropped, uint64_t iterations,
                              uint64_t* duration_ns) {
  Status status = CanRun(operations.combine);
  for (uint64_t i = 0; i < dropped && status.ok(); ++i) status = Enqueue(operations, nullptr);
  if (!status.ok()) return status;
  return Time(1, duration_ns, [&] {
    Status enqueued;
    for (uint64_t i = 0; i < iterations && enqueued.ok(); ++i) {
      enqueued = Enqueue(operations, nullptr);
    }
    return enqueued;
  });
}

Status CudaEngine::RunGraph(Operations operations, uint64_t captured, uint64_t replays,
                            uint64_t* duration_ns) {
  Status status = CanRun(operations.combine);
  if (!status.ok()) return status;
  CudaGraph graph;
  CudaGraphExec replayed;
  const std::string doing = "capture " + std::to_string(captured) + " iterations into a graph";
  status =
      CudaStatus(cudaStreamBeginCapture(stream_.get(), cudaStreamCaptureModeThreadLocal), doing);
  if (!status.ok()) return status;
  for (uint64_t i = 0; i < captured && status.ok(); ++i) status = Enqueue(operations, nullptr);
  const Status ended = CudaStatus(cudaStreamEndCapture(stream_.get(), graph.out()), doing);
  if (status.ok()) status = ended;
  if (status.ok()) {
    status = CudaStatus(cudaGraphInstantiate(replayed.out(), graph.get(), 0), doing);
  }
  if (status.ok()) status = CudaStatus(cudaGraphUpload(replayed.get(), stream_.get()), doing);
  if (!status.ok()) return status;
  return Time(replays, duration_ns, [&] {
    return CudaStatus(cudaGraphLaunch(replayed.get(), stream_.get()), "replay a graph");
  });
}

Status CudaEngine::RunKernels(Operations operations, uint64_t iterations, uint64_t* duration_ns) {
  Status status = CanRun(operations.combine);
  // One of a dispatch, one of a combine.
  std::vector<kernels::Stamps> stamps(2 * kBatch);
  for (uint64_t begin = 0; begin < iterations && status.ok(); begin += kBatch) {
    const uint64_t count = std::min(iterations - begin, kBatch);
    std::ranges::fill(stamps, kernels::Stamps{~uint64_t{0}, 0});
    status = CudaStatus(cudaMemcpyAsync(stamps_.As(), stamps.data(), stamps_.bytes(),
                                        cudaMemcpyHostToDevice, stream_.get()),
                        "clear the stamps");
    for (uint64_t i = 0; i < count && status.ok(); ++i) {
      status = Enqueue(operations, stamps_.As<kernels::Stamps>() + 2 * i);
    }
    if (status.ok()) status = Finish();
    if (!status.ok()) return status;
    status =
        CudaStatus(cudaMemcpy(stamps.data(), stamps_.As(), stamps_.bytes(), cudaMemcpyDeviceToHost),
                   "read the stamps");
    for (uint64_t i = 0; i < count; ++i) {
      duration_ns[begin + i] = 0;
      for (const kernels::Stamps& stamp : {stamps[2 * i], stamps[2 * i + 1]}) {
        if (stamp.last_out_ns != 0) duration_ns[begin + i] += stamp.last_out_ns - stamp.first_in_ns;
      }
    }
  }
  return status;
}

Status CudaEngine::SmsOfBlocks(Operations operation, std::vector<uint32_t>* sms) {
  const BlockSms& of = operation.dispatch ? dispatch_sms_ : combine_sms_;
  sms->assign(of.blocks, 0);
  if (of.blocks == 0) return {};
  Status status = Use();
  if (status.ok()) {
    status = CudaStatus(cudaMemcpyAsync(sms->data(), of.sms.As(), sizeof(uint32_t) * of.blocks,
                                        cudaMemcpyDeviceToHost, stream_.get()),
                        "read the blocks' multiprocessors");
  }
  if (status.ok()) status = Finish();
  if (!status.ok()) {
    sms->clear();
    return status;
  }
  return CheckSms(context_.rank, operation.dispatch ? "dispatch" : "combine", *sms);
}

}  // namespace ep
