// The CPU engine: one rank whose workers are the calling thread and its helpers. With
// PostingHostDevice its region has a wire.
//
// It runs the very bodies of csrc/protocol that GPUs run. `Device` is the policy they are given;
// tests put one in its place that breaks a rule and see the check notice.
#ifndef CSRC_RANK_CPU_ENGINE_H_
#define CSRC_RANK_CPU_ENGINE_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "csrc/base/clock.h"
#include "csrc/base/mapping.h"
#include "csrc/base/status.h"
#include "csrc/device/cpu.h"
#include "csrc/protocol/combine.h"
#include "csrc/protocol/dispatch.h"
#include "csrc/protocol/rank.h"
#include "csrc/rank/chunks.h"
#include "csrc/rank/engine.h"
#include "csrc/rank/error_text.h"
#include "csrc/rank/host_post.h"
#include "csrc/rank/tensors.h"
#include "csrc/rank/worker_pool.h"
#include "csrc/region/region.h"

namespace ep {

struct CpuConfig {
  // Worker threads of this rank, 1 or more.
  uint32_t threads = 1;
  // All ranks' workers outnumber the CPUs that they share.
  bool oversubscribed = false;
  // That FlushCaches writes.
  uint64_t flush_bytes = 0;
};

template <class Device>
class BasicCpuEngine : public Engine {
 public:
  // Over a region of MakeRegionConfig for the shape as ChunkedForThreads cuts it.
  static Status Create(RankConfig rank, const CpuConfig& config, std::unique_ptr<Region> region,
                       std::unique_ptr<BasicCpuEngine>* engine);

  Status Run(Operations operations, uint64_t iterations, uint64_t* duration_ns) override;
  Status RunFlags(uint64_t iterations, uint64_t* duration_ns) override;
  Status RunChained(Operations operations, uint64_t dropped, uint64_t iterations,
                    uint64_t* duration_ns) override;

  Status Poison() override {
    checker_->Poison();
    return {};
  }
  Status FlushCaches() override;
  Status Epochs(EpochState* epochs) override {
    *epochs = epochs_;
    return {};
  }
  Sent sent() const override { return post_ ? post_->sent() : Sent(); }
  void Abort() override { aborted_.store(true, std::memory_order_relaxed); }

  Device& device(uint32_t worker = 0) { return *devices_[worker]; }
  EpochState& epochs() { return epochs_; }
  const Handle& handle() const { return handle_; }

 private:
  BasicCpuEngine(const RankConfig& rank, const CpuConfig& config, std::unique_ptr<Region> region)
      : Engine(rank, std::move(region)),
        flush_bytes_(config.flush_bytes),
        pool_(config.threads, config.oversubscribed) {
    context_.epochs = &epochs_;
    context_.error = &error_;
    context_.tickets = &tickets_;
    for (uint32_t worker = 0; worker < config.threads; ++worker) {
      devices_.push_back(
          std::make_unique<Device>(HostDevice::Config{.shape = rank.routing.shape,
                                                      .worker = worker,
                                                      .workers = config.threads,
                                                      .yields = config.oversubscribed,
                                                      .aborted = &aborted_}));
    }
  }

  // Runs `body` back to back; stores what each time took where `duration_ns` is not null. Ends
  // with the first that leaves an error.
  template <class Body>
  Status Time(uint64_t iterations, uint64_t* duration_ns, Body body);
  bool RunDispatch(uint32_t set, Tensors* tensors, const Handle& handle);
  bool RunCombine();
  Status CopyHeader(const RegionHeader* from, RegionHeader* to, const std::string&) const override {
    *to = *from;
    return {};
  }
  Status Connected() override;
  // Whether the operation ended well; with proxied peers not before what it sent has arrived.
  bool Done(Op op);
  Status Failure();
  Status CanRun(bool wants_expert_rows);

  const uint64_t flush_bytes_;
  EpochState epochs_ = {};
  ErrorRecord error_ = {};
  Tickets tickets_ = {};
  std::atomic<bool> aborted_ = false;
  WorkerPool pool_;
  // One a worker.
  std::vector<std::unique_ptr<Device>> devices_;
  Handle handle_ = {};
  std::optional<HostPost> post_;  // over the region's wire, once connected
  // What dispatches without rows read and write.
  Tensors no_rows_;
  Handle no_rows_handle_ = {};
};

using CpuEngine = BasicCpuEngine<HostDevice>;
// Some of whose peers are proxied.
using PostingCpuEngine = BasicCpuEngine<PostingHostDevice>;

template <class Device>
Status BasicCpuEngine<Device>::Create(RankConfig rank, const CpuConfig& config,
                                      std::unique_ptr<Region> region,
                                      std::unique_ptr<BasicCpuEngine>* engine) {
  rank.routing.shape = ChunkedForThreads(rank.routing.shape, config.threads);
  std::unique_ptr<BasicCpuEngine> made(new BasicCpuEngine(rank, config, std::move(region)));
  Shape least = rank.routing.shape;
  EP_TRY(made->Prepare(std::move(rank), config.threads));
  least.tokens = 1;
  const std::vector<float> no_weights(uint64_t{kSets} * least.topk);
  EP_TRY(made->no_rows_.Allocate(least, config.threads, 0, nullptr, no_weights.data()));
  made->handle_ = made->tensors_.MakeHandle();
  made->no_rows_handle_ = made->no_rows_.MakeHandle();
  *engine = std::move(made);
  return {};
}

template <class Device>
Status BasicCpuEngine<Device>::Connected() {
  if constexpr (kIsPosting<Device>) {
    // Words and what was served of them go on where a rank connects again.
    if (!post_) post_.emplace(&context_, region_->wire());
    for (auto& device : devices_) device->Use(&*post_);
  }
  return {};
}

template <class Device>
Status BasicCpuEngine<Device>::Failure() {
  const Status status = ErrorText(error_, context_);
  if (error_.kind != ErrorKind::kNetwork) return status;
  return {status.code(), status.text() + ": " + post_->Failure().text()};
}

template <class Device>
Status BasicCpuEngine<Device>::CanRun(bool wants_expert_rows) {
  if (error_.kind != ErrorKind::kNone) return Failure();
  return Ready(wants_expert_rows);
}

template <class Device>
bool BasicCpuEngine<Device>::Done(Op op) {
  if (error_.kind != ErrorKind::kNone) return false;
  if constexpr (kIsPosting<Device>) {
    // Who leaves may not come by again for long, and what is under way needs it. What peers send is
    // here: a word of each of them was seen. The deadline is the proxy's.
    Device& device = *devices_[0];
    const Epoch epoch = op == Op::kDispatch ? epochs_.dispatch : epochs_.combine;
    for (uint32_t misses = 0; !post_->Idle(); ++misses) {
      device.Relax(misses);
      if (const uint64_t stop = device.LoadAcquire(context_.post.stop); stop != 0) {
        Fail(device, context_, {StopKind(stop), op, epoch, StopPeer(stop), 0, 0, 0});
        return false;
      }
      if (device.Aborted()) {
        Fail(device, context_, {ErrorKind::kAborted, op, epoch, context_.rank, 0, 0, 0});
        return false;
      }
    }
  }
  return true;
}

template <class Device>
bool BasicCpuEngine<Device>::RunDispatch(uint32_t set, Tensors* tensors, const Handle& handle) {
  const DispatchInput input = tensors->Input(set);
  const DispatchOutput output = tensors->Output();
  pool_.Run([&](uint32_t worker) {
    SequentialPlan plan = tensors->Plan(worker);
    Dispatch(*devices_[worker], context_, input, plan, tensors->WorkingOf(worker), output, handle);
  });
  return Done(Op::kDispatch);
}

template <class Device>
bool BasicCpuEngine<Device>::RunCombine() {
  const Bf16* expert_rows = tensors_.expert_rows[NextCombineSet()].template As<const Bf16>();
  Bf16* combined = tensors_.combined.template As<Bf16>();
  pool_.Run([&](uint32_t worker) {
    Combine(*devices_[worker], context_, handle_, tensors_.WorkingOf(worker), expert_rows,
            combined);
  });
  return Done(Op::kCombine);
}

template <class Device>
template <class Body>
Status BasicCpuEngine<Device>::Time(uint64_t iterations, uint64_t* duration_ns, Body body) {
  for (uint64_t i = 0; i < iterations; ++i) {
    const uint64_t begin_ns = MonotonicNs();
    const bool good = body();
    const uint64_t end_ns = MonotonicNs();
    if (!good) return Failure();
    if (duration_ns != nullptr) duration_ns[i] = end_ns - begin_ns;
  }
  return {};
}

template <class Device>
Status BasicCpuEngine<Device>::Run(Operations operations, uint64_t iterations,
                                   uint64_t* duration_ns) {
  EP_TRY(CanRun(operations.combine));
  return Time(iterations, duration_ns, [&] {
    if (operations.dispatch && !RunDispatch(NextDispatchSet(), &tensors_, handle_)) {
      return false;
    }
    return !operations.combine || RunCombine();
  });
}

template <class Device>
Status BasicCpuEngine<Device>::RunFlags(uint64_t iterations, uint64_t* duration_ns) {
  EP_TRY(CanRun(false));
  return Time(iterations, duration_ns, [&] { return RunDispatch(0, &no_rows_, no_rows_handle_); });
}

template <class Device>
Status BasicCpuEngine<Device>::RunChained(Operations operations, uint64_t dropped,
                                          uint64_t iterations, uint64_t* duration_ns) {
  EP_TRY(Run(operations, dropped, nullptr));
  const uint64_t begin_ns = MonotonicNs();
  EP_TRY(Run(operations, iterations, nullptr));
  *duration_ns = MonotonicNs() - begin_ns;
  return {};
}

template <class Device>
Status BasicCpuEngine<Device>::FlushCaches() {
  if (flush_bytes_ == 0) return {};
  Mapping zeros;
  EP_TRY(Mapping::Private(flush_bytes_, "zeros to flush the caches", &zeros));
  // A write of each line. What the C library has for large blocks may go past the caches.
  constexpr size_t kLineBytes = 64;
  for (size_t at = 0; at < zeros.size(); at += kLineBytes) {
    *const_cast<volatile uint8_t*>(zeros.data() + at) = 0;
  }
  return {};
}

}  // namespace ep

#endif  // CSRC_RANK_CPU_ENGINE_H_
