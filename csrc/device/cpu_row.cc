#include "csrc/device/cpu_row.h"

#include <algorithm>

#include "csrc/base/cpu_versions.h"

namespace ep {
namespace {

// Channels summed at a time: the sums stay in the first-level cache.
constexpr uint32_t kTile = 256;

}  // namespace

EP_CPU_VERSIONS
bool QuantizeRow(const Bf16* channels, uint32_t hidden, E4m3* codes, float* scales) {
  bool finite = true;
  const uint32_t rest = hidden % kChannelsPerScale;
  for (uint32_t begin = 0; begin < hidden - rest; begin += kChannelsPerScale) {
    // A count that the compiler knows, and so no rests of loops.
    finite &= QuantizeGroup(channels + begin, kChannelsPerScale, codes + begin, scales++);
  }
  if (rest > 0) {
    finite &= QuantizeGroup(channels + hidden - rest, rest, codes + hidden - rest, scales);
  }
  return finite;
}

EP_CPU_VERSIONS
void SumWeighted(Bf16* out, const Bf16* const* rows, const float* weights, uint32_t count,
                 uint32_t hidden) {
  float sums[kTile];
  for (uint32_t begin = 0; begin < hidden; begin += kTile) {
    const uint32_t channels = std::min(kTile, hidden - begin);
    for (uint32_t c = 0; c < channels; ++c) sums[c] = 0.0f;
    for (uint32_t i = 0; i < count; ++i) {
      const Bf16* row = rows[i] + begin;
      const float weight = weights[i];
      for (uint32_t c = 0; c < channels; ++c) {
        sums[c] = __builtin_fmaf(weight, Bf16ToFloat(row[c]), sums[c]);
      }
    }
    Bf16* tile = out + begin;  // an index that might wrap would keep the loop scalar
    for (uint32_t c = 0; c < channels; ++c) tile[c] = FloatToBf16(sums[c]);
  }
}

EP_CPU_VERSIONS
void SumPartials(Bf16* out, const Bf16* const* rows, uint32_t count, uint32_t hidden) {
  if (count == 0) {
    std::fill(out, out + hidden, Bf16{0});
    return;
  }
  float sums[kTile];
  for (uint32_t begin = 0; begin < hidden; begin += kTile) {
    const uint32_t channels = std::min(kTile, hidden - begin);
    const Bf16* first = rows[0] + begin;
    for (uint32_t c = 0; c < channels; ++c) sums[c] = Bf16ToFloat(first[c]);
    for (uint32_t i = 1; i < count; ++i) {
      const Bf16* row = rows[i] + begin;
      for (uint32_t c = 0; c < channels; ++c) sums[c] += Bf16ToFloat(row[c]);
    }
    Bf16* tile = out + begin;  // an index that might wrap would keep the loop scalar
    for (uint32_t c = 0; c < channels; ++c) tile[c] = FloatToBf16(sums[c]);
  }
}

}  // namespace ep
