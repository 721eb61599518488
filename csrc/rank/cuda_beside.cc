// Operations of a rank on a GPU, and a meter on the multiprocessors that they leave: each timed
// while the other runs.
#include <chrono>
#include <cmath>
#include <memory>
#include <thread>
#include <utility>

#include "csrc/rank/cuda_engine.h"

namespace ep {
namespace {

// How long a meter counts that is alone.
constexpr uint64_t kAloneNs = 20'000'000;
// How long it stays beside operations at most.
constexpr uint64_t kBesideNs = 60'000'000'000;

}  // namespace

Status CudaEngine::RunBesideMeter(ep_pass_meter meter, Operations operations, double* round_ns,
                                  const std::function<Status()>& body) {
  const bool alone = !operations.dispatch && !operations.combine;
  if (zeros_.bytes() == 0) EP_TRY(FlushCaches());
  if (meter_ == nullptr) {
    auto made = std::make_unique<CudaMeter>();
    EP_TRY(made->Create(kernels_.get(), &zeros_));
    meter_ = std::move(made);
  }
  EP_TRY(meter_->Start(meter, kBesideNs, context_.wait_timeout_ns));
  const auto together = [&]() -> Status {
    if (!alone) EP_TRY(EnqueueFlags());  // the others' meters run, too
    EP_TRY(meter_->Say(kernels::MeterStage::kCount, stream_.get()));
    return body();
  };
  Status ran = together();
  // Whatever came of it: it stays no longer.
  Status said = meter_->Say(kernels::MeterStage::kStop, stream_.get());
  Status joined = meter_->Join();
  EP_TRY(std::move(ran));
  EP_TRY(std::move(said));
  EP_TRY(std::move(joined));
  EP_TRY(Finish());
  return meter_->Finish(round_ns);
}

Status CudaEngine::RunMeter(ep_pass_meter meter, Operations operations, uint64_t iterations,
                            uint64_t windows, uint64_t* duration_ns) {
  EP_TRY(CanRun(operations.combine));
  for (uint64_t i = 0; i < windows; ++i) {
    double round_ns = 0;
    EP_TRY(RunBesideMeter(meter, operations, &round_ns, [&]() -> Status {
      if (iterations == 0) std::this_thread::sleep_for(std::chrono::nanoseconds(kAloneNs));
      return Time(iterations, nullptr, [&] { return Enqueue(operations, nullptr); });
    }));
    duration_ns[i] = static_cast<uint64_t>(std::llround(round_ns));
  }
  return {};
}

Status CudaEngine::RunBeside(ep_pass_meter meter, Operations operations, uint64_t iterations,
                             uint64_t* duration_ns) {
  EP_TRY(CanRun(operations.combine));
  double round_ns = 0;
  return RunBesideMeter(meter, operations, &round_ns, [&] {
    return Time(iterations, duration_ns, [&] { return Enqueue(operations, nullptr); });
  });
}

}  // namespace ep
