// How a lane of csrc/simt/machine.h runs the protocol: the twin of csrc/device/gpu.cuh, with
// the same lanes, pieces and places to meet. csrc/protocol/device.h says what a policy provides.
//
// All that others may read goes through the store buffer, in parts of the size of the GPU's.
#ifndef CSRC_DEVICE_SIMT_H_
#define CSRC_DEVICE_SIMT_H_

#include <algorithm>
#include <bit>
#include <cstring>
#include <set>
#include <utility>

#include "csrc/protocol/device.h"
#include "csrc/protocol/message.h"
#include "csrc/protocol/packet.h"
#include "csrc/protocol/policies.h"
#include "csrc/protocol/quant.h"
#include "csrc/protocol/rank.h"
#include "csrc/protocol/shape.h"
#include "csrc/simt/machine.h"

namespace ep::simt {

// What a host may want of its rank while it runs, and who asks for it.
struct Host {
  bool aborted = false;
  // Becomes true with so many looks; 0: never.
  uint64_t aborts_at_look = 0;
  uint64_t looks = 0;
  // A crew, as worker << 32 | crew.
  std::set<uint64_t> askers = {};

  bool IsAskedBy(uint32_t worker, uint32_t crew) {
    askers.insert(uint64_t{worker} << 32 | crew);
    if (++looks == aborts_at_look) aborted = true;
    return aborted;
  }
};

class SimtDevice {
 public:
  static constexpr uint32_t kLanes = kCrewLanes;
  static constexpr bool kSignals = true;
  static constexpr bool kTakesPacked = true;
  static constexpr uint32_t kUnitChannels = 512;
  // Less than a GPU's, so that small rows have several pieces of several units.
  static constexpr uint32_t kHeldChannels = 1024;
  static constexpr uint32_t kHeldBytes = 2048;
  static constexpr uint32_t kPollsPerLook = 4;
  static constexpr uint32_t kVectorBytes = 16;
  static constexpr uint32_t kVector = kVectorBytes / sizeof(Bf16);
  static constexpr uint32_t kUnits = kHeldChannels / kUnitChannels;

  SimtDevice(simt::Lane& lane, Host* host) : lane_(lane), host_(host) {}

  uint32_t Lane() const { return lane_.Thread() % kLanes; }
  uint32_t Crew() const { return lane_.Thread() / kLanes; }
  uint32_t Crews() const { return lane_.Threads() / kLanes - 1; }
  uint32_t Thread() const { return lane_.Thread(); }
  uint32_t Threads() const { return lane_.Threads(); }
  uint32_t Worker() const { return lane_.BlockIndex(); }
  uint32_t Workers() const { return lane_.Blocks(); }

  void SyncCrew(Site site = Site::current()) { lane_.MeetCrew("SyncCrew", site, 0, true); }
  void Sync(Site site = Site::current()) { lane_.MeetBlock("Sync", site, false); }
  bool Any(bool mine, Site site = Site::current()) { return lane_.MeetBlock("Any", site, mine); }
  bool AnyOfCrew(bool mine, Site site = Site::current()) {
    const uint64_t* values = lane_.MeetCrew("AnyOfCrew", site, mine, false);
    return std::find(values, values + kLanes, 1) != values + kLanes;
  }
  uint32_t Leading(bool mine, Site site = Site::current()) {
    const uint64_t* values = lane_.MeetCrew("Leading", site, mine, true);
    return static_cast<uint32_t>(std::find(values, values + kLanes, 0) - values);
  }
  template <class T>
  T From(T value, uint32_t lane, Site site = Site::current()) const {
    return static_cast<T>(lane_.MeetCrew("From", site, value, false)[lane]);
  }
  uint32_t Ballot(bool mine, Site site = Site::current()) {
    const uint64_t* values = lane_.MeetCrew("Ballot", site, mine, false);
    uint32_t lanes = 0;
    for (uint32_t i = 0; i < kLanes; ++i) lanes |= static_cast<uint32_t>(values[i]) << i;
    return lanes;
  }
  void Add(uint32_t* counter, uint32_t value, Site site = Site::current()) {
    lane_.MeetCrew("Add", site, 0, true);
    if (Lane() == 0) lane_.AddAcquireRelease(counter, value);
  }
  void StoreFast(uint32_t* word, uint32_t value) {
    lane_.AddAcquireRelease(word, 0);
    *word = value;
  }
  uint32_t LoadFast(const uint32_t* word) { return lane_.LoadAcquire(word); }
  uint32_t SeeFast(const uint32_t* word, Site site = Site::current()) {
    const uint32_t value = Lane() == 0 ? LoadFast(word) : 0;
    return static_cast<uint32_t>(lane_.MeetCrew("SeeFast", site, value, true)[0]);
  }
  bool ArriveLast(uint32_t* ticket, Site site = Site::current()) {
    lane_.MeetBlock("ArriveLast", site, false);
    bool last = false;
    if (Thread() == 0) {
      last = lane_.AddAcquireRelease(ticket, 1) + 1 == Workers();
      if (last) *ticket = 0;
      // What the others stored, bodies read as memory.
      if (last) lane_.Release();
    }
    return lane_.MeetBlock("ArriveLast", site, last);
  }
  void Arrive(uint32_t* counter) { lane_.AddRelaxed(counter, 1); }
  uint32_t Arrived(const uint32_t* counter) {
    lane_.YieldAfterMiss();
    return *counter;
  }
  bool EnterLast(uint32_t* ticket) {
    if (Thread() != 0) return false;
    const bool last = lane_.AddRelaxed(ticket, 1) + 1 == Workers();
    if (last) *ticket = 0;
    return last;
  }

  uint32_t Match(uint32_t value, Site site = Site::current()) {
    const uint64_t* values = lane_.MeetCrew("Match", site, value, false);
    uint32_t same = 0;
    for (uint32_t i = 0; i < kLanes; ++i) same |= uint32_t{values[i] == value} << i;
    return same;
  }
  uint32_t OrCrew(uint32_t value, Site site = Site::current()) {
    const uint64_t* values = lane_.MeetCrew("OrCrew", site, value, false);
    uint64_t all = 0;
    for (uint32_t i = 0; i < kLanes; ++i) all |= values[i];
    return static_cast<uint32_t>(all);
  }
  void OrShared(uint32_t* word, uint32_t bits) { *word |= bits; }
  void AddShared(uint32_t* word, uint32_t value) { *word += value; }
  uint32_t Take(uint32_t* word, Site site = Site::current()) {
    const uint32_t before = Lane() == 0 ? lane_.AddRelaxed(word, 1) : 0;
    return static_cast<uint32_t>(lane_.MeetCrew("Take", site, before, false)[0]);
  }
  void RelaxFast() {}

  // A lane's channels of a piece, where the GPU has them.
  struct Channels {
    Bf16 of[2 * kUnits * kVector];
  };
  Channels Fetch(const Shape& shape, const Bf16* row, Piece piece) {
    Channels channels = {};
    for (uint32_t v = 0; v < 2 * kUnits; ++v) {
      const uint32_t channel = shape.dtype == Dtype::kFp8
                                   ? v / 2 * kUnitChannels + Lane() * 16 + v % 2 * kVector
                                   : Spread(v);
      if (channel >= piece.count) continue;
      std::memcpy(channels.of + v * kVector, row + piece.first + channel, kVectorBytes);
    }
    return channels;
  }

  struct Row {
    bool finite;
    bool fp8;
    Piece piece;
    Channels channels;        // BF16
    E4m3 codes[16 * kUnits];  // FP8
    float scale;              // this lane's, of the piece's
  };
  Row Pack(const Shape& shape, const Channels& channels, Piece piece, Site site = Site::current()) {
    if (shape.dtype == Dtype::kBf16) return {true, false, piece, channels, {}, 0};
    Row row = {true, true, piece, {}, {}, 0};
    constexpr uint32_t kSharers = kChannelsPerScale / 16;
    for (uint32_t u = 0; u * kUnitChannels < piece.count; ++u) {
      uint32_t mine = 0;
      for (uint32_t i = 0; i < 16; ++i) {
        const uint32_t magnitude = channels.of[u * 16 + i] & 0x7FFF;
        if (magnitude <= kBf16Infinity) mine = std::max(mine, magnitude);
      }
      const uint64_t* all = lane_.MeetCrew("Pack", site, mine, false);
      const auto largest = [all](uint32_t group) {
        const uint64_t* of = all + group * kSharers;
        return std::max(Bf16ToFloat(static_cast<Bf16>(*std::max_element(of, of + kSharers))),
                        kMinAmax);
      };
      const float amax = largest(Lane() / kSharers);
      row.finite &= amax != Bf16ToFloat(kBf16Infinity);
      for (uint32_t i = 0; i < 16; ++i) {
        row.codes[u * 16 + i] =
            FloatToE4m3(Bf16ToFloat(channels.of[u * 16 + i]) * (kE4m3Max / amax));
      }
      if (Lane() / 4 == u) row.scale = largest(Lane() % 4) / kE4m3Max;
    }
    return row;
  }
  Row FetchPacked(const E4m3* codes, const float* scales, Piece piece) {
    Row row = {true, true, piece, {}, {}, 0};
    for (uint32_t u = 0; u < kUnits; ++u) {
      const uint32_t channel = u * kUnitChannels + Lane() * 16;
      if (channel >= piece.count) break;
      std::memcpy(row.codes + 16 * u, codes + piece.first + channel,
                  std::min(16u, piece.count - channel));
    }
    if (Lane() < piece.Scales()) row.scale = scales[piece.FirstScale() + Lane()];
    return row;
  }
  void PutRow(const Row& row, uint8_t* payload, float* scales) {
    if (!row.fp8) {
      const Held held = HeldOf(row.channels, row.piece.count);
      return Write(payload + sizeof(Bf16) * row.piece.first, held);
    }
    for (uint32_t u = 0; u < kUnits; ++u) {
      const uint32_t channel = u * kUnitChannels + Lane() * 16;
      if (channel >= row.piece.count) break;
      lane_.Store(payload + row.piece.first + channel, row.codes + 16 * u,
                  std::min(16u, row.piece.count - channel));
    }
    if (Lane() < row.piece.Scales()) Store(scales + row.piece.FirstScale() + Lane(), row.scale);
  }

  void StageRow(const Row& row, uint8_t* fast) {
    if (!row.fp8) {
      const Held held = HeldOf(row.channels, row.piece.count);
      return ForVectors(held.count, [&](size_t at, uint32_t v, size_t some) {
        std::memcpy(fast + at, held.bytes + v * kVectorBytes, some);
      });
    }
    uint8_t* const codes = fast + PacketCounts::kScaleBytes;
    for (uint32_t u = 0; u < kUnits; ++u) {
      const uint32_t channel = u * kUnitChannels + Lane() * 16;
      if (channel >= row.piece.count) break;
      std::memcpy(codes + channel, row.codes + 16 * u, std::min(16u, row.piece.count - channel));
    }
    if (Lane() < row.piece.Scales()) {
      std::memcpy(fast + sizeof(float) * Lane(), &row.scale, sizeof(float));
    }
  }
  void StorePacket(Packet* to, const Packet& packet) {
    lane_.StoreStrong(to, &packet, sizeof(packet));
  }
  Packet LoadPacket(const Packet* from) {
    lane_.Yield();
    return *from;
  }

  // A lane's vectors of a piece of payload; the last may be half of one.
  struct Held {
    size_t count;
    uint8_t bytes[kHeldBytes / kLanes];
  };
  Held Read(const uint8_t* from, size_t bytes) {
    Held held = {bytes, {}};
    ForVectors(bytes, [&](size_t at, uint32_t v, size_t some) {
      std::memcpy(held.bytes + v * kVectorBytes, from + at, some);
    });
    return held;
  }
  void Write(uint8_t* to, const Held& held) {
    ForVectors(held.count, [&](size_t at, uint32_t v, size_t some) {
      lane_.Store(to + at, held.bytes + v * kVectorBytes, some);
    });
  }
  Held ReadFast(const uint8_t* from, size_t bytes) { return Read(from, bytes); }
  Held Zeros(size_t bytes) { return {bytes, {}}; }
  struct HeldScales {
    uint32_t count;
    float scale;
  };
  HeldScales ReadScales(const float* from, uint32_t count) {
    return {count, Lane() < count ? from[Lane()] : 0};
  }
  void WriteScales(float* to, const HeldScales& held) {
    if (Lane() < held.count) Store(to + Lane(), held.scale);
  }
  void Load(uint8_t* fast, const uint8_t* from, size_t bytes, Site site = Site::current()) {
    lane_.MeetCrew("Load", site, 0, true);
    for (size_t i = Lane() * sizeof(uint32_t); i < bytes; i += kLanes * sizeof(uint32_t)) {
      std::memcpy(fast + i, from + i, sizeof(uint32_t));
    }
    lane_.MeetCrew("Load", site, 0, true);
  }
  void Copy(void* to, const void* from, size_t bytes) {
    for (size_t i = Lane() * sizeof(uint32_t); i < bytes; i += kLanes * sizeof(uint32_t)) {
      lane_.Store(static_cast<uint8_t*>(to) + i, static_cast<const uint8_t*>(from) + i,
                  sizeof(uint32_t));
    }
  }

  template <class RowOf, class WeightOf>
  void SumWeighted(Bf16* out, uint32_t channels, uint32_t count, RowOf row_of, WeightOf weight_of) {
    Sum(channels, count, row_of, Weigh(weight_of),
        [&](uint32_t at, const Bf16* sums) { lane_.Store(out + at, sums, kVectorBytes); });
  }
  template <class RowOf, class WeightOf>
  void SumOwn(Bf16* fast, uint32_t channels, uint32_t count, RowOf row_of, WeightOf weight_of) {
    Sum(channels, count, row_of, Weigh(weight_of),
        [&](uint32_t at, const Bf16* sums) { std::memcpy(fast + at, sums, kVectorBytes); });
  }
  template <class RowOf>
  void SumPartials(Bf16* out, uint32_t channels, uint32_t count, uint32_t own, const Bf16* fast,
                   RowOf row_of) {
    Sum(
        channels, count, [&](uint32_t i) { return i == own ? fast : row_of(i); },
        [](uint32_t i, float sum, float value) { return i == 0 ? value : sum + value; },
        [&](uint32_t at, const Bf16* sums) { lane_.Store(out + at, sums, kVectorBytes); });
  }

  template <class T>
  void Store(T* to, const T& value) {
    lane_.Store(to, &value, sizeof(T));
  }
  void Release() {
    lane_.Yield();
    lane_.Release();
  }
  void RaiseFlag(const RankContext& context, const Message& message) {
    lane_.Yield();
    *context.At<uint64_t>(message.peer, message.Offset(context.layout, context.rank)) =
        message.Value();
  }
  uint64_t LoadAcquire(const uint64_t* flag) {
    lane_.Yield();
    return *flag;
  }

  // What csrc/device/post.h asks besides.
  bool AddLast(uint32_t* counter, uint32_t of) {
    if (lane_.AddAcquireRelease(counter, 1) + 1 != of) return false;
    *counter = 0;
    return true;
  }
  void StoreForHost(uint64_t* word, uint64_t value) {
    Release();
    *word = value;
  }
  void ReleaseOwn() { Release(); }
  void RaiseOwn(uint64_t* word, uint64_t value) {
    lane_.Yield();
    *word = value;
  }

  // A nanosecond a step.
  uint64_t NowNs() const { return lane_.Steps(); }
  bool Aborted() { return host_->IsAskedBy(Worker(), Crew()); }
  void Relax(uint32_t) { lane_.YieldAfterMiss(); }
  bool ClaimOnce(uint32_t* claimed) {
    lane_.Yield();
    return std::exchange(*claimed, 1) == 0;
  }
  bool Failed(const uint32_t& claimed) const { return claimed != 0; }

 protected:
  simt::Lane& lane() { return lane_; }

 private:
  // First channel of the lane's v-th vector, where vectors lie among the other lanes'.
  uint32_t Spread(uint32_t v) const { return (v * kLanes + Lane()) * kVector; }
  template <class Each>
  void ForVectors(size_t bytes, Each each) {
    for (uint32_t v = 0; v < kHeldBytes / kLanes / kVectorBytes; ++v) {
      const size_t at = (v * kLanes + Lane()) * kVectorBytes;
      if (at < bytes) each(at, v, std::min<size_t>(kVectorBytes, bytes - at));
    }
  }

  static Held HeldOf(const Channels& channels, uint32_t count) {
    Held held = {sizeof(Bf16) * count, {}};
    std::memcpy(held.bytes, channels.of, sizeof(held.bytes));
    return held;
  }

  template <class WeightOf>
  static auto Weigh(WeightOf weight_of) {
    return [weight_of](uint32_t i, float sum, float value) {
      return __builtin_fmaf(weight_of(i), value, sum);
    };
  }
  template <class RowOf, class Add, class Put>
  void Sum(uint32_t channels, uint32_t count, RowOf row_of, Add add, Put put) {
    for (uint32_t v = 0; Spread(v) < channels; ++v) {
      float sums[kVector] = {};
      for (uint32_t i = 0; i < count; ++i) {
        const Bf16* row = row_of(i) + Spread(v);
        for (uint32_t c = 0; c < kVector; ++c) sums[c] = add(i, sums[c], Bf16ToFloat(row[c]));
      }
      Bf16 rounded[kVector];
      for (uint32_t c = 0; c < kVector; ++c) rounded[c] = FloatToBf16(sums[c]);
      put(Spread(v), rounded);
    }
  }

  simt::Lane& lane_;
  Host* const host_;
};

static_assert(PacketDevice<SimtDevice>);

}  // namespace ep::simt

#endif  // CSRC_DEVICE_SIMT_H_
