// How a lane of csrc/simt/machine.h runs the protocol: the twin of csrc/kernels/device.cuh, with
// the same lanes, pieces and places to meet. csrc/protocol/device.h says what a policy provides.
//
// All that others may read goes through the store buffer, in parts of the size of the GPU's.
#ifndef CSRC_SIMT_DEVICE_H_
#define CSRC_SIMT_DEVICE_H_

#include <algorithm>
#include <bit>
#include <cstring>
#include <utility>

#include "csrc/protocol/device.h"
#include "csrc/protocol/quant.h"
#include "csrc/protocol/shape.h"
#include "csrc/simt/machine.h"

namespace ep::simt {

class SimtDevice {
 public:
  static constexpr uint32_t kLanes = kCrewLanes;
  static constexpr uint32_t kPieceChannels = 512;
  static constexpr uint32_t kPollsPerLook = 4;

  SimtDevice(simt::Lane& lane, const bool* aborted) : lane_(lane), aborted_(aborted) {}

  uint32_t Lane() const { return lane_.Thread() % kLanes; }
  uint32_t Crew() const { return lane_.Thread() / kLanes * lane_.Blocks() + lane_.BlockIndex(); }
  uint32_t Crews() const { return lane_.Threads() / kLanes * lane_.Blocks(); }
  uint32_t Thread() const { return lane_.Thread(); }
  uint32_t Threads() const { return lane_.Threads(); }
  uint32_t Worker() const { return lane_.BlockIndex(); }
  uint32_t Workers() const { return lane_.Blocks(); }

  void SyncCrew(Site site = Site::current()) { lane_.MeetCrew("SyncCrew", site, 0, true); }
  void Sync(Site site = Site::current()) { lane_.MeetBlock("Sync", site, false); }
  bool Any(bool mine, Site site = Site::current()) { return lane_.MeetBlock("Any", site, mine); }
  bool ArriveLast(uint32_t* ticket, Site site = Site::current()) {
    lane_.MeetBlock("ArriveLast", site, false);
    bool last = false;
    if (Thread() == 0) {
      last = lane_.AddAcquireRelease(ticket, 1) + 1 == Workers();
      if (last) *ticket = 0;
    }
    return lane_.MeetBlock("ArriveLast", site, last);
  }
  bool AddLast(uint32_t* counter, uint32_t mine, uint32_t all, Site site = Site::current()) {
    if (mine == 0) return false;
    lane_.MeetCrew("AddLast", site, 0, true);
    if (Lane() != 0) return false;
    if (lane_.AddAcquireRelease(counter, mine) + mine != all) return false;
    *counter = 0;
    return true;
  }

  uint32_t Match(uint32_t value, Site site = Site::current()) {
    const uint32_t* values = lane_.MeetCrew("Match", site, value, false);
    uint32_t same = 0;
    for (uint32_t i = 0; i < kLanes; ++i) same |= uint32_t{values[i] == value} << i;
    return same;
  }
  uint32_t OrCrew(uint32_t value, Site site = Site::current()) {
    const uint32_t* values = lane_.MeetCrew("OrCrew", site, value, false);
    uint32_t all = 0;
    for (uint32_t i = 0; i < kLanes; ++i) all |= values[i];
    return all;
  }
  bool AnyOfCrew(bool mine, Site site = Site::current()) {
    const uint32_t* values = lane_.MeetCrew("AnyOfCrew", site, mine, false);
    return std::find(values, values + kLanes, 1) != values + kLanes;
  }
  void OrShared(uint32_t* word, uint32_t bits) { *word |= bits; }

  // A lane's 16 channels of a piece, where the GPU has them.
  struct Channels {
    Bf16 of[16];
  };
  Channels Fetch(const Shape& shape, const Bf16* row, Piece piece) {
    Channels channels = {};
    for (uint32_t v = 0; v < 2; ++v) {
      const uint32_t channel =
          shape.dtype == Dtype::kFp8 ? Lane() * kLaneChannels + v * kVector : Spread(v);
      if (channel >= piece.count) continue;
      std::memcpy(channels.of + v * kVector, row + piece.first + channel, kVectorBytes);
    }
    return channels;
  }

  struct Row {
    bool finite;
    bool fp8;
    Piece piece;
    Channels channels;  // BF16
    E4m3 codes[16];     // FP8
    float scale;
  };
  Row Pack(const Shape& shape, const Channels& channels, Piece piece, Site site = Site::current()) {
    if (shape.dtype == Dtype::kBf16) return {true, false, piece, channels, {}, 0};
    uint32_t mine = 0;
    for (const Bf16 channel : channels.of) {
      const uint32_t magnitude = channel & 0x7FFF;
      if (magnitude <= kBf16Infinity) mine = std::max(mine, magnitude);
    }
    constexpr uint32_t kSharers = kChannelsPerScale / kLaneChannels;
    const uint32_t* group =
        lane_.MeetCrew("Pack", site, mine, false) + Lane() / kSharers * kSharers;
    const uint32_t magnitude = *std::max_element(group, group + kSharers);
    const float amax = std::max(Bf16ToFloat(static_cast<Bf16>(magnitude)), kMinAmax);
    Row row = {magnitude != kBf16Infinity, true, piece, {}, {}, amax / kE4m3Max};
    for (uint32_t i = 0; i < kLaneChannels; ++i) {
      row.codes[i] = FloatToE4m3(Bf16ToFloat(channels.of[i]) * (kE4m3Max / amax));
    }
    return row;
  }
  void PutRow(const Row& row, uint8_t* payload, float* scales) {
    if (!row.fp8) {
      Held held = {sizeof(Bf16) * row.piece.count, {}};
      std::memcpy(held.bytes, row.channels.of, sizeof(held.bytes));
      return Write(payload + sizeof(Bf16) * row.piece.first, held);
    }
    const uint32_t channel = Lane() * kLaneChannels;
    if (channel >= row.piece.count) return;
    lane_.Store(payload + row.piece.first + channel, row.codes, sizeof(row.codes));
    if (channel % kChannelsPerScale == 0) {
      Store(scales + row.piece.FirstScale() + channel / kChannelsPerScale, row.scale);
    }
  }

  // A lane's two vectors of up to 1024 bytes.
  struct Held {
    size_t count;
    uint8_t bytes[32];
  };
  Held Read(const uint8_t* from, size_t bytes) {
    Held held = {bytes, {}};
    for (uint32_t v = 0; v < 2; ++v) {
      const size_t at = (v * kLanes + Lane()) * kVectorBytes;
      if (at < bytes) std::memcpy(held.bytes + v * kVectorBytes, from + at, kVectorBytes);
    }
    return held;
  }
  void Write(uint8_t* to, const Held& held) {
    for (uint32_t v = 0; v < 2; ++v) {
      const size_t at = (v * kLanes + Lane()) * kVectorBytes;
      if (at < held.count) lane_.Store(to + at, held.bytes + v * kVectorBytes, kVectorBytes);
    }
  }
  Held Zeros(size_t bytes) { return {bytes, {}}; }
  template <class ToOf, class FromOf>
  void CopyRows(size_t bytes, uint32_t count, ToOf to_of, FromOf from_of) {
    for (uint32_t i = 0; i < count; ++i) {
      Write(reinterpret_cast<uint8_t*>(to_of(i)),
            Read(reinterpret_cast<const uint8_t*>(from_of(i)), bytes));
    }
  }
  void Copy(void* to, const void* from, size_t bytes) {
    for (size_t i = Lane() * sizeof(uint32_t); i < bytes; i += kLanes * sizeof(uint32_t)) {
      lane_.Store(static_cast<uint8_t*>(to) + i, static_cast<const uint8_t*>(from) + i,
                  sizeof(uint32_t));
    }
  }

  template <class RowOf, class WeightOf>
  void SumWeighted(Bf16* out, uint32_t channels, uint32_t count, RowOf row_of, WeightOf weight_of) {
    Sum(out, channels, count, row_of, [&](uint32_t i, float sum, float value) {
      return __builtin_fmaf(weight_of(i), value, sum);
    });
  }
  template <class RowOf>
  void SumPartials(Bf16* out, uint32_t channels, uint32_t count, RowOf row_of) {
    Sum(out, channels, count, row_of,
        [](uint32_t i, float sum, float value) { return i == 0 ? value : sum + value; });
  }

  template <class T>
  void Store(T* to, const T& value) {
    lane_.Store(to, &value, sizeof(T));
  }
  void StoreRelease(uint64_t* flag, uint64_t value) {
    lane_.Yield();
    lane_.Release();
    *flag = value;
  }
  uint64_t LoadAcquire(const uint64_t* flag) {
    lane_.Yield();
    return *flag;
  }

  // A nanosecond a step.
  uint64_t NowNs() const { return lane_.Steps(); }
  bool Aborted() const { return *aborted_; }
  void Relax(uint32_t) { lane_.YieldAfterMiss(); }
  bool ClaimOnce(uint32_t* claimed) {
    lane_.Yield();
    return std::exchange(*claimed, 1) == 0;
  }
  bool Failed(const uint32_t& claimed) const { return claimed != 0; }

 protected:
  simt::Lane& lane() { return lane_; }

 private:
  static constexpr uint32_t kLaneChannels = kPieceChannels / kLanes;
  static constexpr uint32_t kVectorBytes = 16;
  static constexpr uint32_t kVector = kVectorBytes / sizeof(Bf16);

  // First channel of the lane's v-th vector, where vectors lie among the other lanes'.
  uint32_t Spread(uint32_t v) const { return (v * kLanes + Lane()) * kVector; }

  template <class RowOf, class Add>
  void Sum(Bf16* out, uint32_t channels, uint32_t count, RowOf row_of, Add add) {
    for (uint32_t v = 0; v < 2; ++v) {
      if (Spread(v) >= channels) return;
      float sums[kVector] = {};
      for (uint32_t i = 0; i < count; ++i) {
        const Bf16* row = row_of(i) + Spread(v);
        for (uint32_t c = 0; c < kVector; ++c) sums[c] = add(i, sums[c], Bf16ToFloat(row[c]));
      }
      Bf16 rounded[kVector];
      for (uint32_t c = 0; c < kVector; ++c) rounded[c] = FloatToBf16(sums[c]);
      lane_.Store(out + Spread(v), rounded, sizeof(rounded));
    }
  }

  simt::Lane& lane_;
  const bool* const aborted_;
};

}  // namespace ep::simt

#endif  // CSRC_SIMT_DEVICE_H_
