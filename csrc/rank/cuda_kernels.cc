#include "csrc/rank/cuda_kernels.h"

#include <algorithm>
#include <string>
#include <vector>

#include "csrc/kernels/image_image.h"
#include "csrc/kernels/post_image_image.h"
#include "csrc/region/cuda_status.h"

namespace ep {
Status CudaKernels::Find(const CudaLibrary& library, const std::string& name,
                         cudaKernel_t* kernel) {
  return CudaStatus(cudaLibraryGetKernel(kernel, library.get(), name.c_str()),
                    "find kernel " + name);
}

Status CudaKernels::AllowFastMemory(cudaKernel_t kernel, const std::string& name, uint32_t bytes) {
  if (bytes > fast_bytes_) {
    return {Code::kInvalid,
            name + ": the plan of so many experts takes " + std::to_string(bytes) +
                " bytes of a block's fast memory, the GPU has " + std::to_string(fast_bytes_),
            EP_HINT_FEWER_EXPERTS};
  }
  return CudaStatus(
      cudaFuncSetAttribute(reinterpret_cast<const void*>(kernel),
                           cudaFuncAttributeMaxDynamicSharedMemorySize, static_cast<int>(bytes)),
      "allow " + std::to_string(bytes) + " bytes of fast memory to " + name);
}

Status CudaKernels::FindOperations(const CudaLibrary& library, const std::string& suffix) {
  const bool fp8 = shape_.dtype == Dtype::kFp8;
  const bool by_rank = shape_.sum == CombineSum::kRank;
  // With one worker it has the most chunks.
  const kernels::BlockShape& block = shape_.packets ? kernels::kPackets : kernels::kShort;
  const uint32_t plan_bytes = kernels::DispatchMemory(shape_, 1, block).SizeBytes();
  const uint32_t sum_bytes = kernels::CombineMemory(shape_, 1, block).SizeBytes();
  struct Wanted {
    std::string name;
    cudaKernel_t* kernel;
    uint32_t fast_bytes;
  };
  std::vector<Wanted> found = {{"ep_count_tiles", &count_tiles_, plan_bytes}};
  for (uint32_t variant = 0; variant < kernels::kVariantCount; ++variant) {
    const std::string of_variant = kernels::kVariants[variant].suffix;
    // A rank runs these alone, or none of them: they are a matter of its shape.
    if ((kernels::kVariants[variant].kernel == EP_KERNEL_PACKETS) != shape_.packets) continue;
    found.push_back({(fp8 ? "ep_dispatch_fp8" : "ep_dispatch_bf16") + of_variant,
                     &dispatch_[variant], plan_bytes});
    found.push_back({by_rank ? "ep_combine" + of_variant : "ep_combine_by_expert",
                     &combine_[variant], sum_bytes});
  }
  for (const auto& of : found) {
    EP_TRY(Find(library, of.name + suffix, of.kernel));
    EP_TRY(AllowFastMemory(*of.kernel, of.name + suffix, of.fast_bytes));
  }
  return {};
}

Status CudaKernels::UsePost() {
  if (shape_.packets) {
    return {Code::kState,
            "send messages to peers: this rank's rows travel in packets, to peers "
            "that it maps"};
  }
  EP_TRY(CudaStatus(cudaLibraryLoadData(post_library_.out(), post_image_begin, nullptr, nullptr, 0,
                                        nullptr, nullptr, 0),
                    "load the kernels that post"));
  return FindOperations(post_library_, "_post");
}

Status CudaKernels::Load(const Shape& shape, uint32_t ranks_on_gpu, const ep_choices& choices,
                         std::unique_ptr<CudaKernels>* kernels) {
  const uint32_t sms = choices.sms;
  if (shape.ranks > kMaxGpuRanks) {
    return {Code::kInvalid,
            "plan for " + std::to_string(shape.ranks) + " ranks on a GPU: it can for " +
                std::to_string(kMaxGpuRanks),
            EP_HINT_USE_CPUS};
  }
  if (shape.Experts() > kMaxGpuExperts) {
    return {Code::kInvalid,
            "plan " + std::to_string(shape.Experts()) + " experts on a GPU: it has room for " +
                std::to_string(kMaxGpuExperts),
            EP_HINT_FEWER_EXPERTS};
  }
  if (kernels::VariantOf(shape, 1, choices.kernel) == kernels::kVariantCount) {
    return {Code::kInvalid, "choose kernels: there are none of number " +
                                std::to_string(static_cast<int>(choices.kernel))};
  }
  if (choices.kernel == EP_KERNEL_PACKETS && !shape.packets) {
    return {Code::kInvalid, "choose kernels: rows of this shape cannot travel in packets"};
  }
  auto made = std::make_unique<CudaKernels>();
  made->shape_ = shape;
  made->kernel_ = choices.kernel;
  int device = 0;
  cudaDeviceProp properties;
  EP_TRY(CudaStatus(cudaGetDevice(&device), "ask for the current GPU"));
  EP_TRY(CudaStatus(cudaGetDeviceProperties(&properties, device), "describe the GPU"));
  if (properties.major < 9) {
    return {Code::kInvalid,
            std::string(properties.name) +
                ": the kernels need compute capability 9.0 (H100) or newer, it has " +
                std::to_string(properties.major) + "." + std::to_string(properties.minor),
            EP_HINT_USE_CPUS};
  }
  made->multiprocessors_ = static_cast<uint32_t>(properties.multiProcessorCount);
  if (sms > made->multiprocessors_) {
    return {Code::kInvalid,
            std::to_string(sms) + " multiprocessors are asked for, the GPU has " +
                std::to_string(made->multiprocessors_),
            EP_HINT_FEWER_SMS};
  }
  // Ranks that share a GPU wait for each other, in different kernels: each has multiprocessors of
  // its own.
  made->most_blocks_ = (sms == 0 ? made->multiprocessors_ : sms) / ranks_on_gpu;
  if (made->most_blocks_ == 0) {
    return {Code::kInvalid, std::to_string(ranks_on_gpu) + " ranks do not fit on one GPU of " +
                                std::to_string(made->multiprocessors_) +
                                " multiprocessors; try fewer"};
  }
  EP_TRY(CudaStatus(cudaLibraryLoadData(made->library_.out(), image_begin, nullptr, nullptr, 0,
                                        nullptr, nullptr, 0),
                    "load the kernels"));
  made->fast_bytes_ = static_cast<uint32_t>(properties.sharedMemPerBlockOptin);
  EP_TRY(made->FindOperations(made->library_, ""));
  EP_TRY(Find(made->library_, "ep_copy", &made->copy_));
  EP_TRY(Find(made->library_, "ep_round_trips", &made->round_trips_));
  EP_TRY(Find(made->library_, "ep_meter_gemm", &made->meter_gemm_));
  EP_TRY(Find(made->library_, "ep_meter_stream", &made->meter_stream_));
  EP_TRY(made->AllowFastMemory(made->meter_gemm_, "ep_meter_gemm", made->fast_bytes_));
  EP_TRY(made->AllowFastMemory(made->meter_stream_, "ep_meter_stream", made->fast_bytes_));
  *kernels = std::move(made);
  return {};
}

// Half as many pieces as crews, so that what comes finds the others; a row's pieces are on several
// multiprocessors, none of which has to take in much.
uint32_t CudaKernels::PacketBlocks() const {
  constexpr uint32_t kPieces = 7;
  const uint32_t pieces = shape_.tokens * PacketCounts(shape_).pieces;
  return std::min(most_blocks_, (pieces + kPieces - 1) / kPieces);
}

uint32_t CudaKernels::DispatchBlocks() const {
  return shape_.packets ? PacketBlocks() : std::min(most_blocks_, shape_.Chunks());
}

uint32_t CudaKernels::CombineBlocks() const {
  if (shape_.packets) return PacketBlocks();
  const uint32_t sent = (shape_.ranks - 1) * shape_.Chunks();
  return std::min(most_blocks_, std::max(sent, shape_.tokens));
}

const kernels::BlockShape& CudaKernels::DispatchBlock(uint32_t blocks) const {
  return kernels::kVariants[kernels::VariantOf(shape_, blocks, kernel_)].dispatch;
}

const kernels::BlockShape& CudaKernels::CombineBlock(uint32_t blocks) const {
  return kernels::kVariants[kernels::VariantOf(shape_, blocks, kernel_)].combine;
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
  const cudaError_t error =
      cudaLaunchKernelExC(&config, reinterpret_cast<const void*>(kernel), parameters);
  if (error == cudaSuccess) return {};  // without a text that is made for each launch
  return CudaStatus(error, "launch a kernel of " + std::to_string(geometry.blocks) + " blocks");
}

Status CudaKernels::Launch(const kernels::DispatchArguments& arguments, uint32_t blocks,
                           cudaStream_t stream) {
  const uint32_t bytes = arguments.memory.SizeBytes();
  cudaKernel_t kernel = dispatch_[kernels::VariantOf(shape_, blocks, kernel_)];
  return LaunchAs(kernel, {blocks, DispatchBlock(blocks).Threads(), bytes, true}, &arguments,
                  stream);
}

Status CudaKernels::Launch(const kernels::CombineArguments& arguments, uint32_t blocks,
                           cudaStream_t stream) {
  const uint32_t bytes = arguments.memory.SizeBytes();
  cudaKernel_t kernel = combine_[kernels::VariantOf(shape_, blocks, kernel_)];
  return LaunchAs(kernel, {blocks, CombineBlock(blocks).Threads(), bytes, true}, &arguments,
                  stream);
}

Status CudaKernels::Launch(const kernels::CountArguments& arguments, cudaStream_t stream) {
  const uint32_t tiles = arguments.memory.tiling().Count(arguments.tokens);
  const uint32_t blocks = std::min(most_blocks_, tiles);
  return LaunchAs(count_tiles_,
                  {blocks, kernels::kCountThreads, arguments.memory.SizeBytes(), false}, &arguments,
                  stream);
}

Status CudaKernels::Launch(const kernels::CopyArguments& arguments, cudaStream_t stream) {
  return LaunchAs(copy_, {2 * multiprocessors_, kernels::kCopyThreads, 0, false}, &arguments,
                  stream);
}

Status CudaKernels::Launch(const kernels::RoundTripArguments& arguments, cudaStream_t stream) {
  return LaunchAs(round_trips_, {1, 32, 0, false}, &arguments, stream);
}

Status CudaKernels::Launch(const kernels::MeterArguments& arguments, ep_pass_meter meter,
                           cudaStream_t stream) {
  static_assert(kernels::kGemmFastBytes <= 200'000, "a GPU with 227 KB a block has room for it");
  const bool streams = meter == EP_PASS_METER_STREAM;
  const uint32_t workers = streams ? kernels::kStreamWorkers : kernels::kGemmWorkers;
  return LaunchAs(streams ? meter_stream_ : meter_gemm_,
                  {MeterBlocks(), 32 * workers, fast_bytes_, false}, &arguments, stream);
}

}  // namespace ep
