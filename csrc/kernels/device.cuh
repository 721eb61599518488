// How a GPU runs the protocol: a worker is a thread block, a crew is a warp, which moves pieces of
// 512 channels, 16 a lane. csrc/protocol/device.h says what a device policy provides.
//
// The order of memory (docs/architecture.md, "Memory order"): lanes' plain stores -> the block's
// barrier -> one lane's atom.acq_rel.gpu (ArriveLast, AddLast) -> st.release.sys of a flag
// (StoreRelease) -> the peer's ld.acquire.sys (LoadAcquire) -> its barrier (Any) -> its lanes'
// plain loads. Every pair is morally strong within its scope, and causality composes.
#ifndef CSRC_KERNELS_DEVICE_CUH_
#define CSRC_KERNELS_DEVICE_CUH_

#include "csrc/kernels/ptx.cuh"
#include "csrc/protocol/device.h"
#include "csrc/protocol/quant.h"
#include "csrc/protocol/shape.h"

namespace ep {

class GpuDevice {
 public:
  static constexpr uint32_t kLanes = 32;
  static constexpr uint32_t kPieceChannels = 512;
  static constexpr uint32_t kPollsPerLook = 64;

  explicit GpuDevice(const uint32_t* aborted) : aborted_(aborted) {}

  uint32_t Lane() const { return threadIdx.x % kLanes; }
  // Neighbouring crews are of different blocks: few pieces spread over many multiprocessors.
  uint32_t Crew() const { return threadIdx.x / kLanes * gridDim.x + blockIdx.x; }
  uint32_t Crews() const { return blockDim.x / kLanes * gridDim.x; }
  uint32_t Thread() const { return threadIdx.x; }
  uint32_t Threads() const { return blockDim.x; }
  uint32_t Worker() const { return blockIdx.x; }
  uint32_t Workers() const { return gridDim.x; }

  void SyncCrew() { __syncwarp(); }
  void Sync() { __syncthreads(); }
  bool Any(bool mine) { return __syncthreads_or(mine); }
  bool ArriveLast(uint32_t* ticket) {
    __syncthreads();
    bool last = false;
    if (threadIdx.x == 0) {
      FenceIfConservative();
      last = ptx::AddAcquireReleaseDevice(ticket, 1) + 1 == gridDim.x;
      if (last) ptx::StoreRelaxedDevice(ticket, 0);
    }
    return __syncthreads_or(last);
  }
  bool AddLast(uint32_t* counter, uint32_t mine, uint32_t all) {
    if (mine == 0) return false;
    __syncwarp();
    if (Lane() != 0) return false;
    FenceIfConservative();
    if (ptx::AddAcquireReleaseDevice(counter, mine) + mine != all) return false;
    ptx::StoreRelaxedDevice(counter, 0);
    return true;
  }

  // Lanes of the crew that have the same value, as bits.
  uint32_t Match(uint32_t value) { return __match_any_sync(kAll, value); }
  uint32_t OrCrew(uint32_t value) { return __reduce_or_sync(kAll, value); }
  bool AnyOfCrew(bool mine) { return __any_sync(kAll, mine); }
  void OrShared(uint32_t* word, uint32_t bits) { atomicOr_block(word, bits); }

  // A lane's 16 channels of a piece: consecutive ones where eight lanes are to share a scale, else
  // two vectors that lie among the other lanes'. A short piece leaves lanes without.
  struct Channels {
    ptx::Vector vector[2];
  };
  Channels Fetch(const Shape& shape, const Bf16* row, Piece piece) {
    Channels channels = {};
    for (uint32_t v = 0; v < 2; ++v) {
      const uint32_t channel = shape.dtype == Dtype::kFp8
                                   ? Lane() * kLaneChannels + v * kVectorChannels
                                   : (v * kLanes + Lane()) * kVectorChannels;
      if (channel < piece.count) channels.vector[v] = ptx::LoadInput(row + piece.first + channel);
    }
    return channels;
  }

  struct Row {
    bool finite;
    bool fp8;
    Piece piece;
    ptx::Vector payload[2];  // FP8 needs the first only
    float scale;
  };
  Row Pack(const Shape& shape, const Channels& channels, Piece piece) {
    if (shape.dtype == Dtype::kBf16) {
      return {true, false, piece, {channels.vector[0], channels.vector[1]}, 0};
    }
    // Eight lanes share a scale.
    uint32_t magnitude = 0;
    for (const ptx::Vector& v : channels.vector) {
      for (const uint32_t pair : v.word) {
        magnitude = Larger(magnitude, Larger(Magnitude(pair), Magnitude(pair >> 16)));
      }
    }
    for (uint32_t step = 1; step < kChannelsPerScale / kLaneChannels; step *= 2) {
      magnitude = Larger(magnitude, __shfl_xor_sync(kAll, magnitude, step));
    }
    const float largest = Bf16ToFloat(static_cast<Bf16>(magnitude));
    const float amax = largest > kMinAmax ? largest : kMinAmax;
    const float multiplier = kE4m3Max / amax;
    Row row = {magnitude != kBf16Infinity, true, piece, {}, amax / kE4m3Max};
    for (uint32_t i = 0; i < 4; ++i) {
      const uint32_t* pairs = channels.vector[i / 2].word + i % 2 * 2;
      row.payload[0].word[i] = Codes(pairs[0], multiplier) | Codes(pairs[1], multiplier) << 16;
    }
    return row;
  }
  void PutRow(const Row& row, uint8_t* payload, float* scales) {
    if (!row.fp8) {
      Write(payload + sizeof(Bf16) * row.piece.first,
            {static_cast<uint32_t>(sizeof(Bf16)) * row.piece.count,
             {row.payload[0], row.payload[1]}});
      return;
    }
    const uint32_t channel = Lane() * kLaneChannels;
    if (channel >= row.piece.count) return;
    ptx::StoreVector(payload + row.piece.first + channel, row.payload[0]);
    if (channel % kChannelsPerScale == 0) {
      scales[row.piece.FirstScale() + channel / kChannelsPerScale] = row.scale;
    }
  }

  // Up to 1024 bytes, vector by vector across the lanes.
  struct Held {
    uint32_t bytes;
    ptx::Vector vector[2];
  };
  Held Read(const uint8_t* from, size_t bytes) {
    Held held = {static_cast<uint32_t>(bytes), {}};
    const uint32_t mine = Lane() * sizeof(ptx::Vector);
    if (mine < held.bytes) held.vector[0] = ptx::LoadPeer(from + mine);
    if (mine + kCrewBytes < held.bytes) held.vector[1] = ptx::LoadPeer(from + mine + kCrewBytes);
    return held;
  }
  void Write(uint8_t* to, const Held& held) {
    const uint32_t mine = Lane() * sizeof(ptx::Vector);
    if (mine < held.bytes) ptx::StoreVector(to + mine, held.vector[0]);
    if (mine + kCrewBytes < held.bytes) ptx::StoreVector(to + mine + kCrewBytes, held.vector[1]);
  }
  Held Zeros(size_t bytes) { return {static_cast<uint32_t>(bytes), {}}; }
  // Several rows' loads are under way at a time.
  template <class ToOf, class FromOf>
  void CopyRows(size_t bytes, uint32_t count, ToOf to_of, FromOf from_of) {
    constexpr uint32_t kRows = 4;
    for (uint32_t begin = 0; begin < count; begin += kRows) {
      Held held[kRows];
#pragma unroll
      for (uint32_t r = 0; r < kRows; ++r) {
        if (begin + r >= count) continue;
        held[r] = Read(reinterpret_cast<const uint8_t*>(from_of(begin + r)), bytes);
      }
#pragma unroll
      for (uint32_t r = 0; r < kRows; ++r) {
        if (begin + r < count) Write(reinterpret_cast<uint8_t*>(to_of(begin + r)), held[r]);
      }
    }
  }
  void Copy(void* to, const void* from, size_t bytes) {
    for (uint32_t i = Lane(); i < bytes / sizeof(uint32_t); i += kLanes) {
      static_cast<uint32_t*>(to)[i] = static_cast<const uint32_t*>(from)[i];
    }
  }

  template <class RowOf, class WeightOf>
  void SumWeighted(Bf16* out, uint32_t channels, uint32_t count, RowOf row_of, WeightOf weight_of) {
    Sums sums = {};
    ForRows(channels, count, row_of, [&](uint32_t i, const ptx::Vector(&row)[2]) {
      const float weight = weight_of(i);
      ForChannels(sums, row, [&](float& sum, float value) { sum = __fmaf_rn(weight, value, sum); });
    });
    Round(out, channels, sums);
  }
  template <class RowOf>
  void SumPartials(Bf16* out, uint32_t channels, uint32_t count, RowOf row_of) {
    Sums sums = {};
    ForRows(channels, count, row_of, [&](uint32_t i, const ptx::Vector(&row)[2]) {
      // The first is not added to 0: that would lose the sign of -0.
      ForChannels(sums, row, [&](float& sum, float value) {
        sum = i == 0 ? value : __fadd_rn(sum, value);
      });
    });
    Round(out, channels, sums);
  }

  template <class T>
  void Store(T* to, const T& value) {
    *to = value;
  }
  void StoreRelease(uint64_t* flag, uint64_t value) { ptx::StoreReleaseSystem(flag, value); }
  uint64_t LoadAcquire(const uint64_t* flag) { return ptx::LoadAcquireSystem(flag); }

  uint64_t NowNs() const { return ptx::GlobalTimerNs(); }
  bool Aborted() const { return ptx::LoadRelaxedSystem(aborted_) != 0; }
  void Relax(uint32_t misses) const {
    constexpr uint32_t kLongWait = 1024;
    if (misses >= kLongWait) ptx::SleepNs(32);
  }
  bool ClaimOnce(uint32_t* claimed) { return ptx::ExchangeRelaxedDevice(claimed, 1) == 0; }
  bool Failed(const uint32_t& claimed) const { return ptx::LoadRelaxedDevice(&claimed) != 0; }

 private:
  // The chain above needs none; csrc/kernels/BUILD.bazel says what for.
  static void FenceIfConservative() {
#ifdef EP_FENCE_CONSERVATIVE
    ptx::FenceAcquireReleaseSystem();
#endif
  }

  static constexpr uint32_t kAll = 0xFFFFFFFF;
  static constexpr uint32_t kLaneChannels = kPieceChannels / kLanes;
  static constexpr uint32_t kCrewBytes = kLanes * sizeof(ptx::Vector);
  static constexpr uint32_t kVectorChannels = sizeof(ptx::Vector) / sizeof(Bf16);
  static_assert(kChannelsPerScale % kLaneChannels == 0, "no lane has channels of two scales");

  struct Sums {
    float of[2][kVectorChannels];
  };

  static uint32_t Larger(uint32_t a, uint32_t b) { return a > b ? a : b; }
  // Of the BF16 in the low half; 0 for a NaN.
  static uint32_t Magnitude(uint32_t pair) {
    const uint32_t magnitude = pair & 0x7FFF;
    return magnitude <= kBf16Infinity ? magnitude : 0;
  }
  static float Low(uint32_t pair) { return __uint_as_float(pair << 16); }
  static float High(uint32_t pair) { return __uint_as_float(pair & 0xFFFF0000); }
  static uint32_t Codes(uint32_t pair, float multiplier) {
    return ptx::ToE4m3x2(__fmul_rn(Low(pair), multiplier), __fmul_rn(High(pair), multiplier));
  }

  // Calls add(i, row i's two vectors of this lane) for all rows in order, with several rows' loads
  // under way at a time: each may come from a peer, some microseconds away.
  template <class RowOf, class Add>
  void ForRows(uint32_t channels, uint32_t count, RowOf row_of, Add add) {
    constexpr uint32_t kRows = 4;
    for (uint32_t begin = 0; begin < count; begin += kRows) {
      ptx::Vector held[kRows][2] = {};
#pragma unroll
      for (uint32_t r = 0; r < kRows; ++r) {
        if (begin + r >= count) continue;
        const Bf16* row = row_of(begin + r);
#pragma unroll
        for (uint32_t v = 0; v < 2; ++v) {
          const uint32_t channel = (v * kLanes + Lane()) * kVectorChannels;
          if (channel < channels) held[r][v] = ptx::LoadPeer(row + channel);
        }
      }
#pragma unroll
      for (uint32_t r = 0; r < kRows; ++r) {
        if (begin + r < count) add(begin + r, held[r]);
      }
    }
  }
  template <class Add>
  static void ForChannels(Sums& sums, const ptx::Vector (&row)[2], Add add) {
#pragma unroll
    for (uint32_t v = 0; v < 2; ++v) {
#pragma unroll
      for (uint32_t i = 0; i < kVectorChannels / 2; ++i) {
        add(sums.of[v][2 * i], Low(row[v].word[i]));
        add(sums.of[v][2 * i + 1], High(row[v].word[i]));
      }
    }
  }
  void Round(Bf16* out, uint32_t channels, const Sums& sums) {
    for (uint32_t v = 0; v < 2; ++v) {
      const uint32_t channel = (v * kLanes + Lane()) * kVectorChannels;
      if (channel >= channels) return;
      ptx::Vector rounded;
      for (uint32_t i = 0; i < kVectorChannels / 2; ++i) {
        rounded.word[i] = ptx::ToBf16x2(sums.of[v][2 * i], sums.of[v][2 * i + 1]);
      }
      ptx::StoreVector(out + channel, rounded);
    }
  }

  const uint32_t* const aborted_;
};

}  // namespace ep

#endif  // CSRC_KERNELS_DEVICE_CUH_
