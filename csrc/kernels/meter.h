// Meters: kernels of known work that run beside operations, on the multiprocessors that these
// leave. How fast a meter is alone and beside says what operations cost their neighbours.
//
// A meter has a block on each of its multiprocessors, with all of that one's fast memory, so
// nothing else has room there. A worker is a warp: it does one tile after the other, and between
// two looks at what the host says. Tiles count from the host's kCount to its kStop.
#ifndef CSRC_KERNELS_METER_H_
#define CSRC_KERNELS_METER_H_

#include "csrc/protocol/std.h"
#include "csrc/protocol/words.h"

namespace ep::kernels {

// What the host says to a meter.
enum class MeterStage : uint32_t { kWait = 0, kCount = 1, kStop = 2 };

// What a worker leaves.
struct MeterReport {
  uint64_t tiles;       // all that it did
  uint64_t counted;     // of them, those that count
  uint64_t counted_ns;  // how long these took, by the GPU's clock
  uint64_t sum;         // gemm: of all products
  uint32_t sm;          // multiprocessor that it ran on
  uint32_t ended;       // 1: the host said so, 0: it went for being late
};

// ep_meter_gemm and ep_meter_stream: a block a multiprocessor.
struct MeterArguments {
  const uint32_t* stage;  // a MeterStage
  uint32_t* arrived;      // blocks that have come in
  uint32_t* all_arrived;  // of the host: 1 once all have
  MeterReport* reports;   // [blocks, workers of a block]
  uint8_t* memory;        // stream: zeros, kStreamTileBytes a tile
  uint64_t tiles;         // stream: that each worker has, and goes over in turn
  uint64_t longest_ns;    // of what counts; then a worker goes
  uint64_t timeout_ns;    // until the host says kCount
};

// A stream's tile: so many bytes, each read once and written once.
inline constexpr uint32_t kStreamTileBytes = 32 << 10;
inline constexpr uint32_t kStreamWorkers = 16;  // of a block
static_assert(EP_METER_STREAM_BYTES == 2 * kStreamTileBytes * kStreamWorkers);

// How often tile `tile` of `tiles` was written by a worker that did `done`: each adds one to every
// word.
constexpr uint64_t TimesWritten(uint64_t done, uint64_t tiles, uint64_t tile) {
  return done / tiles + (tile < done % tiles ? 1 : 0);
}

// A gemm's tile: a product of BF16 [64, kGemmDepth] and [kGemmDepth, 64], summed in fp32. Its
// operands stay in fast memory, in the order in which lanes load them: 16 channels a step.
inline constexpr uint32_t kGemmSteps = 32;
inline constexpr uint32_t kGemmDepth = 16 * kGemmSteps;
inline constexpr uint32_t kGemmWorkers = 8;  // of a block
static_assert(EP_METER_GEMM_FLOP == 2 * 64 * 64 * kGemmDepth * kGemmWorkers);
// Vectors of 8 values a lane and step, of each operand.
inline constexpr uint32_t kGemmVectors = 4;
inline constexpr uint32_t kGemmValues = kGemmSteps * kGemmVectors * 32 * 8;  // of an operand
inline constexpr uint32_t kGemmFastBytes = 2 * 2 * kGemmValues;

// A value of an operand: a whole number, so that sums are exact, and no pattern that spares power.
constexpr uint32_t GemmValue(uint32_t operand, uint32_t index) {
  return ((index * 2 + operand) * 2654435761u >> 20) % 7;
}
// The channel within its step of a value of the first operand and of the second, as the layout of
// mma.m16n8k16's fragments has it: of the first a vector is a fragment, of the second two.
constexpr uint32_t GemmChannel(uint32_t operand, uint32_t index) {
  const uint32_t lane = index / 8 % 32;
  const uint32_t word = index / 2 % 4;
  const uint32_t upper = operand == 0 ? word / 2 : word % 2;
  return 2 * (lane % 4) + index % 2 + 8 * upper;
}

// The sum of all 64 x 64 results of a tile.
constexpr uint64_t GemmTileSum() {
  uint64_t sum = 0;
  for (uint32_t step = 0; step < kGemmSteps; ++step) {
    uint64_t of_channel[2][16] = {};
    for (uint32_t operand = 0; operand < 2; ++operand) {
      for (uint32_t i = 0; i < kGemmValues / kGemmSteps; ++i) {
        of_channel[operand][GemmChannel(operand, i)] +=
            GemmValue(operand, step * (kGemmValues / kGemmSteps) + i);
      }
    }
    for (uint32_t k = 0; k < 16; ++k) sum += of_channel[0][k] * of_channel[1][k];
  }
  return sum;
}

}  // namespace ep::kernels

#endif  // CSRC_KERNELS_METER_H_
