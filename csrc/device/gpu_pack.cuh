// A warp's piece of a token's row, as it is read and as it travels.
//
// In BF16 a lane has vectors of 8 channels that lie among the other lanes'. In FP8 it has 16
// consecutive channels of every 512, so that eight lanes share a scale; scale 4 p + g of a piece
// then comes from lane 8 g's p-th channels, and goes to lane 4 p + g, so that one store writes all.
#ifndef CSRC_DEVICE_GPU_PACK_CUH_
#define CSRC_DEVICE_GPU_PACK_CUH_

#include "csrc/device/gpu_memory.h"
#include "csrc/device/ptx.cuh"
#include "csrc/protocol/device.h"
#include "csrc/protocol/packet.h"
#include "csrc/protocol/quant.h"
#include "csrc/protocol/shape.h"

namespace ep {

inline constexpr uint32_t kVectorChannels = sizeof(ptx::Vector) / sizeof(Bf16);
template <Dtype kDtype, uint32_t kUnits>
struct PieceChannels {
  // Of 512 channels of BF16, a lane's vectors are two.
  static constexpr uint32_t kHeldVectors = 2 * kUnits;
  ptx::Vector vector[kHeldVectors];

  // First channel of a lane's v-th vector.
  static constexpr uint32_t At(uint32_t v, uint32_t lane) {
    return kDtype == Dtype::kFp8 ? v / 2 * 512 + lane * 16 + v % 2 * kVectorChannels
                                 : (v * 32 + lane) * kVectorChannels;
  }
  static EP_INLINE PieceChannels Load(const Bf16* piece, uint32_t count, uint32_t lane) {
    PieceChannels channels;
#pragma unroll
    for (uint32_t v = 0; v < kHeldVectors; ++v) {
      channels.vector[v] = {};
      if (At(v, lane) < count) channels.vector[v] = ptx::LoadInput(piece + At(v, lane));
    }
    return channels;
  }
};

template <Dtype kDtype, uint32_t kUnits>
struct PackedPiece;

template <uint32_t kUnits>
struct PackedPiece<Dtype::kBf16, kUnits> {
  using Channels = PieceChannels<Dtype::kBf16, kUnits>;
  static constexpr bool finite = true;
  Piece piece;
  Channels channels;

  static EP_INLINE PackedPiece Fetch(const E4m3*, const float*, Piece, uint32_t) { return {}; }
  static EP_INLINE PackedPiece Pack(const Channels& channels, Piece piece, uint32_t) {
    return {piece, channels};
  }
  EP_INLINE void Put(uint8_t* payload, float*, uint32_t lane) const {
    auto* to = reinterpret_cast<Bf16*>(payload) + piece.first;
#pragma unroll
    for (uint32_t v = 0; v < Channels::kHeldVectors; ++v) {
      const uint32_t at = Channels::At(v, lane);
      if (at < piece.count) ptx::StoreVector(to + at, channels.vector[v]);
    }
  }
  // Into fast memory, from where packets carry it.
  EP_INLINE void Stage(uint8_t* fast, uint32_t lane) const {
    auto* to = reinterpret_cast<Bf16*>(fast);
#pragma unroll
    for (uint32_t v = 0; v < Channels::kHeldVectors; ++v) {
      const uint32_t at = Channels::At(v, lane);
      if (at < piece.count) *reinterpret_cast<ptx::Vector*>(to + at) = channels.vector[v];
    }
  }
};

// `magnitude` is the largest of the group, and no more than kMostQuickMagnitude.
inline constexpr uint32_t kMostQuickMagnitude = 0x7E00;
static_assert(Bf16ToFloat(kMostQuickMagnitude) == kMostQuickAmax);
inline float AmaxOf(uint32_t magnitude) {
  const float largest = Bf16ToFloat(static_cast<Bf16>(magnitude));
  return largest > kMinAmax ? largest : kMinAmax;
}
inline GroupScale QuickScaleOf(uint32_t magnitude) {
  const float amax = AmaxOf(magnitude);
  return QuickScale(amax, ptx::Reciprocal(amax),
                    [](float x, float y, float z) { return __fmaf_rn(x, y, z); });
}
// Of any magnitude.
inline GroupScale SlowScaleOf(uint32_t magnitude) {
  const float amax = AmaxOf(magnitude);
  return {kE4m3Max / amax, amax / kE4m3Max};
}

// Bits of the larger |channel| of a pair's two, without NaNs: the slow way, for groups with one.
inline uint32_t PairMagnitude(uint32_t pair) {
  const uint32_t low = pair & 0x7FFF;
  const uint32_t high = pair >> 16 & 0x7FFF;
  const uint32_t finite_low = low <= kBf16Infinity ? low : 0;
  const uint32_t finite_high = high <= kBf16Infinity ? high : 0;
  return finite_low > finite_high ? finite_low : finite_high;
}

// Bits of the largest |channel| of a lane's 16; more than kBf16Infinity if there is a NaN.
inline uint32_t Magnitude(const ptx::Vector& a, const ptx::Vector& b) {
  uint32_t pairs = 0;
#pragma unroll
  for (uint32_t w = 0; w < 4; ++w) {
    pairs = __vmaxu2(pairs, a.word[w] & 0x7FFF7FFF);
    pairs = __vmaxu2(pairs, b.word[w] & 0x7FFF7FFF);
  }
  const uint32_t low = pairs & 0xFFFF;
  const uint32_t high = pairs >> 16;
  return low > high ? low : high;
}
// The same without the NaNs.
inline uint32_t FiniteMagnitude(const ptx::Vector& a, const ptx::Vector& b) {
  uint32_t largest = 0;
#pragma unroll
  for (uint32_t w = 0; w < 4; ++w) {
    const uint32_t of_a = PairMagnitude(a.word[w]);
    const uint32_t of_b = PairMagnitude(b.word[w]);
    const uint32_t larger = of_a > of_b ? of_a : of_b;
    largest = larger > largest ? larger : largest;
  }
  return largest;
}
// Four codes of two pairs of channels.
inline uint32_t Codes(const uint32_t* pairs, float multiplier) {
  const auto two = [&](uint32_t pair) {
    return ptx::ToE4m3x2(__fmul_rn(__uint_as_float(pair << 16), multiplier),
                         __fmul_rn(__uint_as_float(pair & 0xFFFF0000), multiplier));
  };
  return two(pairs[0]) | two(pairs[1]) << 16;
}

template <uint32_t kUnits>
struct PackedPiece<Dtype::kFp8, kUnits> {
  using Channels = PieceChannels<Dtype::kFp8, kUnits>;
  bool finite;
  Piece piece;
  ptx::Vector codes[kUnits];
  float scale;  // this lane's, of the piece's first 32

  // What was packed before.
  static EP_INLINE PackedPiece Fetch(const E4m3* codes, const float* scales, Piece piece,
                                     uint32_t lane) {
    PackedPiece packed = {true, piece, {}, 0};
    const E4m3* from = codes + piece.first + lane * 16;
#pragma unroll
    for (uint32_t u = 0; u < kUnits; ++u) {
      const uint32_t at = u * 512 + lane * 16;
      if (at < piece.count) packed.codes[u] = ptx::LoadInputUpTo(from + u * 512, piece.count - at);
    }
    if (lane < piece.Scales()) packed.scale = scales[piece.FirstScale() + lane];
    return packed;
  }
  static EP_INLINE PackedPiece Pack(const Channels& channels, Piece piece, uint32_t lane) {
    PackedPiece packed;
    packed.piece = piece;
    packed.scale = 0;
    // All at once, without a branch: what is beyond the piece is 0.
    uint32_t magnitude[kUnits];
    uint32_t nan = 0;
#pragma unroll
    for (uint32_t u = 0; u < kUnits; ++u) {
      magnitude[u] = Magnitude(channels.vector[2 * u], channels.vector[2 * u + 1]);
      nan |= magnitude[u] > kBf16Infinity;
    }
    if (__any_sync(0xFFFFFFFF, nan)) {
#pragma unroll
      for (uint32_t u = 0; u < kUnits; ++u) {
        magnitude[u] = FiniteMagnitude(channels.vector[2 * u], channels.vector[2 * u + 1]);
      }
    }
    // The largest of the eight lanes that share a scale. Units are taken together, step by step: one
    // after the other, each step would wait for the one before.
#pragma unroll
    for (uint32_t step = 1; step < kChannelsPerScale / 16; step *= 2) {
#pragma unroll
      for (uint32_t u = 0; u < kUnits; ++u) {
        const uint32_t other = __shfl_xor_sync(0xFFFFFFFF, magnitude[u], step);
        magnitude[u] = magnitude[u] > other ? magnitude[u] : other;
      }
    }
    uint32_t most = 0;
    GroupScale group[kUnits];
#pragma unroll
    for (uint32_t u = 0; u < kUnits; ++u) {
      most = magnitude[u] > most ? magnitude[u] : most;
      group[u] = QuickScaleOf(magnitude[u]);
    }
    packed.finite = most != kBf16Infinity;
    if (__any_sync(0xFFFFFFFF, most > kMostQuickMagnitude)) {
#pragma unroll
      for (uint32_t u = 0; u < kUnits; ++u) {
        if (magnitude[u] > kMostQuickMagnitude) group[u] = SlowScaleOf(magnitude[u]);
      }
    }
#pragma unroll
    for (uint32_t u = 0; u < kUnits; ++u) {
      const ptx::Vector& a = channels.vector[2 * u];
      const ptx::Vector& b = channels.vector[2 * u + 1];
      packed.codes[u] = {Codes(a.word, group[u].multiplier), Codes(a.word + 2, group[u].multiplier),
                         Codes(b.word, group[u].multiplier), Codes(b.word + 2, group[u].multiplier)};
      const float mine = __shfl_sync(0xFFFFFFFF, group[u].scale, lane % 4 * 8);
      if (lane / 4 == u) packed.scale = mine;
    }
    return packed;
  }
  EP_INLINE void Put(uint8_t* payload, float* scales, uint32_t lane) const {
    uint8_t* to = payload + piece.first + lane * 16;
    const bool whole = ptx::IsWhole(payload, piece.count);
#pragma unroll
    for (uint32_t u = 0; u < kUnits; ++u) {
      const uint32_t at = u * 512 + lane * 16;
      if (at >= piece.count) continue;
      if (whole) {
        ptx::StoreVector(to + u * 512, codes[u]);
      } else {
        ptx::StoreUpTo(to + u * 512, codes[u], piece.count - at);
      }
    }
    if (lane < piece.Scales()) scales[piece.FirstScale() + lane] = scale;
  }
  // Into fast memory, from where packets carry it: scales first. Half a vector's codes at the end
  // of a row have zeros behind them.
  EP_INLINE void Stage(uint8_t* fast, uint32_t lane) const {
#pragma unroll
    for (uint32_t u = 0; u < kUnits; ++u) {
      const uint32_t at = u * 512 + lane * 16;
      if (at >= piece.count) continue;
      *reinterpret_cast<ptx::Vector*>(fast + PacketCounts::kScaleBytes + at) = codes[u];
    }
    if (lane < piece.Scales()) reinterpret_cast<float*>(fast)[lane] = scale;
  }

  static_assert(kUnits * 4 <= 32, "a lane has one scale of a piece");
};

}  // namespace ep

#endif  // CSRC_DEVICE_GPU_PACK_CUH_
