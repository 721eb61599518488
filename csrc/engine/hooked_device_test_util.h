// A way to plant faults: the host's device, with a hook in each thing that a rank does.
#ifndef CSRC_ENGINE_HOOKED_DEVICE_TEST_UTIL_H_
#define CSRC_ENGINE_HOOKED_DEVICE_TEST_UTIL_H_

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "csrc/host/device.h"

namespace ep {

// A host device that lets a test see, change or swallow what passes through it.
class HookedDevice : public HostDevice {
 public:
  using HostDevice::HostDevice;

  void PutRow(const Row& row, uint8_t* payload, float* scales) {
    if (swallow_row && swallow_row(payload)) return;
    HostDevice::PutRow(row, payload, scales);
  }
  void Write(uint8_t* to, const Held& held) {
    if (forgets_zeros && held.from == nullptr) return;
    if (elsewhere) to = elsewhere(to, held.bytes);
    HostDevice::Write(to, held);
    if (after_write) after_write(to, held.bytes);
  }
  template <class ToOf, class FromOf>
  void CopyRows(size_t bytes, uint32_t count, ToOf to_of, FromOf from_of) {
    if (copies_to_skip > 0 && copies_to_skip-- > 0) return;
    HostDevice::CopyRows(bytes, count, to_of, from_of);
  }
  void StoreRelease(uint64_t* flag, uint64_t value) {
    if (before_release) before_release(flag);
    if (!lose_flag || !lose_flag(flag)) HostDevice::StoreRelease(flag, value);
  }
  uint64_t LoadAcquire(const uint64_t* flag) {
    const std::optional<uint64_t> pretended = pretend ? pretend(flag) : std::nullopt;
    return pretended ? *pretended : HostDevice::LoadAcquire(flag);
  }
  template <class RowOf, class WeightOf>
  void SumWeighted(Bf16* out, uint32_t channels, uint32_t count, RowOf row_of, WeightOf weight_of) {
    if (before_sum) before_sum();
    const std::vector<uint32_t> order = order_of ? order_of(count) : std::vector<uint32_t>();
    if (order.empty()) return HostDevice::SumWeighted(out, channels, count, row_of, weight_of);
    HostDevice::SumWeighted(
        out, channels, static_cast<uint32_t>(order.size()),
        [&](uint32_t i) { return row_of(order[i]); },
        [&](uint32_t i) { return weight_of(order[i]); });
  }
  template <class RowOf>
  void SumPartials(Bf16* out, uint32_t channels, uint32_t count, RowOf row_of) {
    if (sums_to_skip > 0 && sums_to_skip-- > 0) return;
    HostDevice::SumPartials(out, channels, count, row_of);
  }

  uint64_t NowNs() const { return now ? now() : HostDevice::NowNs(); }

  std::function<uint64_t()> now;
  std::function<bool(const uint8_t* payload)> swallow_row;
  std::function<void(uint8_t* to, size_t bytes)> after_write;
  // Where a row is written instead.
  std::function<uint8_t*(uint8_t* to, size_t bytes)> elsewhere;
  std::function<void(const uint64_t* flag)> before_release;
  std::function<bool(const uint64_t* flag)> lose_flag;
  std::function<std::optional<uint64_t>(const uint64_t* flag)> pretend;
  std::function<void()> before_sum;
  // Which of `count` selections are summed, and in which order.
  std::function<std::vector<uint32_t>(uint32_t count)> order_of;
  int sums_to_skip = 0;
  int copies_to_skip = 0;
  bool forgets_zeros = false;
};

}  // namespace ep

#endif  // CSRC_ENGINE_HOOKED_DEVICE_TEST_UTIL_H_
