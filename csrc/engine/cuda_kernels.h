// The kernels as a host launches them: loaded from the program's own data, on one GPU.
#ifndef CSRC_ENGINE_CUDA_KERNELS_H_
#define CSRC_ENGINE_CUDA_KERNELS_H_

#include <cuda_runtime_api.h>

#include <cstdint>
#include <memory>

#include "csrc/base/status.h"
#include "csrc/engine/cuda_memory.h"
#include "csrc/kernels/arguments.h"
#include "csrc/protocol/shape.h"

namespace ep {

// A block holds the plan of all experts in its fast memory: some 100 KB of so many.
inline constexpr uint32_t kMaxGpuExperts = 2048;

class CudaKernels {
 public:
  // Loads them on the current GPU, of which `ranks_on_gpu` ranks have an equal part each.
  static Status Load(const Shape& shape, uint32_t ranks_on_gpu,
                     std::unique_ptr<CudaKernels>* kernels);

  // Blocks for so many pieces of rows: one crew a piece, as far as the blocks fit on the GPU.
  uint32_t DispatchBlocks(uint64_t pieces) const;
  uint32_t CombineBlocks(uint64_t pieces) const;

  Status Launch(const kernels::DispatchArguments& arguments, uint32_t blocks, cudaStream_t stream);
  Status Launch(const kernels::CombineArguments& arguments, uint32_t blocks, cudaStream_t stream);
  Status Launch(const kernels::DispatchPutArguments& arguments, uint32_t blocks,
                cudaStream_t stream);
  Status Launch(const kernels::CombinePutArguments& arguments, uint32_t blocks,
                cudaStream_t stream);
  // One block a tile.
  Status Launch(const kernels::CountArguments& arguments, cudaStream_t stream);
  Status Launch(const kernels::CopyArguments& arguments, cudaStream_t stream);
  Status Launch(const kernels::RoundTripArguments& arguments, cudaStream_t stream);

 private:
  struct Geometry {
    uint32_t blocks;
    uint32_t threads;
    uint32_t shared_bytes;
    // All blocks run at once: they wait for each other.
    bool together;
  };
  Status LaunchAs(cudaKernel_t kernel, const Geometry& geometry, const void* arguments,
                  cudaStream_t stream);
  // One whose blocks wait for each other.
  Status LaunchTogether(cudaKernel_t kernel, const void* arguments, uint32_t blocks,
                        cudaStream_t stream);
  Status Find(const char* name, cudaKernel_t* kernel);
  Status AllowSharedMemory(cudaKernel_t kernel, const char* name, uint32_t available);
  // Lowers *blocks to how many of the kernel this rank may have on the GPU at once.
  Status LimitBlocks(cudaKernel_t kernel, uint32_t ranks_on_gpu, uint32_t* blocks) const;

  CudaLibrary library_;
  cudaKernel_t dispatch_ = nullptr;
  cudaKernel_t combine_ = nullptr;
  cudaKernel_t dispatch_put_ = nullptr;
  cudaKernel_t combine_put_ = nullptr;
  cudaKernel_t count_tiles_ = nullptr;
  cudaKernel_t copy_ = nullptr;
  cudaKernel_t round_trips_ = nullptr;
  uint32_t shared_bytes_ = 0;
  uint32_t multiprocessors_ = 0;
  uint32_t most_dispatch_blocks_ = UINT32_MAX;
  uint32_t most_combine_blocks_ = UINT32_MAX;
};

}  // namespace ep

#endif  // CSRC_ENGINE_CUDA_KERNELS_H_
