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
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "csrc/base/mapping.h"
#include "csrc/base/status.h"
#include "csrc/engine/check.h"
#include "csrc/engine/contents.h"
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

// Which operations one iteration holds.
struct Operations {
  bool dispatch;
  bool combine;
};

struct CpuConfig {
  uint32_t rank;
  // Worker threads of this rank, 1 or more.
  uint32_t threads;
  // All ranks' workers outnumber the CPUs that they share.
  bool oversubscribed;
  uint64_t wait_timeout_ns;
  // All ranks'; its shape has no Problem.
  reference::Routing routing;
  // [kSets, shape.tokens, topk], this rank's.
  const float* weights;
  // Rows behind the layout for a calibration's copies.
  uint32_t landing_rows = 0;
};

struct TrafficCounts {
  uint64_t selections;
  uint64_t rank_rows;
  uint64_t remote_rows;
  std::vector<uint64_t> rows_to_rank;
  std::vector<uint64_t> selections_of_expert;
};

template <class Device>
class BasicCpuEngine {
 public:
  static Status Create(CpuConfig config, std::unique_ptr<BasicCpuEngine>* engine);

  std::vector<uint8_t> Blob() const { return region_->Blob(); }
  // Maps the peers' regions, one blob a rank in rank order.
  Status Connect(const std::vector<std::span<const uint8_t>>& blobs);
  // Ranks of one process use each other's memory as it is.
  Status ConnectInProcess(const std::vector<uint8_t*>& regions);
  uint8_t* region() const { return region_->data(); }

  // Makes the experts' outputs at the rows where the last dispatch put their inputs. The routing
  // never changes, so once is enough.
  Status MakeExpertRows();

  // Runs `iterations` back to back; stores what each took where `duration_ns` is not null.
  Status Run(Operations operations, uint64_t iterations, uint64_t* duration_ns);

  // The same of dispatches without rows: nothing but flags. They leave outputs, handle and input
  // sets as they are.
  Status RunFlags(uint64_t iterations, uint64_t* duration_ns);

  void Poison() { checker_->Poison(); }
  // Checks what the last operation of each kind left behind.
  Status Check(Operations operations, Findings* findings);
  Status CountTraffic(TrafficCounts* counts) const;
  // What the last dispatch and the last combine left behind. Needs both.
  Status LastContents(std::optional<Contents>* contents) const;
  Status FlushCaches();

  void Abort() { aborted_.store(true, std::memory_order_relaxed); }

  Device& device(uint32_t worker = 0) { return *devices_[worker]; }
  EpochState& epochs() { return epochs_; }
  // For benchmarks, which lay other work over the same memory.
  const RankContext& context() const { return context_; }
  const Handle& handle() const { return handle_; }
  const Tensors& tensors() const { return tensors_; }

 private:
  explicit BasicCpuEngine(const CpuConfig& config)
      : context_{.shape = config.routing.shape,
                 .layout = Layout(config.routing.shape),
                 .rank = config.rank,
                 .wait_timeout_ns = config.wait_timeout_ns,
                 .epochs = &epochs_,
                 .error = &error_,
                 .tickets = &tickets_,
                 .regions = {}},
        pool_(config.threads, config.oversubscribed) {
    for (uint32_t worker = 0; worker < config.threads; ++worker) {
      devices_.push_back(
          std::make_unique<Device>(HostDevice::Config{.shape = config.routing.shape,
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
  Status CheckHeader(const RegionHeader& header, uint32_t rank) const;
  Status Ready(bool wants_expert_rows) const;

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
  Tensors tensors_;
  // What dispatches without rows read and write.
  Tensors no_rows_;
  Handle no_rows_handle_ = {};
  std::unique_ptr<Checker> checker_;
  uint64_t seed_ = 0;
  bool connected_ = false;
  bool has_expert_rows_ = false;
  // Operations begun; the n-th uses set n % kSets.
  uint64_t dispatches_ = 0;
  uint64_t combines_ = 0;
};

using CpuEngine = BasicCpuEngine<HostDevice>;

template <class Device>
Status BasicCpuEngine<Device>::Create(CpuConfig config, std::unique_ptr<BasicCpuEngine>* engine) {
  std::unique_ptr<BasicCpuEngine> made(new BasicCpuEngine(config));
  const Shape shape = config.routing.shape;
  const uint32_t tokens = config.routing.tokens_of_rank[config.rank];
  const uint64_t landing_bytes = Landing(shape, config.landing_rows).SizeBytes();
  Status status =
      ShmRegion::Create(made->context_.layout.SizeBytes() + landing_bytes, &made->region_);
  if (!status.ok()) return status;
  *reinterpret_cast<RegionHeader*>(made->region()) = {kRegionMagic, made->context_.layout.Hash(),
                                                      config.rank, 0};
  status = made->tensors_.Allocate(shape, config.threads, tokens,
                                   config.routing.Selected(config.rank, 0), config.weights);
  if (!status.ok()) return status;
  Shape least = shape;
  least.tokens = 1;
  const std::vector<float> no_weights(uint64_t{kSets} * shape.topk);
  status = made->no_rows_.Allocate(least, config.threads, 0, nullptr, no_weights.data());
  if (!status.ok()) return status;
  made->seed_ = config.routing.seed;
  for (uint32_t set = 0; set < kSets; ++set) {
    Bf16* rows = made->tensors_.token_rows[set].template As<Bf16>();
    for (uint32_t token = 0; token < tokens; ++token) {
      reference::TokenRow(made->seed_, set, config.rank, token, shape.hidden,
                          rows + uint64_t{token} * shape.hidden);
    }
  }
  made->handle_ = made->tensors_.MakeHandle();
  made->no_rows_handle_ = made->no_rows_.MakeHandle();
  made->checker_ =
      std::make_unique<Checker>(std::move(config.routing), config.rank, &made->tensors_);
  *engine = std::move(made);
  return {};
}

template <class Device>
Status BasicCpuEngine<Device>::CheckHeader(const RegionHeader& header, uint32_t rank) const {
  if (header.magic == kRegionMagic && header.layout_hash == context_.layout.Hash() &&
      header.rank == rank) {
    return {};
  }
  return {Code::kProtocol, "connect rank " + std::to_string(context_.rank) + " to rank " +
                               std::to_string(rank) +
                               ": its region has another layout; do all ranks run the same plan "
                               "with the same build?"};
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
Status BasicCpuEngine<Device>::Ready(bool wants_expert_rows) const {
  if (!connected_) return {Code::kState, "run: the rank is not connected"};
  if (error_.kind != ErrorKind::kNone) return ErrorText(error_, context_);
  if (wants_expert_rows && !has_expert_rows_) {
    return {Code::kState, "combine: there are no expert outputs yet; dispatch and make them first"};
  }
  return {};
}

template <class Device>
Status BasicCpuEngine<Device>::MakeExpertRows() {
  if (dispatches_ == 0) return {Code::kState, "make expert outputs: nothing was dispatched yet"};
  const DispatchOutput output = tensors_.Output();
  const uint32_t hidden = context_.shape.hidden;
  for (uint32_t x = 0; x < context_.shape.experts_per_rank; ++x) {
    const uint32_t expert = context_.rank * context_.shape.experts_per_rank + x;
    for (uint32_t i = 0; i < handle_.places.counts[x]; ++i) {
      const uint64_t row = uint64_t{x} * handle_.expert_stride + i;
      const Source from = output.sources[row];
      for (uint32_t set = 0; set < kSets; ++set) {
        Bf16* rows = tensors_.expert_rows[set].template As<Bf16>();
        reference::ExpertRow(seed_, set, from.rank, from.token, expert, hidden,
                             rows + row * hidden);
      }
    }
  }
  has_expert_rows_ = true;
  return {};
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
  const Bf16* expert_rows = tensors_.expert_rows[combines_++ % kSets].template As<const Bf16>();
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
  Status status = Ready(operations.combine);
  if (!status.ok()) return status;
  return Time(iterations, duration_ns, [&] {
    if (operations.dispatch && !RunDispatch(dispatches_++ % kSets, &tensors_, handle_)) {
      return false;
    }
    return !operations.combine || RunCombine();
  });
}

template <class Device>
Status BasicCpuEngine<Device>::RunFlags(uint64_t iterations, uint64_t* duration_ns) {
  Status status = Ready(false);
  if (!status.ok()) return status;
  return Time(iterations, duration_ns,
              [&] { return RunDispatch(0, &no_rows_, no_rows_handle_); });
}

template <class Device>
Status BasicCpuEngine<Device>::Check(Operations operations, Findings* findings) {
  if ((operations.dispatch && dispatches_ == 0) || (operations.combine && combines_ == 0)) {
    return {Code::kState, "check: the operation has not run yet"};
  }
  const uint32_t sent = (dispatches_ + kSets - 1) % kSets;
  if (operations.dispatch) checker_->CheckDispatch(sent, findings);
  if (operations.combine) {
    checker_->CheckCombine((combines_ + kSets - 1) % kSets, sent, findings);
  }
  return {};
}

template <class Device>
Status BasicCpuEngine<Device>::CountTraffic(TrafficCounts* counts) const {
  if (dispatches_ == 0) return {Code::kState, "count rows: nothing was dispatched yet"};
  *counts = {};
  const uint32_t* sent = tensors_.rows_to_rank();
  for (uint32_t rank = 0; rank < context_.shape.ranks; ++rank) {
    counts->rows_to_rank.push_back(sent[rank]);
    counts->rank_rows += sent[rank];
    if (rank != context_.rank) counts->remote_rows += sent[rank];
  }
  for (uint32_t x = 0; x < context_.shape.experts_per_rank; ++x) {
    counts->selections_of_expert.push_back(tensors_.counts()[x]);
  }
  counts->selections = tensors_.CountSelections();
  return {};
}

template <class Device>
Status BasicCpuEngine<Device>::LastContents(std::optional<Contents>* contents) const {
  if (dispatches_ == 0 || combines_ == 0) {
    return {Code::kState, "copy a tensor: dispatch and combine have not both run yet"};
  }
  contents->emplace(&tensors_, (dispatches_ + kSets - 1) % kSets, (combines_ + kSets - 1) % kSets);
  return {};
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
