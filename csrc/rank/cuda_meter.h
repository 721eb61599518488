// A meter on the multiprocessors of a GPU that operations leave: it runs, counts what it does while
// it is told to, and is checked when it has ended.
#ifndef CSRC_RANK_CUDA_METER_H_
#define CSRC_RANK_CUDA_METER_H_

#include <cstdint>
#include <vector>

#include "csrc/base/status.h"
#include "csrc/kernels/meter.h"
#include "csrc/rank/cuda_kernels.h"
#include "csrc/rank/cuda_memory.h"

namespace ep {

class CudaMeter {
 public:
  // Of the current GPU. `memory` is what stream reads and writes: more than caches hold. Both
  // outlive the meter.
  Status Create(CudaKernels* kernels, const DeviceMemory* memory);

  // Starts it, and returns once all of its blocks run. It goes by itself after `timeout_ns` without
  // a word, and after it has counted for `longest_ns`.
  Status Start(ep_pass_meter meter, uint64_t longest_ns, uint64_t timeout_ns);
  // Tells it when `stream` gets there.
  Status Say(kernels::MeterStage stage, cudaStream_t stream);
  // Waits until it has ended and checks what it did. Stores how long a block took for what it does
  // at a time, mean over all workers while they counted. kSystem: results are wrong, or nothing was
  // counted.
  Status Finish(double* round_ns);
  // Waits until it has ended, whatever it did.
  Status Join();

  // Multiprocessors that its blocks last ran on.
  const std::vector<uint32_t>& sms() const { return sms_; }

 private:
  // What the host and the GPU tell each other.
  struct Shared {
    uint32_t stages[3];  // that copies come from
    uint32_t all_arrived;
  };
  // On the GPU.
  struct State {
    uint32_t stage;
    uint32_t arrived;
  };

  uint32_t Workers() const;
  Status CheckStream(const std::vector<kernels::MeterReport>& reports) const;

  CudaKernels* kernels_ = nullptr;
  const DeviceMemory* memory_ = nullptr;
  uint32_t blocks_ = 0;
  ep_pass_meter meter_ = EP_PASS_METER_GEMM;
  uint64_t tiles_ = 0;  // of a worker of stream
  CudaStream stream_;
  PinnedHost<Shared> shared_;
  DeviceMemory state_;
  DeviceMemory reports_;
  std::vector<uint32_t> sms_;
};

}  // namespace ep

#endif  // CSRC_RANK_CUDA_METER_H_
