#include "csrc/engine/cuda_kernels.h"

#include <algorithm>
#include <string>

#include "csrc/kernels/image_image.h"
#include "csrc/transport/cuda_status.h"

namespace ep {
namespace {

uint32_t BlocksFor(uint64_t pieces, uint32_t most) {
  const uint64_t wanted = (pieces + kernels::kCrews - 1) / kernels::kCrews;
  return static_cast<uint32_t>(std::clamp<uint64_t>(wanted, 1, most));
}

}  // namespace

Status CudaKernels::Find(const char* name, cudaKernel_t* kernel) {
  return CudaStatus(cudaLibraryGetKernel(kernel, library_.get(), name),
                    std::string("find kernel ") + name);
}

Status CudaKernels::AllowSharedMemory(cudaKernel_t kernel, const char* name, uint32_t available) {
  if (shared_bytes_ > available) {
    return {Code::kInvalid,
            std::string(name) + ": the plan of so many experts takes " +
                std::to_string(shared_bytes_) + " bytes of a block's fast memory, the GPU has " +
                std::to_string(available) + "; try fewer --experts-per-rank or --device=cpu"};
  }
  return CudaStatus(
      cudaFuncSetAttribute(reinterpret_cast<const void*>(kernel),
                           cudaFuncAttributeMaxDynamicSharedMemorySize,
                           static_cast<int>(shared_bytes_)),
      std::string("allow ") + std::to_string(shared_bytes_) + " bytes of fast memory to " + name);
}

Status CudaKernels::LimitBlocks(cudaKernel_t kernel, uint32_t ranks_on_gpu,
                                uint32_t* blocks) const {
  int fit = 0;
  Status status =
      CudaStatus(cudaOccupancyMaxActiveBlocksPerMultiprocessor(
                     &fit, reinterpret_cast<const void*>(kernel), kernels::kThreads, shared_bytes_),
                 "ask how many blocks fit on a multiprocessor");
  if (!status.ok()) return status;
  // Ranks that share a GPU wait for each other, in different kernels: with no more blocks than
  // multiprocessors in all, each finds one that is empty.
  *blocks = std::min(*blocks, ranks_on_gpu > 1 ? multiprocessors_ / ranks_on_gpu
                                               : multiprocessors_ * static_cast<uint32_t>(fit));
  if (*blocks > 0) return {};
  return {Code::kInvalid, std::to_string(ranks_on_gpu) + " ranks do not fit on one GPU of " +
                              std::to_string(multiprocessors_) + " multiprocessors; try fewer"};
}

Status CudaKernels::Load(const Shape& shape, uint32_t ranks_on_gpu,
                         std::unique_ptr<CudaKernels>* kernels) {
  if (shape.Experts() > kMaxGpuExperts) {
    return {Code::kInvalid,
            "plan " + std::to_string(shape.Experts()) + " experts on a GPU: it has room for " +
                std::to_string(kMaxGpuExperts) + "; try fewer --experts-per-rank or --device=cpu"};
  }
  auto made = std::make_unique<CudaKernels>();
  made->shared_bytes_ = kernels::SharedMemory(shape).SizeBytes();
  int device = 0;
  cudaDeviceProp properties;
  Status status = CudaStatus(cudaGetDevice(&device), "ask for the current GPU");
  if (status.ok()) {
    status = CudaStatus(cudaGetDeviceProperties(&properties, device), "describe the GPU");
  }
  if (!status.ok()) return status;
  if (properties.major < 9) {
    return {Code::kInvalid,
            std::string(properties.name) +
                ": the kernels need compute capability 9.0 (H100) or newer, it has " +
                std::to_string(properties.major) + "." + std::to_string(properties.minor) +
                "; try --device=cpu"};
  }
  status = CudaStatus(cudaLibraryLoadData(made->library_.out(), image_begin, nullptr, nullptr, 0,
                                          nullptr, nullptr, 0),
                      "load the kernels");
  if (status.ok()) status = made->Find("ep_dispatch", &made->dispatch_);
  if (status.ok()) status = made->Find("ep_combine", &made->combine_);
  if (status.ok()) status = made->Find("ep_dispatch_put", &made->dispatch_put_);
  if (status.ok()) status = made->Find("ep_combine_put", &made->combine_put_);
  if (status.ok()) status = made->Find("ep_count_tiles", &made->count_tiles_);
  if (status.ok()) status = made->Find("ep_copy", &made->copy_);
  if (status.ok()) status = made->Find("ep_round_trips", &made->round_trips_);
  const auto available = static_cast<uint32_t>(properties.sharedMemPerBlockOptin);
  made->multiprocessors_ = static_cast<uint32_t>(properties.multiProcessorCount);
  const struct {
    cudaKernel_t kernel;
    const char* name;
    uint32_t* most_blocks;  // null: they need not run at once
  } planning[] = {
      {made->dispatch_, "dispatch", &made->most_dispatch_blocks_},
      {made->dispatch_put_, "dispatch", &made->most_dispatch_blocks_},
      {made->combine_, "combine", &made->most_combine_blocks_},
      {made->combine_put_, "combine", &made->most_combine_blocks_},
      {made->count_tiles_, "plan", nullptr},
  };
  for (const auto& of : planning) {
    if (!status.ok()) break;
    status = made->AllowSharedMemory(of.kernel, of.name, available);
    if (!status.ok() || of.most_blocks == nullptr) continue;
    status = made->LimitBlocks(of.kernel, ranks_on_gpu, of.most_blocks);
  }
  if (!status.ok()) return status;
  *kernels = std::move(made);
  return {};
}

uint32_t CudaKernels::DispatchBlocks(uint64_t pieces) const {
  return BlocksFor(pieces, most_dispatch_blocks_);
}

uint32_t CudaKernels::CombineBlocks(uint64_t pieces) const {
  return BlocksFor(pieces, most_combine_blocks_);
}

Status CudaKernels::LaunchAs(cudaKernel_t kernel, const Geometry& geometry, const void* arguments,
                             cudaStream_t stream) {
  cudaLaunchAttribute together = {};
  together.id = cudaLaunchAttributeCooperative;
  together.val.cooperative = 1;
  cudaLaunchConfig_t config = {};
  config.gridDim = {geometry.blocks, 1, 1};
  config.blockDim = {geometry.threads, 1, 1};
  config.dynamicSmemBytes = geometry.shared_bytes;
  config.stream = stream;
  config.attrs = &together;
  config.numAttrs = geometry.together ? 1 : 0;
  void* parameters[] = {const_cast<void*>(arguments)};
  return CudaStatus(cudaLaunchKernelExC(&config, reinterpret_cast<const void*>(kernel), parameters),
                    "launch a kernel of " + std::to_string(geometry.blocks) + " blocks");
}

Status CudaKernels::LaunchTogether(cudaKernel_t kernel, const void* arguments, uint32_t blocks,
                                   cudaStream_t stream) {
  return LaunchAs(kernel, {blocks, kernels::kThreads, shared_bytes_, true}, arguments, stream);
}

Status CudaKernels::Launch(const kernels::DispatchArguments& arguments, uint32_t blocks,
                           cudaStream_t stream) {
  return LaunchTogether(dispatch_, &arguments, blocks, stream);
}

Status CudaKernels::Launch(const kernels::CombineArguments& arguments, uint32_t blocks,
                           cudaStream_t stream) {
  return LaunchTogether(combine_, &arguments, blocks, stream);
}

Status CudaKernels::Launch(const kernels::DispatchPutArguments& arguments, uint32_t blocks,
                           cudaStream_t stream) {
  return LaunchTogether(dispatch_put_, &arguments, blocks, stream);
}

Status CudaKernels::Launch(const kernels::CombinePutArguments& arguments, uint32_t blocks,
                           cudaStream_t stream) {
  return LaunchTogether(combine_put_, &arguments, blocks, stream);
}

Status CudaKernels::Launch(const kernels::CountArguments& arguments, cudaStream_t stream) {
  return LaunchAs(count_tiles_,
                  {TilesOf(arguments.tokens), kernels::kThreads, shared_bytes_, false}, &arguments,
                  stream);
}

Status CudaKernels::Launch(const kernels::CopyArguments& arguments, cudaStream_t stream) {
  return LaunchAs(copy_, {2 * multiprocessors_, kernels::kThreads, 0, false}, &arguments, stream);
}

Status CudaKernels::Launch(const kernels::RoundTripArguments& arguments, cudaStream_t stream) {
  return LaunchAs(round_trips_, {1, 32, 0, false}, &arguments, stream);
}

}  // namespace ep
