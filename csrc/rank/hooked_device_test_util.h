// A way to plant faults: the host's device, with a hook in each thing that a rank does.
#ifndef CSRC_RANK_HOOKED_DEVICE_TEST_UTIL_H_
#define CSRC_RANK_HOOKED_DEVICE_TEST_UTIL_H_

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "csrc/device/cpu.h"

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
    if (writes_to_skip > 0 && writes_to_skip-- > 0) return;
    if (elsewhere) to = elsewhere(to, held.bytes);
    HostDevice::Write(to, held);
    if (after_write) after_write(to, held.bytes);
  }
  void RaiseFlag(const RankContext& context, const Message& message) {
    const auto* word =
        context.At<const uint64_t>(message.peer, message.Offset(context.layout, context.rank));
    if (before_word) before_word(word);
    if (lose_word && lose_word(word)) return;
    HostDevice::RaiseFlag(context, says_instead ? says_instead(message) : message);
  }
  uint64_t LoadAcquire(const uint64_t* word) {
    const std::optional<uint64_t> pretended = pretend ? pretend(word) : std::nullopt;
    return pretended ? *pretended : HostDevice::LoadAcquire(word);
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
  template <class RowOf, class WeightOf>
  void SumOwn(Bf16* fast, uint32_t channels, uint32_t count, RowOf row_of, WeightOf weight_of) {
    if (own_sums_to_skip > 0 && own_sums_to_skip-- > 0) return;
    SumWeighted(fast, channels, count, row_of, weight_of);
  }
  template <class RowOf>
  void SumPartials(Bf16* out, uint32_t channels, uint32_t count, uint32_t own, const Bf16* fast,
                   RowOf row_of) {
    if (sums_to_skip > 0 && sums_to_skip-- > 0) return;
    HostDevice::SumPartials(out, channels, count, own, fast, row_of);
  }

  uint64_t NowNs() const { return now ? now() : HostDevice::NowNs(); }

  std::function<uint64_t()> now;
  std::function<bool(const uint8_t* payload)> swallow_row;
  std::function<void(uint8_t* to, size_t bytes)> after_write;
  // Where a row is written instead.
  std::function<uint8_t*(uint8_t* to, size_t bytes)> elsewhere;
  std::function<void(const uint64_t* word)> before_word;
  std::function<bool(const uint64_t* word)> lose_word;
  std::function<Message(Message)> says_instead;
  std::function<std::optional<uint64_t>(const uint64_t* word)> pretend;
  std::function<void()> before_sum;
  // Which of `count` selections are summed, and in which order.
  std::function<std::vector<uint32_t>(uint32_t count)> order_of;
  int sums_to_skip = 0;
  int own_sums_to_skip = 0;
  int writes_to_skip = 0;
  bool forgets_zeros = false;
};

static_assert(DevicePolicy<HookedDevice>);

}  // namespace ep

#endif  // CSRC_RANK_HOOKED_DEVICE_TEST_UTIL_H_
