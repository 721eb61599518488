// How a CPU thread runs the protocol: a worker of one crew of one lane, which moves whole rows.
// csrc/protocol/device.h says what a device policy provides.
#ifndef CSRC_DEVICE_CPU_H_
#define CSRC_DEVICE_CPU_H_

#include <atomic>
#include <cstring>
#include <vector>

#include "csrc/base/clock.h"
#include "csrc/device/cpu_row.h"
#include "csrc/protocol/device.h"
#include "csrc/protocol/message.h"
#include "csrc/protocol/policies.h"
#include "csrc/protocol/quant.h"
#include "csrc/protocol/rank.h"
#include "csrc/protocol/shape.h"

namespace ep {

class HostDevice {
 public:
  struct Config {
    Shape shape;
    uint32_t worker;
    uint32_t workers;
    // The worker gives its CPU away after every miss: right where workers outnumber CPUs, since
    // the peer that is waited for may need this one.
    bool yields;
    const std::atomic<bool>* aborted;
  };

  explicit HostDevice(const Config& config)
      : config_(config), codes_(config.shape.hidden), scales_(config.shape.ScalesPerRow()) {}

  static constexpr uint32_t kLanes = 1;
  static constexpr bool kSignals = false;
  static constexpr bool kTakesPacked = true;
  static constexpr uint32_t kHeldChannels = kMaxHidden;
  static constexpr uint32_t kHeldBytes = sizeof(Bf16) * kMaxHidden;
  // A clock read costs more than a poll.
  static constexpr uint32_t kPollsPerLook = 16;

  uint32_t Lane() const { return 0; }
  uint32_t Crew() const { return 0; }
  uint32_t Crews() const { return 1; }
  uint32_t Thread() const { return 0; }
  uint32_t Threads() const { return 1; }
  uint32_t Worker() const { return config_.worker; }
  uint32_t Workers() const { return config_.workers; }

  void SyncCrew() {}
  void Sync() {}
  bool Any(bool mine) { return mine; }
  bool AnyOfCrew(bool mine) { return mine; }
  uint32_t Ballot(bool mine) { return mine; }
  uint32_t Leading(bool mine) { return mine; }
  template <class T>
  T From(T value, uint32_t) const {
    return value;
  }
  bool EnterLast(uint32_t* ticket) {
    if (config_.workers == 1) return true;
    std::atomic_ref<uint32_t> entered(*ticket);
    if (entered.fetch_add(1, std::memory_order_acq_rel) + 1 != config_.workers) return false;
    entered.store(0, std::memory_order_relaxed);
    return true;
  }

  const Bf16* Fetch(const Shape&, const Bf16* row, Piece piece) { return row + piece.first; }

  // A row ready to travel; valid until the next Pack.
  struct Row {
    bool finite;
    const void* payload;
    size_t payload_bytes;
    const float* scales;
    size_t scales_bytes;
  };
  Row Pack(const Shape& shape, const Bf16* channels, Piece) {
    if (shape.dtype == Dtype::kBf16) {
      return {true, channels, sizeof(Bf16) * shape.hidden, nullptr, 0};
    }
    const bool finite = QuantizeRow(channels, shape.hidden, codes_.data(), scales_.data());
    return {finite, codes_.data(), shape.hidden, scales_.data(), sizeof(float) * scales_.size()};
  }
  Row FetchPacked(const E4m3* codes, const float* scales, Piece piece) {
    return {true, codes, piece.count, scales, sizeof(float) * piece.Scales()};
  }
  void PutRow(const Row& row, uint8_t* payload, float* scales) {
    std::memcpy(payload, row.payload, row.payload_bytes);
    if (row.scales_bytes != 0) std::memcpy(scales, row.scales, row.scales_bytes);
  }

  struct Held {
    const uint8_t* from;
    size_t bytes;
  };
  Held Read(const uint8_t* from, size_t bytes) { return {from, bytes}; }
  Held Zeros(size_t bytes) { return {nullptr, bytes}; }
  void Write(uint8_t* to, const Held& held) {
    if (held.from == nullptr) {
      std::memset(to, 0, held.bytes);
    } else {
      std::memcpy(to, held.from, held.bytes);
    }
  }
  struct HeldScales {
    const float* from;
    uint32_t count;
  };
  HeldScales ReadScales(const float* from, uint32_t count) { return {from, count}; }
  void WriteScales(float* to, const HeldScales& held) {
    if (held.count != 0) std::memcpy(to, held.from, sizeof(float) * held.count);
  }
  void Load(uint8_t* fast, const uint8_t* from, size_t bytes) { std::memcpy(fast, from, bytes); }
  void Copy(void* to, const void* from, size_t bytes) { std::memcpy(to, from, bytes); }

  template <class RowOf, class WeightOf>
  void SumWeighted(Bf16* out, uint32_t channels, uint32_t count, RowOf row_of, WeightOf weight_of) {
    const Bf16* rows[kMaxTopk];
    float weights[kMaxTopk];
    for (uint32_t i = 0; i < count; ++i) {
      rows[i] = row_of(i);
      weights[i] = weight_of(i);
    }
    ep::SumWeighted(out, rows, weights, count, channels);
  }
  template <class RowOf, class WeightOf>
  void SumOwn(Bf16* fast, uint32_t channels, uint32_t count, RowOf row_of, WeightOf weight_of) {
    SumWeighted(fast, channels, count, row_of, weight_of);
  }
  template <class RowOf>
  void SumPartials(Bf16* out, uint32_t channels, uint32_t count, uint32_t own, const Bf16* fast,
                   RowOf row_of) {
    const Bf16* rows[kMaxTopk];
    for (uint32_t i = 0; i < count; ++i) rows[i] = i == own ? fast : row_of(i);
    ep::SumPartials(out, rows, count, channels);
  }

  template <class T>
  void Store(T* to, const T& value) {
    *to = value;
  }
  // A word has the order itself.
  void Release() {}
  void RaiseFlag(const RankContext& context, const Message& message) {
    StoreRelease(context.At<uint64_t>(message.peer, message.Offset(context.layout, context.rank)),
                 message.Value());
  }
  void StoreRelease(uint64_t* word, uint64_t value) {
    std::atomic_ref<uint64_t>(*word).store(value, std::memory_order_release);
  }
  // What csrc/device/post.h asks besides.
  bool AddLast(uint32_t* counter, uint32_t of) {
    std::atomic_ref<uint32_t> added(*counter);
    if (added.fetch_add(1, std::memory_order_acq_rel) + 1 != of) return false;
    added.store(0, std::memory_order_relaxed);
    return true;
  }
  void StoreForHost(uint64_t* word, uint64_t value) { StoreRelease(word, value); }
  void ReleaseOwn() {}
  void RaiseOwn(uint64_t* word, uint64_t value) { StoreRelease(word, value); }
  // The word is never written through this reference; atomic_ref has no const form in C++20.
  uint64_t LoadAcquire(const uint64_t* flag) {
    return std::atomic_ref<uint64_t>(*const_cast<uint64_t*>(flag)).load(std::memory_order_acquire);
  }

  uint64_t NowNs() const { return MonotonicNs(); }
  bool Aborted() const { return config_.aborted->load(std::memory_order_relaxed); }
  void Relax(uint32_t misses) const { ep::Relax(misses, config_.yields); }

  bool ClaimOnce(uint32_t* claimed) {
    return std::atomic_ref<uint32_t>(*claimed).exchange(1, std::memory_order_relaxed) == 0;
  }
  bool Failed(uint32_t& claimed) const {
    return std::atomic_ref<uint32_t>(claimed).load(std::memory_order_relaxed) != 0;
  }

 private:
  const Config config_;
  std::vector<E4m3> codes_;
  std::vector<float> scales_;
};

static_assert(DevicePolicy<HostDevice>);
static_assert(RowPlan<SequentialPlan, HostDevice>);

}  // namespace ep

#endif  // CSRC_DEVICE_CPU_H_
