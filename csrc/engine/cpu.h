// The CPU engine: one rank whose workers are the calling thread and its helpers, over shared
// memory or, with LinkDevice, a Link.
//
// It runs the very bodies of csrc/protocol that GPUs run. `Device` is the policy they are given;
// tests put one in its place that breaks a rule and see the check notice.
#ifndef CSRC_ENGINE_CPU_H_
#define CSRC_ENGINE_CPU_H_

#include <atomic>
#include <concepts>
#include <cstdint>
#include <cstring>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "csrc/base/mapping.h"
#include "csrc/base/status.h"
#include "csrc/engine/chunks.h"
#include "csrc/engine/engine.h"
#include "csrc/engine/error_text.h"
#include "csrc/engine/landing.h"
#include "csrc/engine/link_device.h"
#include "csrc/engine/messages.h"
#include "csrc/engine/outbox.h"
#include "csrc/engine/tensors.h"
#include "csrc/host/clock.h"
#include "csrc/host/device.h"
#include "csrc/host/worker_pool.h"
#include "csrc/protocol/combine.h"
#include "csrc/protocol/dispatch.h"
#include "csrc/protocol/rank.h"
#include "csrc/transport/link.h"
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
  // Over shared memory.
  static Status Create(RankConfig rank, const CpuConfig& config,
                       std::unique_ptr<BasicCpuEngine>* engine);
  // Over a link made from MakeLinkConfig. Has no landing.
  static Status Create(RankConfig rank, const CpuConfig& config, std::unique_ptr<Link> link,
                       std::unique_ptr<BasicCpuEngine>* engine);

  std::vector<uint8_t> Blob() const override;
  Status Connect(const std::vector<std::span<const uint8_t>>& blobs) override;
  // Ranks of one process use each other's memory as it is.
  Status ConnectInProcess(const std::vector<uint8_t*>& regions);
  uint8_t* region() const { return link_ != nullptr ? link_->region() : shared_->data(); }

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
  // The rest of Create, once the region is there.
  Status Finish(RankConfig rank, const CpuConfig& config);
  RegionHeader Header() const { return {kRegionMagic, context_.layout.Hash(), context_.rank, 0}; }
  Status ConnectLink(const std::vector<std::span<const uint8_t>>& blobs);
  // Whether the operation ended well; over a link not before what it sent has arrived.
  bool Done(Op op);
  Status Failure() const;
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
  // Shared memory, or a link.
  std::unique_ptr<ShmRegion> shared_;
  std::vector<Mapping> peers_;
  std::unique_ptr<Link> link_;
  std::optional<Outbox> outbox_;  // of the link
  // What dispatches without rows read and write.
  Tensors no_rows_;
  Handle no_rows_handle_ = {};
};

using CpuEngine = BasicCpuEngine<HostDevice>;
using LinkEngine = BasicCpuEngine<LinkDevice>;

template <class Device>
Status BasicCpuEngine<Device>::Create(RankConfig rank, const CpuConfig& config,
                                      std::unique_ptr<BasicCpuEngine>* engine) {
  rank.routing.shape = ChunkedForThreads(rank.routing.shape, config.threads);
  std::unique_ptr<BasicCpuEngine> made(new BasicCpuEngine(rank, config));
  const uint64_t landing_bytes = Landing(rank.routing.shape, config.landing_rows).SizeBytes();
  Status status =
      ShmRegion::Create(made->context_.layout.SizeBytes() + landing_bytes, &made->shared_);
  if (!status.ok()) return status;
  *reinterpret_cast<RegionHeader*>(made->region()) = made->Header();
  status = made->Finish(std::move(rank), config);
  if (status.ok()) *engine = std::move(made);
  return status;
}

template <class Device>
Status BasicCpuEngine<Device>::Create(RankConfig rank, const CpuConfig& config,
                                      std::unique_ptr<Link> link,
                                      std::unique_ptr<BasicCpuEngine>* engine) {
  if (config.landing_rows != 0) {
    return {Code::kInvalid,
            "calibrate: what it measures are copies over mapped memory; try "
            "--nvlink-backend=ipc"};
  }
  rank.routing.shape = ChunkedForThreads(rank.routing.shape, config.threads);
  std::unique_ptr<BasicCpuEngine> made(new BasicCpuEngine(rank, config));
  made->link_ = std::move(link);
  made->outbox_.emplace(&made->context_, made->link_.get());
  for (auto& device : made->devices_) {
    device->Use(made->link_.get(), &made->context_, &*made->outbox_);
  }
  Status status = made->Finish(std::move(rank), config);
  if (status.ok()) *engine = std::move(made);
  return status;
}

template <class Device>
Status BasicCpuEngine<Device>::Finish(RankConfig rank, const CpuConfig& config) {
  const Shape shape = rank.routing.shape;
  Status status = Prepare(std::move(rank), config.threads);
  if (!status.ok()) return status;
  Shape least = shape;
  least.tokens = 1;
  const std::vector<float> no_weights(uint64_t{kSets} * shape.topk);
  status = no_rows_.Allocate(least, config.threads, 0, nullptr, no_weights.data());
  if (!status.ok()) return status;
  handle_ = tensors_.MakeHandle();
  no_rows_handle_ = no_rows_.MakeHandle();
  return {};
}

// A peer's header lies in its region, where that is mapped; else it comes with the blob.
template <class Device>
std::vector<uint8_t> BasicCpuEngine<Device>::Blob() const {
  if (link_ == nullptr) return shared_->Blob();
  const RegionHeader header = Header();
  std::vector<uint8_t> blob(sizeof(header));
  std::memcpy(blob.data(), &header, sizeof(header));
  const std::vector<uint8_t> rest = link_->Blob();
  blob.insert(blob.end(), rest.begin(), rest.end());
  return blob;
}

template <class Device>
Status BasicCpuEngine<Device>::Connect(const std::vector<std::span<const uint8_t>>& blobs) {
  if (blobs.size() != context_.shape.ranks) {
    return {Code::kInvalid, "connect: " + std::to_string(blobs.size()) + " blobs for " +
                                std::to_string(context_.shape.ranks) + " ranks"};
  }
  if (link_ != nullptr) return ConnectLink(blobs);
  std::vector<uint8_t*> regions(context_.shape.ranks, region());
  peers_.resize(regions.size());
  for (uint32_t rank = 0; rank < regions.size(); ++rank) {
    if (rank == context_.rank) continue;
    Status status = shared_->Map(blobs[rank], rank, &peers_[rank]);
    if (!status.ok()) return status;
    regions[rank] = peers_[rank].data();
  }
  return ConnectInProcess(regions);
}

template <class Device>
Status BasicCpuEngine<Device>::ConnectLink(const std::vector<std::span<const uint8_t>>& blobs) {
  std::vector<std::span<const uint8_t>> rest;
  for (uint32_t rank = 0; rank < blobs.size(); ++rank) {
    RegionHeader header = {};
    if (blobs[rank].size() >= sizeof(header)) {
      std::memcpy(&header, blobs[rank].data(), sizeof(header));
    }
    Status status = CheckHeader(header, rank);
    if (!status.ok()) return status;
    rest.push_back(blobs[rank].subspan(sizeof(header)));
  }
  Status status = link_->Connect(rest);
  if (!status.ok()) return status;
  for (uint32_t rank = 0; rank < blobs.size(); ++rank) {
    context_.regions[rank] = rank == context_.rank ? region() : link_->image(rank);
  }
  connected_ = true;
  return {};
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
Status BasicCpuEngine<Device>::Failure() const {
  const Status status = ErrorText(error_, context_);
  if (error_.kind != ErrorKind::kNetwork) return status;
  uint32_t peer = 0;
  return {status.code(), status.text() + ": " + link_->Failure(&peer).text()};
}

template <class Device>
Status BasicCpuEngine<Device>::CanRun(bool wants_expert_rows) const {
  if (error_.kind != ErrorKind::kNone) return Failure();
  return Ready(wants_expert_rows);
}

template <class Device>
bool BasicCpuEngine<Device>::Done(Op op) {
  if (error_.kind != ErrorKind::kNone) return false;
  if constexpr (std::derived_from<Device, LinkDevice>) return devices_[0]->Settle(op);
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
