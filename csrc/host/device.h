// How a CPU thread runs the protocol: the device policy that csrc/protocol's bodies are given.
//
// A device is one worker of one rank. What the bodies ask of it:
//   LoadRow, PutRow            a token's row, as it travels; quantised once, put to each rank
//   Copy                       bytes within reach
//   SumWeighted, SumPartials   combine's arithmetic
//   StoreRelease, LoadAcquire  the flags, and with them the order of everything before and after
//   NowNs, Aborted, Relax      bounded waiting
//   Worker, Workers            which share of the rank's rows is this worker's
//   ArriveLast                 whether all other workers have come before, with all they did
//   ClaimOnce, Failed          the one error of a rank
#ifndef CSRC_HOST_DEVICE_H_
#define CSRC_HOST_DEVICE_H_

#include <atomic>
#include <cstring>
#include <vector>

#include "csrc/host/clock.h"
#include "csrc/host/row.h"
#include "csrc/protocol/quant.h"
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

  // A row ready to travel; valid until the next LoadRow.
  struct Row {
    bool finite;
    const void* payload;
    size_t payload_bytes;
    const float* scales;
    size_t scales_bytes;
  };

  Row LoadRow(const Shape& shape, const Bf16* channels) {
    if (shape.dtype == Dtype::kBf16) {
      return {true, channels, sizeof(Bf16) * shape.hidden, nullptr, 0};
    }
    const bool finite = QuantizeRow(channels, shape.hidden, codes_.data(), scales_.data());
    return {finite, codes_.data(), shape.hidden, scales_.data(), sizeof(float) * scales_.size()};
  }

  void PutRow(const Row& row, uint8_t* payload, float* scales) {
    std::memcpy(payload, row.payload, row.payload_bytes);
    if (row.scales_bytes != 0) std::memcpy(scales, row.scales, row.scales_bytes);
  }

  void Copy(void* to, const void* from, size_t bytes) { std::memcpy(to, from, bytes); }

  void SumWeighted(Bf16* out, const Bf16* const* rows, const float* weights, uint32_t count,
                   uint32_t hidden) {
    ep::SumWeighted(out, rows, weights, count, hidden);
  }
  void SumPartials(Bf16* out, const Bf16* const* rows, uint32_t count, uint32_t hidden) {
    ep::SumPartials(out, rows, count, hidden);
  }

  void StoreRelease(uint64_t* flag, uint64_t value) {
    std::atomic_ref<uint64_t>(*flag).store(value, std::memory_order_release);
  }
  // The word is never written through this reference; atomic_ref has no const form in C++20.
  uint64_t LoadAcquire(const uint64_t* flag) {
    return std::atomic_ref<uint64_t>(*const_cast<uint64_t*>(flag)).load(std::memory_order_acquire);
  }

  uint64_t NowNs() const { return MonotonicNs(); }
  bool Aborted() const { return config_.aborted->load(std::memory_order_relaxed); }
  void Relax(uint32_t misses) const { ep::Relax(misses, config_.yields); }

  uint32_t Worker() const { return config_.worker; }
  uint32_t Workers() const { return config_.workers; }
  // The last one also puts the ticket back to zero, for the next operation.
  bool ArriveLast(uint32_t* ticket) {
    if (config_.workers == 1) return true;
    std::atomic_ref<uint32_t> arrived(*ticket);
    if (arrived.fetch_add(1, std::memory_order_acq_rel) + 1 != config_.workers) return false;
    arrived.store(0, std::memory_order_relaxed);
    return true;
  }
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

}  // namespace ep

#endif  // CSRC_HOST_DEVICE_H_
