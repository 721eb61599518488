// The CPU engine: one rank whose workers are the calling thread and its helpers, over shared
// memory.
//
// It runs the very bodies of csrc/protocol that GPUs run. `Device` is the policy they are given;
// tests put one in its place that breaks a rule and see the check notice.
#ifndef CSRC_ENGINE_CPU_H_
#define CSRC_ENGINE_CPU_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "csrc/base/mapping.h"
#include "csrc/base/status.h"
#include "csrc/engine/engine.h"
#include "csrc/engine/error_text.h"
#include "csrc/engine/landing.h"
#include "csrc/engine/tensors.h"
#include "csrc/host/clock.h"
#include "csrc/host/device.h"
#include "csrc/host/worker_pool.h"
#include "csrc/protocol/combine.h"
#include "csrc/protocol/dispatch.h"
#include "csrc/protocol/rank.h"
#include "csrc/transport/shm_region.h"

namespace ep {

struct CpuConfig {
  // Worker threads of this rank, 1 or more.
  uint32_t threads = 1;
  // All ranks' workers outnumber the CPUs that they share.
  bool oversubscribed = false;
  // Rows behind the layout for a calibration's copies.
  uint32_t landing_rows = 0;
};

template <class Device>
class BasicCpuEngine : public Engine {
 public:
  static Status Create(RankConfig rank, const CpuConfig& config,
                       std::unique_ptr<BasicCpuEngine>* engine);

  std::vector<uint8_t> Blob() const override { return region_->Blob(); }
  Status Connect(const std::vector<std::span<const uint8_t>>& blobs) override;
  // Ranks of one process use each other's memory as it is.
  Status ConnectInProcess(const std::vector<uint8_t*>& regions);
  uint8_t* region() const { return region_->data(); }

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
  void Abort() override { aborted_.store(true, std::memory_order_relaxed); }

  Device& device(uint32_t worker = 0) { return *devices_[worker]; }
  EpochState& epochs() { return epochs_; }
  // For benchmarks, which lay other work over the same memory.
  const RankContext& context() const { return context_; }
  const Handle& handle() const { return handle_; }

 private:
  BasicCpuEngine(const RankConfig& rank, const CpuConfig& config)
      : context_{.shape = rank.routing.shape,
                 .layout = Layout(rank.routing.shape),
                 .rank = rank.rank,
                 .wait_timeout_ns = rank.wait_timeout_ns,
                 .epochs = &epochs_,
                 .error = &error_,
                 .tickets = &tickets_,
                 .regions = {}},
        pool_(config.threads, config.oversubscribed) {
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
  Status CanRun(bool wants_expert_rows) const;

  RankContext context_;
  EpochState epochs_ = {};
  ErrorRecord error_ = {};
  Tickets tickets_ = {};
  std::atomic<bool> aborted_ = false;
  WorkerPool pool_;
  // One a worker.
  std::vector<std::unique_ptr<Device>> devices_;
  Handle handle_ = {};
  std::unique_ptr<ShmRegion> region_;
  std::vector<Mapping> peers_;
  // What dispatches without rows read and write.
  Tensors no_rows_;
  Handle no_rows_handle_ = {};
};

using CpuEngine = BasicCpuEngine<HostDevice>;

template <class Device>
Status BasicCpuEngine<Device>::Create(RankConfig rank, const CpuConfig& config,
                                      std::unique_ptr<BasicCpuEngine>* engine) {
  std::unique_ptr<BasicCpuEngine> made(new BasicCpuEngine(rank, config));
  const Shape shape = rank.routing.shape;
  const uint64_t landing_bytes = Landing(shape, config.landing_rows).SizeBytes();
  Status status =
      ShmRegion::Create(made->context_.layout.SizeBytes() + landing_bytes, &made->region_);
  if (!status.ok()) return status;
  *reinterpret_cast<RegionHeader*>(made->region()) = {kRegionMagic, made->context_.layout.Hash(),
                                                      rank.rank, 0};
  status = made->Prepare(std::move(rank), config.threads);
  if (!status.ok()) return status;
  Shape least = shape;
  least.tokens = 1;
  const std::vector<float> no_weights(uint64_t{kSets} * shape.topk);
  status = made->no_rows_.Allocate(least, config.threads, 0, nullptr, no_weights.data());
  if (!status.ok()) return status;
  made->handle_ = made->tensors_.MakeHandle();
  made->no_rows_handle_ = made->no_rows_.MakeHandle();
  *engine = std::move(made);
  return {};
}

template <class Device>
Status BasicCpuEngine<Device>::Connect(const std::vector<std::span<const uint8_t>>& blobs) {
  std::vector<uint8_t*> regions(context_.shape.ranks, region());
  if (blobs.size() != regions.size()) {
    return {Code::kInvalid, "connect: " + std::to_string(blobs.size()) + " blobs for " +
                                std::to_string(regions.size()) + " ranks"};
  }
  peers_.resize(regions.size());
  for (uint32_t rank = 0; rank < regions.size(); ++rank) {
    if (rank == context_.rank) continue;
    Status status = region_->Map(blobs[rank], rank, &peers_[rank]);
    if (!status.ok()) return status;
    regions[rank] = peers_[rank].data();
  }
  return ConnectInProcess(regions);
}

template <class Device>
Status BasicCpuEngine<Device>::ConnectInProcess(const std::vector<uint8_t*>& regions) {
  for (uint32_t rank = 0; rank < context_.shape.ranks; ++rank) {
    Status status = CheckHeader(*reinterpret_cast<const RegionHeader*>(regions[rank]), rank);
    if (!status.ok()) return status;
    context_.regions[rank] = regions[rank];
  }
  connected_ = true;
  return {};
}

template <class Device>
Status BasicCpuEngine<Device>::CanRun(bool wants_expert_rows) const {
  if (error_.kind != ErrorKind::kNone) return ErrorText(error_, context_);
  return Ready(wants_expert_rows);
}

template <class Device>
bool BasicCpuEngine<Device>::RunDispatch(uint32_t set, Tensors* tensors, const Handle& handle) {
  const DispatchInput input = tensors->Input(set);
  const DispatchOutput output = tensors->Output();
  pool_.Run([&](uint32_t worker) {
    SequentialPlan plan = tensors->Plan(worker);
    Dispatch(*devices_[worker], context_, input, plan, tensors->WorkingPlaces(worker), output,
             handle);
  });
  return error_.kind == ErrorKind::kNone;
}

template <class Device>
bool BasicCpuEngine<Device>::RunCombine() {
  const Bf16* expert_rows = tensors_.expert_rows[NextCombineSet()].template As<const Bf16>();
  Bf16* combined = tensors_.combined.template As<Bf16>();
  pool_.Run([&](uint32_t worker) {
    Combine(*devices_[worker], context_, handle_, tensors_.WorkingPlaces(worker).rows_from,
            expert_rows, combined);
  });
  return error_.kind == ErrorKind::kNone;
}

template <class Device>
template <class Body>
Status BasicCpuEngine<Device>::Time(uint64_t iterations, uint64_t* duration_ns, Body body) {
  for (uint64_t i = 0; i < iterations; ++i) {
    const uint64_t begin_ns = MonotonicNs();
    const bool good = body();
    const uint64_t end_ns = MonotonicNs();
    if (!good) return ErrorText(error_, context_);
    if (duration_ns != nullptr) duration_ns[i] = end_ns - begin_ns;
  }
  return {};
}

template <class Device>
Status BasicCpuEngine<Device>::Run(Operations operations, uint64_t iterations,
                                   uint64_t* duration_ns) {
  Status status = CanRun(operations.combine);
  if (!status.ok()) return status;
  return Time(iterations, duration_ns, [&] {
    if (operations.dispatch && !RunDispatch(NextDispatchSet(), &tensors_, handle_)) {
      return false;
    }
    return !operations.combine || RunCombine();
  });
}

template <class Device>
Status BasicCpuEngine<Device>::RunFlags(uint64_t iterations, uint64_t* duration_ns) {
  Status status = CanRun(false);
  if (!status.ok()) return status;
  return Time(iterations, duration_ns, [&] { return RunDispatch(0, &no_rows_, no_rows_handle_); });
}

template <class Device>
Status BasicCpuEngine<Device>::RunChained(Operations operations, uint64_t dropped,
                                          uint64_t iterations, uint64_t* duration_ns) {
  Status status = Run(operations, dropped, nullptr);
  const uint64_t begin_ns = MonotonicNs();
  if (status.ok()) status = Run(operations, iterations, nullptr);
  *duration_ns = MonotonicNs() - begin_ns;
  return status;
}

template <class Device>
Status BasicCpuEngine<Device>::FlushCaches() {
  Mapping zeros;
  Status status = Mapping::Private(kFlushBytes, "zeros to flush the caches", &zeros);
  if (status.ok()) std::memset(zeros.data(), 0, zeros.size());
  return status;
}

}  // namespace ep

#endif  // CSRC_ENGINE_CPU_H_
