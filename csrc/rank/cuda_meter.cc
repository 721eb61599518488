#include "csrc/rank/cuda_meter.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <string>
#include <thread>

#include "csrc/rank/meter_result.h"
#include "csrc/region/cuda_status.h"

namespace ep {

using kernels::MeterReport;
using kernels::MeterStage;

Status CudaMeter::Create(CudaKernels* kernels, const DeviceMemory* memory) {
  kernels_ = kernels;
  memory_ = memory;
  blocks_ = kernels->MeterBlocks();
  if (blocks_ == 0) {
    return {Code::kInvalid, "run a meter: operations leave no multiprocessor", EP_HINT_FEWER_SMS};
  }
  constexpr uint32_t kMostWorkers = std::max(kernels::kStreamWorkers, kernels::kGemmWorkers);
  EP_TRY(CudaStatus(cudaStreamCreateWithFlags(stream_.out(), cudaStreamNonBlocking),
                    "make a stream for a meter"));
  EP_TRY(shared_.Allocate("a meter"));
  for (uint32_t stage = 0; stage < std::size(shared_->stages); ++stage) {
    shared_->stages[stage] = stage;
  }
  EP_TRY(DeviceMemory::Allocate(sizeof(State), "a meter", &state_));
  return DeviceMemory::Allocate(sizeof(MeterReport) * blocks_ * kMostWorkers, "a meter's results",
                                &reports_);
}

uint32_t CudaMeter::Workers() const {
  return blocks_ *
         (meter_ == EP_PASS_METER_STREAM ? kernels::kStreamWorkers : kernels::kGemmWorkers);
}

Status CudaMeter::Start(ep_pass_meter meter, uint64_t longest_ns, uint64_t timeout_ns) {
  if (meter != EP_PASS_METER_GEMM && meter != EP_PASS_METER_STREAM) {
    return {Code::kInvalid, "run a meter: none that is known here"};
  }
  meter_ = meter;
  const std::string doing = "clear a meter";
  for (const DeviceMemory* memory : {static_cast<const DeviceMemory*>(&state_),
                                     static_cast<const DeviceMemory*>(&reports_), memory_}) {
    EP_TRY(CudaStatus(cudaMemsetAsync(memory->As(), 0, memory->bytes(), stream_.get()), doing));
  }
  tiles_ = memory_->bytes() / kernels::kStreamTileBytes / Workers();
  std::atomic_ref<uint32_t> all_arrived(shared_->all_arrived);
  all_arrived.store(0, std::memory_order_relaxed);
  State* const state = state_.As<State>();
  EP_TRY(kernels_->Launch({.stage = &state->stage,
                           .arrived = &state->arrived,
                           .all_arrived = &shared_->all_arrived,
                           .reports = reports_.As<MeterReport>(),
                           .memory = memory_->As(),
                           .tiles = tiles_,
                           .longest_ns = longest_ns,
                           .timeout_ns = timeout_ns},
                          meter, stream_.get()));
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::nanoseconds(timeout_ns);
  while (all_arrived.load(std::memory_order_acquire) == 0) {
    if (std::chrono::steady_clock::now() > deadline) {
      return {Code::kTimeout, "wait for a meter: its " + std::to_string(blocks_) +
                                  " blocks do not all run; does another program use the GPU?"};
    }
    std::this_thread::yield();
  }
  return {};
}

Status CudaMeter::Say(MeterStage stage, cudaStream_t stream) {
  return CudaStatus(
      cudaMemcpyAsync(&state_.As<State>()->stage, &shared_->stages[static_cast<uint32_t>(stage)],
                      sizeof(uint32_t), cudaMemcpyHostToDevice, stream),
      "tell a meter what to do");
}

Status CudaMeter::Join() {
  return CudaStatus(cudaStreamSynchronize(stream_.get()), "wait for a meter");
}

Status CudaMeter::Finish(double* round_ns) {
  EP_TRY(Join());
  std::vector<MeterReport> reports(Workers());
  EP_TRY(CudaStatus(cudaMemcpy(reports.data(), reports_.As(), sizeof(MeterReport) * reports.size(),
                               cudaMemcpyDeviceToHost),
                    "read what a meter did"));
  sms_.clear();
  for (size_t i = 0; i < reports.size(); i += reports.size() / blocks_) {
    sms_.push_back(reports[i].sm);
  }
  if (meter_ == EP_PASS_METER_GEMM) {
    EP_TRY(CheckGemm(reports));
  } else {
    EP_TRY(CheckStream(reports));
  }
  *round_ns = EP_TRY(MeterRoundNs(reports));
  return {};
}

Status CudaMeter::CheckStream(const std::vector<MeterReport>& reports) const {
  // The first and the last word of each tile.
  std::vector<uint32_t> words[2];
  const size_t tiles = reports.size() * tiles_;
  for (uint32_t end = 0; end < 2; ++end) {
    words[end].resize(tiles);
    const uint8_t* from =
        memory_->As() + (end == 0 ? 0 : kernels::kStreamTileBytes - sizeof(uint32_t));
    EP_TRY(CudaStatus(
        cudaMemcpy2D(words[end].data(), sizeof(uint32_t), from, kernels::kStreamTileBytes,
                     sizeof(uint32_t), tiles, cudaMemcpyDeviceToHost),
        "read what a meter wrote"));
    EP_TRY(ep::CheckStream(reports, tiles_, words[end]));
  }
  return {};
}

}  // namespace ep
