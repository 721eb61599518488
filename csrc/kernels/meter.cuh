// What a worker of a meter does: tiles, one after the other, and a look at what the host says between
// two of them.
#ifndef CSRC_KERNELS_METER_CUH_
#define CSRC_KERNELS_METER_CUH_

#include "csrc/kernels/meter.h"
#include "csrc/device/ptx.cuh"

namespace ep::kernels {

// Runs `tile()`, one after the other, until the host says that it is enough. `sum()` is what the lanes
// have found.
template <class Tile, class Sum>
__forceinline__ void RunMeter(const MeterArguments& args, Tile tile, Sum sum) {
  const uint32_t lane = threadIdx.x % 32;
  MeterReport& report = args.reports[(blockIdx.x * blockDim.x + threadIdx.x) / 32];
  __syncthreads();
  if (threadIdx.x == 0 && atomicAdd(args.arrived, 1u) == gridDim.x - 1) {
    asm volatile("st.release.sys.global.u32 [%0], 1;" ::"l"(args.all_arrived) : "memory");
  }
  uint64_t tiles = 0;
  uint64_t counted_from = 0;
  uint64_t since_ns = ptx::GlobalTimerNs();
  bool counts = false;
  bool ended = false;
  for (;;) {
    // Under way while the tile is done, which hides how long it takes.
    const auto stage = static_cast<MeterStage>(ptx::LoadRelaxedDevice(args.stage));
    tile();
    ++tiles;
    const uint64_t now = ptx::GlobalTimerNs();
    ended = stage == MeterStage::kStop;
    const bool late = now - since_ns > (counts ? args.longest_ns : args.timeout_ns);
    // All lanes go on alike.
    if (__any_sync(~0u, ended || late)) {
      if (counts && lane == 0) {
        report.counted = tiles - counted_from;
        report.counted_ns = now - since_ns;
      }
      break;
    }
    if (!counts && __all_sync(~0u, stage == MeterStage::kCount)) {
      counts = true;
      counted_from = tiles;
      since_ns = now;
    }
  }
  ended = __any_sync(~0u, ended);
  atomicAdd(reinterpret_cast<unsigned long long*>(&report.sum), sum());
  if (lane != 0) return;
  report.tiles = tiles;
  report.sm = ptx::Multiprocessor();
  report.ended = ended;
}

// Adds one to each word of a tile, with as many loads under way as hide how long memory takes.
__forceinline__ void StreamTile(uint8_t* tile) {
  constexpr uint32_t kVectors = 8;
  constexpr uint32_t kStep = 32 * sizeof(ptx::Vector);
  tile += threadIdx.x % 32 * sizeof(ptx::Vector);
#pragma unroll 1
  for (uint32_t at = 0; at < kStreamTileBytes; at += kVectors * kStep) {
    ptx::Vector held[kVectors];
#pragma unroll
    for (uint32_t v = 0; v < kVectors; ++v) held[v] = ptx::LoadPeer(tile + at + v * kStep);
#pragma unroll
    for (uint32_t v = 0; v < kVectors; ++v) {
      for (uint32_t& word : held[v].word) ++word;
      ptx::StoreVector(tile + at + v * kStep, held[v]);
    }
  }
}

// Four sums += a fragment of 16 x 16 times one of 16 x 8.
__forceinline__ void MultiplyAdd(float (&sums)[4], const ptx::Vector& a, uint32_t b0, uint32_t b1) {
  asm volatile(
      "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, "
      "{%8, %9}, {%0, %1, %2, %3};"
      : "+f"(sums[0]), "+f"(sums[1]), "+f"(sums[2]), "+f"(sums[3])
      : "r"(a.word[0]), "r"(a.word[1]), "r"(a.word[2]), "r"(a.word[3]), "r"(b0), "r"(b1));
}

// Lays out a block's operands in its fast memory, kGemmFastBytes.
__forceinline__ void FillOperands(uint16_t* values) {
  for (uint32_t i = threadIdx.x; i < 2 * kGemmValues; i += blockDim.x) {
    const uint32_t operand = i / kGemmValues;
    const float value = static_cast<float>(GemmValue(operand, i % kGemmValues));
    values[i] = static_cast<uint16_t>(bit_cast<uint32_t>(value) >> 16);  // exact
  }
}

// Returns the sum of the lane's part of a tile.
__forceinline__ uint64_t GemmTile(const ptx::Vector* operands) {
  float sums[kGemmVectors][2 * kGemmVectors][4] = {};
  operands += threadIdx.x % 32;
#pragma unroll 1
  for (uint32_t step = 0; step < kGemmSteps; ++step) {
    ptx::Vector a[kGemmVectors];
    ptx::Vector b[kGemmVectors];
#pragma unroll
    for (uint32_t v = 0; v < kGemmVectors; ++v) {
      a[v] = operands[(step * kGemmVectors + v) * 32];
      b[v] = operands[kGemmValues / 8 + (step * kGemmVectors + v) * 32];
    }
#pragma unroll
    for (uint32_t m = 0; m < kGemmVectors; ++m) {
#pragma unroll
      for (uint32_t n = 0; n < kGemmVectors; ++n) {
        MultiplyAdd(sums[m][2 * n], a[m], b[n].word[0], b[n].word[1]);
        MultiplyAdd(sums[m][2 * n + 1], a[m], b[n].word[2], b[n].word[3]);
      }
    }
  }
  float sum = 0;  // exact: whole numbers below 2^24
#pragma unroll
  for (auto& of_m : sums) {
#pragma unroll
    for (auto& of_n : of_m) sum += of_n[0] + of_n[1] + of_n[2] + of_n[3];
  }
  return static_cast<uint64_t>(sum);
}

}  // namespace ep::kernels

#endif  // CSRC_KERNELS_METER_CUH_
