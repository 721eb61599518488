// How a GPU runs the protocol: a worker is a thread block, a crew is a warp, which holds up to 4 KB
// of a row in its registers: all loads of a piece are under way before the first is used.
// csrc/protocol/device.h says what a device policy provides.
//
// The order of memory (docs/architecture.md, "Memory order"): lanes' plain stores -> __syncwarp ->
// one lane's red.release.cta on a chunk's counter (Add) -> the signal crew's ld.acquire.cta
// (LoadFast) -> its fence.acq_rel.sys and st.relaxed.sys of a word (Release, RaiseFlag) -> the
// peer's signal crew's ld.acquire.sys (LoadAcquire) -> its st.release.cta (StoreFast) -> a crew's
// ld.acquire.cta -> plain loads. Every pair is morally strong within its scope, and causality
// composes.
#ifndef CSRC_DEVICE_GPU_CUH_
#define CSRC_DEVICE_GPU_CUH_

#include "csrc/device/gpu_memory.h"
#include "csrc/device/gpu_pack.cuh"
#include "csrc/device/gpu_sum.cuh"
#include "csrc/device/ptx.cuh"
#include "csrc/protocol/bitmap_plan.h"
#include "csrc/protocol/device.h"
#include "csrc/protocol/message.h"
#include "csrc/protocol/packet.h"
#include "csrc/protocol/policies.h"
#include "csrc/protocol/quant.h"
#include "csrc/protocol/rank.h"
#include "csrc/protocol/shape.h"

namespace ep {

// Where a lane stands, and how lanes meet and wait.
class GpuLanes {
 public:
  static constexpr uint32_t kLanes = 32;
  static constexpr bool kSignals = true;
  static constexpr uint32_t kPollsPerLook = 64;

  explicit GpuLanes(const uint32_t* aborted) : aborted_(aborted) {}

  uint32_t Lane() const { return threadIdx.x % kLanes; }
  uint32_t Crew() const { return threadIdx.x / kLanes; }
  uint32_t Crews() const { return blockDim.x / kLanes - 1; }
  uint32_t Thread() const { return threadIdx.x; }
  uint32_t Threads() const { return blockDim.x; }
  uint32_t Worker() const { return blockIdx.x; }
  uint32_t Workers() const { return gridDim.x; }

  void SyncCrew() { __syncwarp(); }
  void Sync() { __syncthreads(); }
  bool Any(bool mine) { return __syncthreads_or(mine); }
  bool AnyOfCrew(bool mine) { return __any_sync(kAll, mine); }
  uint32_t Ballot(bool mine) { return __ballot_sync(kAll, mine); }
  uint32_t Leading(bool mine) {
    const uint32_t lanes = __ballot_sync(kAll, mine);
    __syncwarp();
    return lanes == kAll ? kLanes : __ffs(~lanes) - 1;
  }
  template <class T>
  T From(T value, uint32_t lane) const {
    return __shfl_sync(kAll, value, lane);
  }
  void Add(uint32_t* counter, uint32_t value) {
    __syncwarp();
    if (Lane() == 0) ptx::AddReleaseBlock(counter, value);
  }
  void StoreFast(uint32_t* word, uint32_t value) { ptx::StoreReleaseBlock(word, value); }
  uint32_t LoadFast(const uint32_t* word) { return ptx::LoadAcquireBlock(word); }
  uint32_t SeeFast(const uint32_t* word) {
    uint32_t value = 0;
    if (Lane() == 0) value = LoadFast(word);
    value = __shfl_sync(kAll, value, 0);
    __syncwarp();
    return value;
  }
  bool ArriveLast(uint32_t* ticket) {
    __syncthreads();
    bool last = false;
    if (threadIdx.x == 0) {
      last = ptx::AddAcquireReleaseDevice(ticket, 1) + 1 == gridDim.x;
      if (last) ptx::StoreRelaxedDevice(ticket, 0);
    }
    return __syncthreads_or(last);
  }
  void Arrive(uint32_t* counter) { atomicAdd(counter, 1); }
  uint32_t Arrived(const uint32_t* counter) const { return ptx::LoadRelaxedDevice(counter); }
  bool EnterLast(uint32_t* ticket) {
    return threadIdx.x == 0 && ptx::IncrementRelaxedDevice(ticket, gridDim.x - 1) == gridDim.x - 1;
  }

  // Lanes of the crew that have the same value, as bits.
  uint32_t Match(uint32_t value) { return __match_any_sync(kAll, value); }
  uint32_t OrCrew(uint32_t value) { return __reduce_or_sync(kAll, value); }
  void OrShared(uint32_t* word, uint32_t bits) { atomicOr_block(word, bits); }
  void AddShared(uint32_t* word, uint32_t value) { atomicAdd_block(word, value); }
  uint32_t Take(uint32_t* word) {
    uint32_t before = 0;
    if (Lane() == 0) before = atomicAdd_block(word, 1);
    return __shfl_sync(kAll, before, 0);
  }
  void RelaxFast() const { ptx::SleepNs(20); }

  template <class T>
  void Store(T* to, const T& value) {
    *to = value;
  }
  void Release() { ptx::FenceAcquireReleaseSystem(); }
  void RaiseFlag(const RankContext& context, const Message& message) {
    ptx::StoreRelaxedSystem(
        context.At<uint64_t>(message.peer, message.Offset(context.layout, context.rank)),
        message.Value());
  }
  uint64_t LoadAcquire(const uint64_t* word) { return ptx::LoadAcquireSystem(word); }

  // What csrc/device/post.h asks besides.
  bool AddLast(uint32_t* counter, uint32_t of) {
    if (ptx::AddAcquireReleaseDevice(counter, 1) + 1 != of) return false;
    ptx::StoreRelaxedDevice(counter, 0);
    return true;
  }
  void StoreForHost(uint64_t* word, uint64_t value) { ptx::StoreReleaseSystem(word, value); }
  void ReleaseOwn() { ptx::FenceAcquireReleaseDevice(); }
  void RaiseOwn(uint64_t* word, uint64_t value) { ptx::StoreRelaxedDevice(word, value); }

  uint64_t NowNs() const { return ptx::GlobalTimerNs(); }
  bool Aborted() const { return ptx::LoadRelaxedSystem(aborted_) != 0; }
  void Relax(uint32_t misses) const {
    constexpr uint32_t kLongWait = 1024;
    if (misses >= kLongWait) ptx::SleepNs(32);
  }
  bool ClaimOnce(uint32_t* claimed) { return ptx::ExchangeRelaxedDevice(claimed, 1) == 0; }
  bool Failed(const uint32_t& claimed) const { return ptx::LoadRelaxedDevice(&claimed) != 0; }

 protected:
  static constexpr uint32_t kAll = 0xFFFFFFFF;

 private:
  const uint32_t* const aborted_;
};

// How lanes move rows, of which they hold so many units at once.
template <Dtype kDtype, uint32_t kUnits>
class GpuDevice : public GpuLanes {
 public:
  using GpuLanes::GpuLanes;
  static constexpr uint32_t kHeldChannels = kernels::kUnitChannels * kUnits;
  static constexpr uint32_t kHeldBytes = sizeof(Bf16) * kHeldChannels;
  static constexpr uint32_t kHeldVectors = kHeldBytes / (kLanes * sizeof(ptx::Vector));
  static constexpr bool kTakesPacked = kDtype == Dtype::kFp8;
  using Channels = PieceChannels<kDtype, kUnits>;
  using Row = PackedPiece<kDtype, kUnits>;

  EP_INLINE Channels Fetch(const Shape&, const Bf16* row, Piece piece) {
    return Channels::Load(row + piece.first, piece.count, Lane());
  }
  EP_INLINE Row Pack(const Shape&, const Channels& channels, Piece piece) {
    return Row::Pack(channels, piece, Lane());
  }
  EP_INLINE Row FetchPacked(const E4m3* codes, const float* scales, Piece piece) {
    return Row::Fetch(codes, scales, piece, Lane());
  }
  EP_INLINE void PutRow(const Row& row, uint8_t* payload, float* scales) {
    row.Put(payload, scales, Lane());
  }

  // Up to kHeldBytes, vector by vector across the lanes.
  struct Held {
    uint32_t bytes;
    ptx::Vector vector[kHeldVectors];
  };
  EP_INLINE Held Read(const uint8_t* from, size_t bytes) {
    Held held;
    held.bytes = static_cast<uint32_t>(bytes);
#pragma unroll
    for (uint32_t v = 0; v < kHeldVectors; ++v) {
      const uint32_t at = (v * kLanes + Lane()) * sizeof(ptx::Vector);
      held.vector[v] = {};
      if (at < held.bytes) held.vector[v] = ptx::LoadPeer(from + at);
    }
    return held;
  }
  EP_INLINE void Write(uint8_t* to, const Held& held) {
    const bool whole = kDtype == Dtype::kBf16 || ptx::IsWhole(to, held.bytes);
#pragma unroll
    for (uint32_t v = 0; v < kHeldVectors; ++v) {
      const uint32_t at = (v * kLanes + Lane()) * sizeof(ptx::Vector);
      if (at >= held.bytes) continue;
      if (whole) {
        ptx::StoreVector(to + at, held.vector[v]);
      } else {
        ptx::StoreUpTo(to + at, held.vector[v], held.bytes - at);
      }
    }
  }
  Held Zeros(size_t bytes) { return {static_cast<uint32_t>(bytes), {}}; }

  // Up to two scales a lane.
  struct HeldScales {
    uint32_t count;
    float scale[2];
  };
  HeldScales ReadScales(const float* from, uint32_t count) {
    HeldScales held = {count, {}};
    if (kDtype != Dtype::kFp8) return held;
    if (Lane() < count) held.scale[0] = ptx::LoadPeer(from + Lane());
    if (Lane() + kLanes < count) held.scale[1] = ptx::LoadPeer(from + Lane() + kLanes);
    return held;
  }
  void WriteScales(float* to, const HeldScales& held) {
    if (kDtype != Dtype::kFp8) return;
    if (Lane() < held.count) to[Lane()] = held.scale[0];
    if (Lane() + kLanes < held.count) to[Lane() + kLanes] = held.scale[1];
  }
  static_assert(kernels::kLong.piece_channels / kChannelsPerScale <= 2 * kLanes);

  void Load(uint8_t* fast, const uint8_t* from, size_t bytes) {
    __syncwarp();
    for (uint32_t i = Lane(); i < bytes / sizeof(uint32_t); i += kLanes) {
      reinterpret_cast<uint32_t*>(fast)[i] =
          ptx::LoadPeer(reinterpret_cast<const uint32_t*>(from) + i);
    }
    __syncwarp();
  }
  void Copy(void* to, const void* from, size_t bytes) {
    for (uint32_t i = Lane(); i < bytes / sizeof(uint32_t); i += kLanes) {
      static_cast<uint32_t*>(to)[i] = static_cast<const uint32_t*>(from)[i];
    }
  }

  template <class RowOf, class WeightOf>
  EP_INLINE void SumWeighted(Bf16* out, uint32_t channels, uint32_t count, RowOf row_of,
                             WeightOf weight_of) {
    SumRows<kHeldVectors>(
        channels, count, Lane(), Weighted<RowOf, WeightOf>{row_of, weight_of},
        [&](uint32_t channel, const ptx::Vector& sum) { ptx::StoreVector(out + channel, sum); });
  }
  template <class RowOf, class WeightOf>
  EP_INLINE void SumOwn(Bf16* fast, uint32_t channels, uint32_t count, RowOf row_of,
                        WeightOf weight_of) {
    SumRows<kHeldVectors>(channels, count, Lane(), Weighted<RowOf, WeightOf>{row_of, weight_of},
                          [&](uint32_t channel, const ptx::Vector& sum) {
                            *reinterpret_cast<ptx::Vector*>(fast + channel) = sum;
                          });
  }
  template <class RowOf>
  EP_INLINE void SumPartials(Bf16* out, uint32_t channels, uint32_t count, uint32_t own,
                             const Bf16* fast, RowOf row_of) {
    SumRows<kHeldVectors>(
        channels, count, Lane(), Plain<RowOf>{row_of, own, fast},
        [&](uint32_t channel, const ptx::Vector& sum) { ptx::StoreVector(out + channel, sum); });
  }
};

// The same with rows in packets: a unit at a time, of whose sums all loads are under way at once.
template <Dtype kDtype>
class GpuPacketDevice : public GpuDevice<kDtype, 1> {
  using Base = GpuDevice<kDtype, 1>;

 public:
  // By all lanes. A crew has one number, which the compiler cannot know of its threads' own: it would
  // have code for lanes of a crew that part, and a kernel that runs for a few us waits for its code.
  explicit GpuPacketDevice(const uint32_t* aborted)
      : Base(aborted), crew_(__shfl_sync(Base::kAll, threadIdx.x / Base::kLanes, 0)) {}
  uint32_t Crew() const { return crew_; }
  // What is rare lies apart.
  static constexpr bool kIsShort = true;

  void StorePacket(Packet* to, const Packet& packet) {
    ptx::StoreRelaxedSystem(to, bit_cast<ptx::Vector>(packet));
  }
  Packet LoadPacket(const Packet* from) {
    return bit_cast<Packet>(ptx::LoadRelaxedSystem(from));
  }
  EP_INLINE void StageRow(const typename Base::Row& row, uint8_t* fast) {
    row.Stage(fast, Base::Lane());
  }
  EP_INLINE typename Base::Held ReadFast(const uint8_t* from, size_t bytes) {
    typename Base::Held held;
    held.bytes = static_cast<uint32_t>(bytes);
#pragma unroll
    for (uint32_t v = 0; v < Base::kHeldVectors; ++v) {
      const uint32_t at = (v * Base::kLanes + Base::Lane()) * sizeof(ptx::Vector);
      held.vector[v] = {};
      if (at < held.bytes) {
        held.vector[v] = *reinterpret_cast<const ptx::Vector*>(from + at);
      }
    }
    return held;
  }

  template <class RowOf, class WeightOf>
  EP_INLINE void SumOwn(Bf16* fast, uint32_t channels, uint32_t count, RowOf row_of,
                        WeightOf weight_of) {
    SumMany<4, Base::kHeldVectors>(channels, count, Base::Lane(),
                                   Weighted<RowOf, WeightOf>{row_of, weight_of},
                                   [&](uint32_t channel, const ptx::Vector& sum) {
                                     *reinterpret_cast<ptx::Vector*>(fast + channel) = sum;
                                   });
  }
  template <class RowOf>
  EP_INLINE void SumPartials(Bf16* out, uint32_t channels, uint32_t count, uint32_t own,
                             const Bf16* fast, RowOf row_of) {
    SumMany<2, Base::kHeldVectors>(
        channels, count, Base::Lane(), Plain<RowOf>{row_of, own, fast},
        [&](uint32_t channel, const ptx::Vector& sum) { ptx::StoreVector(out + channel, sum); });
  }

 private:
  const uint32_t crew_;
};

static_assert(SignallingDevice<GpuDevice<Dtype::kFp8, 1>>);
static_assert(SignallingDevice<GpuDevice<Dtype::kBf16, 1>>);
static_assert(PacketDevice<GpuPacketDevice<Dtype::kFp8>>);
static_assert(PacketDevice<GpuPacketDevice<Dtype::kBf16>>);
static_assert(RowPlan<BitmapPlan, GpuDevice<Dtype::kFp8, 1>>);

}  // namespace ep

#endif  // CSRC_DEVICE_GPU_CUH_
