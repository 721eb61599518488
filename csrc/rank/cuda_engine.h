// The CUDA engine: one rank on one GPU, over memory of it that its peers' GPUs reach.
//
// Tensors live on the GPU; those of csrc/rank/tensors.h are their copies for the check, brought
// over when somebody looks. One stream takes all operations, so each begins when the one before
// has ended.
#ifndef CSRC_RANK_CUDA_ENGINE_H_
#define CSRC_RANK_CUDA_ENGINE_H_

#include <cuda_runtime_api.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "csrc/base/status.h"
#include "csrc/kernels/arguments.h"
#include "csrc/protocol/rank.h"
#include "csrc/rank/cuda_kernels.h"
#include "csrc/rank/cuda_memory.h"
#include "csrc/rank/cuda_meter.h"
#include "csrc/rank/cuda_post.h"
#include "csrc/rank/engine.h"
#include "csrc/region/region.h"

namespace ep {

struct CudaConfig {
  int gpu;
  // That share it, 1 or more.
  uint32_t ranks_on_gpu;
  // This host's ranks have fewer CPUs than two each.
  bool few_cpus = false;
};

class CudaEngine : public Engine {
 public:
  // Over a region of MakeRegionConfig for the shape as ChunkedForGpu cuts it, on that GPU.
  static Status Create(RankConfig rank, const CudaConfig& config, std::unique_ptr<Region> region,
                       std::unique_ptr<CudaEngine>* engine);
  ~CudaEngine() override;

  Status Run(Operations operations, uint64_t iterations, uint64_t* duration_ns) override;
  Status RunFlags(uint64_t iterations, uint64_t* duration_ns) override;
  Status RunChained(Operations operations, uint64_t dropped, uint64_t iterations,
                    uint64_t* duration_ns) override;
  Status RunGraph(Operations operations, uint64_t captured, uint64_t replays,
                  uint64_t* duration_ns) override;
  Status RunKernels(Operations operations, uint64_t iterations, uint64_t* duration_ns) override;
  Status RunMeter(ep_pass_meter meter, Operations operations, uint64_t iterations, uint64_t windows,
                  uint64_t* duration_ns) override;
  Status RunBeside(ep_pass_meter meter, Operations operations, uint64_t iterations,
                   uint64_t* duration_ns) override;
  Status SmsOfBlocks(Operations operation, std::vector<uint32_t>* sms) override;

  Status Poison() override;
  Status FlushCaches() override;
  Status Epochs(EpochState* epochs) override;
  Sent sent() const override { return post_ ? post_->sent() : Sent(); }
  std::string proxy_cpus() const override { return post_ ? post_->cpus() : ""; }
  void Abort() override;

  // For a calibration, which lays other work over the same stream and clock.
  CudaKernels& kernels() { return *kernels_; }
  cudaStream_t stream() const { return stream_.get(); }
  // Set by Abort, where kernels see it, too.
  const uint32_t* aborted_flag() const { return &shared_->aborted; }
  bool Aborted() const;
  // Makes its GPU the thread's current one.
  Status Use() const;
  // Enqueues `body` so many times, between events where `duration_ns` is not null, and waits.
  Status Time(uint64_t iterations, uint64_t* duration_ns, const std::function<Status()>& body);
  // Waits until the stream is empty, and says whether the operations ended well.
  Status Finish();

 protected:
  Status Connected() override;
  Status Fetch(Operations operations) override;
  Status FetchCounts(bool sources) override;
  Status PutExpertRows() override;

 private:
  // Enqueues one of the events.
  Status Record(size_t event);
  // Iterations between two looks at whether all is well.
  static constexpr uint64_t kBatch = 512;

  // What the kernels keep between operations, on the GPU.
  struct State {
    EpochState epochs;
    Tickets tickets;
    ErrorRecord error;
  };
  // What the host and the GPU tell each other.
  struct Shared {
    uint32_t aborted;
    ErrorRecord error;
  };
  // Where an operation's blocks say which multiprocessors they run on.
  struct BlockSms {
    DeviceMemory sms;     // room for the most blocks
    uint32_t blocks = 0;  // that the last one had
  };
  // A host tensor and the GPU's of the same layout.
  struct Mirror {
    const uint8_t* host;
    DeviceMemory device;
  };

  CudaEngine(const RankConfig& rank, const CudaConfig& config, std::unique_ptr<Region> region)
      : Engine(rank, std::move(region)), config_(config) {}

  Status CopyHeader(const RegionHeader* from, RegionHeader* to,
                    const std::string& what) const override;
  Status Allocate();
  Status AllocateHandle();
  // Token rows of all sets, ids and weights.
  Status CopyInputs();
  Status AddMirror(const uint8_t* host, size_t bytes, const char* what);
  // The GPU's address of a byte of a host tensor.
  uint8_t* OnGpu(const void* host) const;
  template <class T>
  T* OnGpuAs(const T* host) const {
    return reinterpret_cast<T*>(OnGpu(host));
  }
  Status CopyCountsOut();
  Status CopyIn(const void* host, size_t bytes);
  Status CopyOut(void* host, size_t bytes);

  // What the first operation that did not end well says.
  Status Failure() const;
  Status CanRun(bool wants_expert_rows) const;
  // Puts the next operations into the stream.
  Status Enqueue(Operations operations, kernels::Stamps* stamps);
  Status EnqueueDispatch(uint32_t set, kernels::Stamps* stamps);
  Status EnqueueCombine(uint32_t set, kernels::Stamps* stamps);
  Status EnqueueFlags();
  // Runs `body`, which enqueues operations and waits for them, while a meter runs and counts.
  Status RunBesideMeter(ep_pass_meter meter, Operations operations, double* round_ns,
                        const std::function<Status()>& body);

  const CudaConfig config_;
  ErrorRecord failed_ = {};  // of the first operation that did not end well
  PinnedHost<Shared> shared_;
  CudaStream stream_;
  std::unique_ptr<CudaKernels> kernels_;
  std::unique_ptr<CudaPost> post_;  // where peers are proxied, once connected
  DeviceMemory state_;
  std::vector<Mirror> mirrors_;
  DeviceMemory tile_counts_;
  DeviceMemory tile_begins_;
  BlockSms dispatch_sms_;
  BlockSms combine_sms_;
  DeviceMemory flags_sms_;  // of a flags-only epoch's one block: the last dispatch's stay known
  DeviceMemory no_rows_places_;
  DeviceMemory stamps_;
  DeviceMemory zeros_;                // to flush the caches, and what a meter reads and writes
  std::unique_ptr<CudaMeter> meter_;  // once one has run
  std::vector<CudaEvent> events_;
  Handle handle_ = {};          // of tensors_
  Handle gpu_handle_ = {};      // the GPU's
  Handle no_rows_handle_ = {};  // for dispatches without rows
};

}  // namespace ep

#endif  // CSRC_RANK_CUDA_ENGINE_H_
