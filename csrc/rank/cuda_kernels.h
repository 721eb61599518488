// The kernels as a host launches them: loaded from the program's own data, on one GPU.
#ifndef CSRC_RANK_CUDA_KERNELS_H_
#define CSRC_RANK_CUDA_KERNELS_H_

#include <cuda_runtime_api.h>

#include <cstdint>
#include <memory>
#include <string>

#include "csrc/base/status.h"
#include "csrc/kernels/arguments.h"
#include "csrc/kernels/meter.h"
#include "csrc/protocol/shape.h"
#include "csrc/rank/choices.h"
#include "csrc/rank/cuda_memory.h"

namespace ep {

class CudaKernels {
 public:
  // Loads them on the current GPU, of which `ranks_on_gpu` ranks have an equal part each.
  static Status Load(const Shape& shape, uint32_t ranks_on_gpu, const ep_choices& choices,
                     std::unique_ptr<CudaKernels>* kernels);

  // From now on operations are those of a rank with proxied peers. Before the first one.
  Status UsePost();

  // Blocks of an operation, a multiprocessor each: as many as have work.
  uint32_t DispatchBlocks() const;
  uint32_t CombineBlocks() const;
  // What so many of them are like.
  const kernels::BlockShape& DispatchBlock(uint32_t blocks) const;
  const kernels::BlockShape& CombineBlock(uint32_t blocks) const;
  // Leaves operations so many multiprocessors, no more than before.
  void Limit(uint32_t sms) { most_blocks_ = sms; }
  // Blocks of a meter: a multiprocessor each that operations leave.
  uint32_t MeterBlocks() const { return multiprocessors_ - most_blocks_; }
  // The most that an operation can have.
  uint32_t MostBlocks() const { return most_blocks_; }

  // Of so many blocks, for which the arguments' memory is made.
  Status Launch(const kernels::DispatchArguments& arguments, uint32_t blocks, cudaStream_t stream);
  Status Launch(const kernels::CombineArguments& arguments, uint32_t blocks, cudaStream_t stream);
  // A block a tile, as far as there are.
  Status Launch(const kernels::CountArguments& arguments, cudaStream_t stream);
  Status Launch(const kernels::CopyArguments& arguments, cudaStream_t stream);
  Status Launch(const kernels::RoundTripArguments& arguments, cudaStream_t stream);
  // Of MeterBlocks, each alone on its multiprocessor.
  Status Launch(const kernels::MeterArguments& arguments, ep_pass_meter meter, cudaStream_t stream);

 private:
  uint32_t PacketBlocks() const;
  struct Geometry {
    uint32_t blocks;
    uint32_t threads;
    uint32_t shared_bytes;
    // All blocks run at once: they wait for each other.
    bool together;
  };
  Status LaunchAs(cudaKernel_t kernel, const Geometry& geometry, const void* arguments,
                  cudaStream_t stream);
  static Status Find(const CudaLibrary& library, const std::string& name, cudaKernel_t* kernel);
  // Finds the operations' kernels, by names with this behind.
  Status FindOperations(const CudaLibrary& library, const std::string& suffix);
  // Lets a kernel have `bytes` of a block's fast memory.
  Status AllowFastMemory(cudaKernel_t kernel, const std::string& name, uint32_t bytes);

  CudaLibrary library_;
  CudaLibrary post_library_;
  cudaKernel_t dispatch_[kernels::kVariantCount] = {};
  cudaKernel_t combine_[kernels::kVariantCount] = {};
  cudaKernel_t count_tiles_ = nullptr;
  cudaKernel_t copy_ = nullptr;
  cudaKernel_t round_trips_ = nullptr;
  cudaKernel_t meter_gemm_ = nullptr;
  cudaKernel_t meter_stream_ = nullptr;
  Shape shape_ = {};
  ep_kernel kernel_ = EP_KERNEL_AUTO;
  uint32_t multiprocessors_ = 0;
  uint32_t fast_bytes_ = 0;  // all that a block can have
  uint32_t most_blocks_ = 0;
};

}  // namespace ep

#endif  // CSRC_RANK_CUDA_KERNELS_H_
