// Sums of rows, channel by channel, by a warp: combine's arithmetic (csrc/protocol/combine.h).
//
// Vectors are set to zero before they are loaded where their row or channel exists: else what they
// held before would have to be kept. What costs is to wait for rows, each from somewhere else. So a
// lane has up to 16 vectors of them under way before it adds the first: many channels of few rows,
// or few of many.
#ifndef CSRC_DEVICE_GPU_SUM_CUH_
#define CSRC_DEVICE_GPU_SUM_CUH_

#include "csrc/device/gpu_pack.cuh"
#include "csrc/device/ptx.cuh"
#include "csrc/protocol/quant.h"
#include "csrc/protocol/std.h"

namespace ep {

// Rows that are multiplied, in order, from 0.
template <class RowOf, class WeightOf>
struct Weighted {
  RowOf row_of;
  WeightOf weight_of;

  const Bf16* Row(uint32_t i) const { return row_of(i); }
  static ptx::Vector Load(const Bf16* from) { return ptx::LoadPeer(from); }
  float Factor(uint32_t i) const { return weight_of(i); }
  static float Add(uint32_t, float sum, float value, float factor) {
    return __fmaf_rn(factor, value, sum);
  }
};

// Rows that are added, in order, from the first: to 0 it is not added, that would lose the sign of
// -0. Row `own` lies in the crew's fast memory.
template <class RowOf>
struct Plain {
  RowOf row_of;
  uint32_t own;
  const Bf16* fast;

  const Bf16* Row(uint32_t i) const { return i == own ? fast : row_of(i); }
  static ptx::Vector Load(const Bf16* from) { return ptx::LoadAnywhere(from); }
  static float Factor(uint32_t) { return 0; }
  static float Add(uint32_t i, float sum, float value, float) {
    return i == 0 ? value : __fadd_rn(sum, value);
  }
};

struct VectorSums {
  float of[kVectorChannels];

  template <class Rows>
  EP_INLINE void Add(uint32_t i, const ptx::Vector& row, float factor) {
#pragma unroll
    for (uint32_t w = 0; w < 4; ++w) {
      of[2 * w] = Rows::Add(i, of[2 * w], __uint_as_float(row.word[w] << 16), factor);
      of[2 * w + 1] =
          Rows::Add(i, of[2 * w + 1], __uint_as_float(row.word[w] & 0xFFFF0000), factor);
    }
  }
  ptx::Vector Rounded() const {
    return {ptx::ToBf16x2(of[0], of[1]), ptx::ToBf16x2(of[2], of[3]), ptx::ToBf16x2(of[4], of[5]),
            ptx::ToBf16x2(of[6], of[7])};
  }
};

// kRows rows at most, of kVectors vectors at a time.
template <uint32_t kRows, uint32_t kVectors, class Rows, class Put>
EP_INLINE void SumFew(uint32_t channels, uint32_t count, uint32_t lane, const Rows& rows, Put put) {
  const Bf16* row[kRows];
  float factor[kRows];
#pragma unroll
  for (uint32_t r = 0; r < kRows; ++r) {
    row[r] = r < count ? rows.Row(r) : nullptr;
    factor[r] = r < count ? rows.Factor(r) : 0;
  }
#pragma unroll 1
  for (uint32_t first = lane * kVectorChannels; first < channels;
       first += kVectors * 32 * kVectorChannels) {
    ptx::Vector held[kRows][kVectors];
#pragma unroll
    for (uint32_t r = 0; r < kRows; ++r) {
#pragma unroll
      for (uint32_t v = 0; v < kVectors; ++v) {
        const uint32_t channel = first + v * 32 * kVectorChannels;
        held[r][v] = {};
        if (r < count && channel < channels) held[r][v] = Rows::Load(row[r] + channel);
      }
    }
#pragma unroll
    for (uint32_t v = 0; v < kVectors; ++v) {
      const uint32_t channel = first + v * 32 * kVectorChannels;
      VectorSums sums = {};
#pragma unroll
      for (uint32_t r = 0; r < kRows; ++r) {
        if (r < count) sums.template Add<Rows>(r, held[r][v], factor[r]);
      }
      if (channel < channels) put(channel, sums.Rounded());
    }
  }
}

// Any number of rows, kRows of kVectors vectors at a time.
template <uint32_t kRows, uint32_t kVectors, class Rows, class Put>
EP_INLINE void SumMany(uint32_t channels, uint32_t count, uint32_t lane, const Rows& rows,
                       Put put) {
#pragma unroll 1
  for (uint32_t first = lane * kVectorChannels; first < channels;
       first += kVectors * 32 * kVectorChannels) {
    VectorSums sums[kVectors] = {};
#pragma unroll 1
    for (uint32_t begin = 0; begin < count; begin += kRows) {
      ptx::Vector held[kRows][kVectors];
#pragma unroll
      for (uint32_t r = 0; r < kRows; ++r) {
#pragma unroll
        for (uint32_t v = 0; v < kVectors; ++v) {
          const uint32_t channel = first + v * 32 * kVectorChannels;
          held[r][v] = {};
          if (begin + r < count && channel < channels) {
            held[r][v] = Rows::Load(rows.Row(begin + r) + channel);
          }
        }
      }
#pragma unroll
      for (uint32_t r = 0; r < kRows; ++r) {
#pragma unroll
        for (uint32_t v = 0; v < kVectors; ++v) {
          if (begin + r < count) {
            sums[v].template Add<Rows>(begin + r, held[r][v], rows.Factor(begin + r));
          }
        }
      }
    }
#pragma unroll
    for (uint32_t v = 0; v < kVectors; ++v) {
      const uint32_t channel = first + v * 32 * kVectorChannels;
      if (channel < channels) put(channel, sums[v].Rounded());
    }
  }
}

// put(channel, vector) takes each of this lane's vectors of the sums, rounded to BF16. Of few rows
// up to kVectors are under way at a time.
template <uint32_t kVectors, class Rows, class Put>
EP_INLINE void SumRows(uint32_t channels, uint32_t count, uint32_t lane, const Rows& rows,
                       Put put) {
  if constexpr (kVectors >= 8) {
    if (count <= 2) return SumFew<2, kVectors / 2>(channels, count, lane, rows, put);
    if (count <= 4) return SumFew<4, kVectors / 4>(channels, count, lane, rows, put);
  }
  SumMany<8, 1>(channels, count, lane, rows, put);
}

}  // namespace ep

#endif  // CSRC_DEVICE_GPU_SUM_CUH_
