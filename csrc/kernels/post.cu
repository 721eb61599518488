// The kernels of the protocol for ranks that a proxy sends messages for (csrc/device/post.h): as
// those of csrc/kernels/kernels.cu, by the same names with _post behind, with the same arguments,
// threads and fast memory.
#include "csrc/device/gpu.cuh"
#include "csrc/device/post.h"
#include "csrc/kernels/arguments.h"
#include "csrc/kernels/run.cuh"

namespace {

using namespace ep;
using namespace ep::kernels;

template <Dtype kDtype, const BlockShape& kBlock>
__forceinline__ void PostDispatch(const DispatchArguments& args) {
  RunDispatchOn<PostDevice<GpuDevice<kDtype, kBlock.held_units>>>(args);
}

template <CombineSum kSum, const BlockShape& kBlock>
__forceinline__ void PostCombine(const CombineArguments& args) {
  RunCombineOn<PostDevice<GpuDevice<Dtype::kBf16, kBlock.held_units>>, kSum>(args);
}

}  // namespace

extern "C" __global__ void __launch_bounds__(kLong.Threads(), 1)
    ep_dispatch_fp8_post(const __grid_constant__ DispatchArguments args) {
  PostDispatch<Dtype::kFp8, kLong>(args);
}

extern "C" __global__ void __launch_bounds__(kLong.Threads(), 1)
    ep_dispatch_bf16_post(const __grid_constant__ DispatchArguments args) {
  PostDispatch<Dtype::kBf16, kLong>(args);
}

extern "C" __global__ void __launch_bounds__(kLongSums.Threads(), 1)
    ep_combine_post(const __grid_constant__ CombineArguments args) {
  PostCombine<CombineSum::kRank, kLongSums>(args);
}

extern "C" __global__ void __launch_bounds__(kLongSums.Threads(), 1)
    ep_combine_by_expert_post(const __grid_constant__ CombineArguments args) {
  PostCombine<CombineSum::kExpert, kLongSums>(args);
}

extern "C" __global__ void __launch_bounds__(kShort.Threads(), 1)
    ep_dispatch_fp8_short_post(const __grid_constant__ DispatchArguments args) {
  PostDispatch<Dtype::kFp8, kShort>(args);
}

extern "C" __global__ void __launch_bounds__(kShort.Threads(), 1)
    ep_dispatch_bf16_short_post(const __grid_constant__ DispatchArguments args) {
  PostDispatch<Dtype::kBf16, kShort>(args);
}

extern "C" __global__ void __launch_bounds__(kShort.Threads(), 1)
    ep_combine_short_post(const __grid_constant__ CombineArguments args) {
  PostCombine<CombineSum::kRank, kShort>(args);
}

extern "C" __global__ void __launch_bounds__(kCountThreads)
    ep_count_tiles_post(const __grid_constant__ CountArguments args) {
  RunCountTilesOn<PostDevice<GpuLanes>>(args);
}
