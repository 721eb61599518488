// The kernels: the protocol's bodies, what a calibration needs, and meters, as entry points.
//
// csrc/kernels/arguments.h says how each is launched. All arithmetic and all of the protocol is in
// csrc/protocol; csrc/kernels/run.cuh gives it blocks, shared memory and a clock.
#include "csrc/device/gpu.cuh"
#include "csrc/device/ptx.cuh"
#include "csrc/kernels/arguments.h"
#include "csrc/kernels/meter.cuh"
#include "csrc/kernels/run.cuh"

namespace {

using namespace ep;
using namespace ep::kernels;

template <Dtype kDtype, const BlockShape& kBlock>
__forceinline__ void RunDispatch(const DispatchArguments& args) {
  RunDispatchOn<GpuDevice<kDtype, kBlock.held_units>>(args);
}

template <CombineSum kSum, const BlockShape& kBlock>
__forceinline__ void RunCombine(const CombineArguments& args) {
  RunCombineOn<GpuDevice<Dtype::kBf16, kBlock.held_units>, kSum>(args);
}

}  // namespace

// One block a multiprocessor, which has all its registers.
extern "C" __global__ void __launch_bounds__(kLong.Threads(), 1)
    ep_dispatch_fp8(const __grid_constant__ DispatchArguments args) {
  RunDispatch<Dtype::kFp8, kLong>(args);
}

extern "C" __global__ void __launch_bounds__(kLong.Threads(), 1)
    ep_dispatch_bf16(const __grid_constant__ DispatchArguments args) {
  RunDispatch<Dtype::kBf16, kLong>(args);
}

extern "C" __global__ void __launch_bounds__(kLongSums.Threads(), 1)
    ep_combine(const __grid_constant__ CombineArguments args) {
  RunCombine<CombineSum::kRank, kLongSums>(args);
}

extern "C" __global__ void __launch_bounds__(kLongSums.Threads(), 1)
    ep_combine_by_expert(const __grid_constant__ CombineArguments args) {
  RunCombine<CombineSum::kExpert, kLongSums>(args);
}

extern "C" __global__ void __launch_bounds__(kShort.Threads(), 1)
    ep_dispatch_fp8_short(const __grid_constant__ DispatchArguments args) {
  RunDispatch<Dtype::kFp8, kShort>(args);
}

extern "C" __global__ void __launch_bounds__(kShort.Threads(), 1)
    ep_dispatch_bf16_short(const __grid_constant__ DispatchArguments args) {
  RunDispatch<Dtype::kBf16, kShort>(args);
}

extern "C" __global__ void __launch_bounds__(kShort.Threads(), 1)
    ep_combine_short(const __grid_constant__ CombineArguments args) {
  RunCombine<CombineSum::kRank, kShort>(args);
}

extern "C" __global__ void __launch_bounds__(kPackets.Threads(), 1)
    ep_dispatch_fp8_packets(const __grid_constant__ DispatchArguments args) {
  RunDispatchInPacketsOn<GpuPacketDevice<Dtype::kFp8>>(args);
}

extern "C" __global__ void __launch_bounds__(kPackets.Threads(), 1)
    ep_dispatch_bf16_packets(const __grid_constant__ DispatchArguments args) {
  RunDispatchInPacketsOn<GpuPacketDevice<Dtype::kBf16>>(args);
}

extern "C" __global__ void __launch_bounds__(kPackets.Threads(), 1)
    ep_combine_packets(const __grid_constant__ CombineArguments args) {
  RunCombineInPacketsOn<GpuPacketDevice<Dtype::kBf16>>(args);
}

extern "C" __global__ void __launch_bounds__(kCountThreads)
    ep_count_tiles(const __grid_constant__ CountArguments args) {
  RunCountTilesOn<GpuLanes>(args);
}

extern "C" __global__ void __launch_bounds__(kCopyThreads)
    ep_copy(const __grid_constant__ CopyArguments args) {
  constexpr uint32_t kVectors = 4;  // under way at a time, by each thread
  const uint64_t step = uint64_t{kCopyThreads} * gridDim.x * sizeof(ptx::Vector);
  const uint64_t mine = (uint64_t{blockIdx.x} * kCopyThreads + threadIdx.x) * sizeof(ptx::Vector);
  // Where a vector lies among the distinct bytes, without a division of 64 bits for each.
  const uint64_t stride = step % args.distinct_bytes;
  uint64_t at = mine % args.distinct_bytes;
  for (uint64_t begin = mine; begin < args.bytes; begin += kVectors * step) {
    ptx::Vector held[kVectors];
    uint64_t offset[kVectors];
#pragma unroll
    for (uint32_t v = 0; v < kVectors; ++v) {
      offset[v] = at;
      if (begin + v * step < args.bytes) held[v] = ptx::LoadPeer(args.from + at);
      at += stride;
      if (at >= args.distinct_bytes) at -= args.distinct_bytes;
    }
#pragma unroll
    for (uint32_t v = 0; v < kVectors; ++v) {
      if (begin + v * step < args.bytes) ptx::StoreVector(args.to + offset[v], held[v]);
    }
  }
}

extern "C" __global__ void __launch_bounds__(32)
    ep_round_trips(const __grid_constant__ RoundTripArguments args) {
  if (threadIdx.x != 0) return;
  uint64_t last = ptx::GlobalTimerNs();
  for (uint32_t i = 0; i < args.count; ++i) {
    const uint64_t turn = args.turn + i + 1;
    if (args.first) ptx::StoreReleaseSystem(args.peers, turn);
    for (uint32_t misses = 1; ptx::LoadAcquireSystem(args.mine) != turn; ++misses) {
      if (misses % 64 != 0) continue;
      if (ptx::GlobalTimerNs() - last < args.timeout_ns &&
          ptx::LoadRelaxedSystem(args.aborted) == 0) {
        continue;
      }
      *args.overdue = 1;
      return;
    }
    if (!args.first) ptx::StoreReleaseSystem(args.peers, turn);
    const uint64_t now = ptx::GlobalTimerNs();
    args.duration_ns[i] = now - last;
    last = now;
  }
}

extern "C" __global__ void __launch_bounds__(32 * kGemmWorkers, 1)
    ep_meter_gemm(const __grid_constant__ MeterArguments args) {
  FillOperands(reinterpret_cast<uint16_t*>(shared_memory));
  uint64_t sum = 0;
  RunMeter(
      args, [&] { sum += GemmTile(reinterpret_cast<const ptx::Vector*>(shared_memory)); },
      [&] { return sum; });
}

extern "C" __global__ void __launch_bounds__(32 * kStreamWorkers, 1)
    ep_meter_stream(const __grid_constant__ MeterArguments args) {
  const uint64_t worker = (blockIdx.x * blockDim.x + threadIdx.x) / 32;
  uint8_t* const memory = args.memory + worker * args.tiles * kStreamTileBytes;
  uint64_t at = 0;
  RunMeter(
      args,
      [&] {
        StreamTile(memory + at * kStreamTileBytes);
        if (++at == args.tiles) at = 0;
      },
      [] { return uint64_t{0}; });
}
