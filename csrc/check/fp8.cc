#include "csrc/check/fp8.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

#include "csrc/base/cpu_versions.h"
#include "csrc/protocol/shape.h"

namespace ep::reference {
namespace {

constexpr uint8_t kLargest = 0x7E;  // 448

}  // namespace

double Bf16Value(uint16_t bits) { return std::bit_cast<float>(uint32_t{bits} << 16); }

double E4m3Value(uint8_t code) {
  const int exponent = code >> 3 & 15;
  const int mantissa = code & 7;
  if (exponent == 15 && mantissa == 7) return std::numeric_limits<double>::quiet_NaN();
  const double magnitude =
      exponent == 0 ? std::ldexp(mantissa, -9) : std::ldexp(8 + mantissa, exponent - 10);
  return code & 0x80 ? -magnitude : magnitude;
}

uint8_t NearestE4m3(float value) {
  if (std::isnan(value)) return 0x7F;
  const double magnitude = std::fabs(value);
  uint8_t best = 0;
  for (uint8_t code = 1; code <= kLargest; ++code) {
    const double ours = std::fabs(E4m3Value(code) - magnitude);
    const double theirs = std::fabs(E4m3Value(best) - magnitude);
    if (ours < theirs || (ours == theirs && code % 2 == 0)) best = code;
  }
  return std::signbit(value) ? best | 0x80 : best;
}

const std::array<Interval, 128>& E4m3Intervals() {
  static const std::array<Interval, 128> kIntervals = [] {
    std::array<Interval, 128> intervals;
    constexpr float kInfinity = std::numeric_limits<float>::infinity();
    for (int code = 0; code <= kLargest; ++code) {
      // Halfway points have at most 5 significant bits: exact in float.
      const auto halfway = [](int a, int b) {
        return static_cast<float>(
            (E4m3Value(static_cast<uint8_t>(a)) + E4m3Value(static_cast<uint8_t>(b))) / 2);
      };
      Interval& interval = intervals[static_cast<size_t>(code)];
      interval.lowest = code == 0 ? 0.0f : halfway(code - 1, code);
      interval.highest = code == kLargest ? kInfinity : halfway(code, code + 1);
      if (code % 2 == 0) continue;  // ties are an even code's own
      interval.lowest = std::nextafter(interval.lowest, kInfinity);
      interval.highest = std::nextafter(interval.highest, 0.0f);
    }
    intervals[0x7F] = {kInfinity, -kInfinity};
    return intervals;
  }();
  return kIntervals;
}

namespace {

// Channels of a group that are looked at side by side.
constexpr uint32_t kLanes = 32;

inline float Widen(uint16_t bits) { return std::bit_cast<float>(uint32_t{bits} << 16); }

inline float Larger(float magnitude, uint16_t channel) {
  const float other = std::fabs(Widen(channel));
  return other > magnitude ? other : magnitude;  // no NaN is larger
}

inline GroupScale ScaleOfGroup(const uint16_t* channels, uint32_t count) {
  float largest[kLanes] = {};
  uint32_t c = 0;
  for (; c + kLanes <= count; c += kLanes) {
    for (uint32_t lane = 0; lane < kLanes; ++lane) {
      largest[lane] = Larger(largest[lane], channels[c + lane]);
    }
  }
  for (; c < count; ++c) largest[0] = Larger(largest[0], channels[c]);
  const double amax = std::max(*std::max_element(largest, largest + kLanes), 1e-4f);
  // A quotient of two floats in double, rounded to float, is the correctly rounded float quotient.
  return {static_cast<float>(amax / 448.0), static_cast<float>(448.0 / amax)};
}

inline uint8_t Round(float value) {
  constexpr float kBeyond = 512.0f;
  constexpr uint32_t kExponent = 0x7F800000;
  constexpr uint32_t kLeastNormal = 121u << 23;  // 2^-6, in whose grid smaller values lie, too
  const float magnitude = std::fabs(value);
  const float clamped = magnitude > kBeyond ? kBeyond : magnitude;  // a NaN stays one
  const uint32_t exponent = std::max(std::bit_cast<uint32_t>(clamped) & kExponent, kLeastNormal);
  // The grid's unit is an eighth of the value's power of two, and 2^23 units are a float whose last
  // bit is one unit: the sum is rounded to it, ties to even.
  const uint32_t many_units = exponent + (20u << 23);
  const uint32_t units =
      std::bit_cast<uint32_t>(clamped + std::bit_cast<float>(many_units)) - many_units;
  const uint32_t code = std::min<uint32_t>(((exponent - kLeastNormal) >> 20) + units, kLargest);
  const uint32_t sign = std::bit_cast<uint32_t>(value) >> 24 & 0x80;
  return static_cast<uint8_t>(magnitude <= std::numeric_limits<float>::infinity() ? code | sign
                                                                                  : 0x7F);
}

// Returns the scale. A constant `count` makes it quicker.
inline float QuantizeGroup(const uint16_t* channels, uint32_t count, uint8_t* codes) {
  const GroupScale scale = ScaleOfGroup(channels, count);
  for (uint32_t c = 0; c < count; ++c) codes[c] = Round(Widen(channels[c]) * scale.multiplier);
  return scale.scale;
}

}  // namespace

GroupScale ScaleOf(const uint16_t* channels, uint32_t count) {
  return ScaleOfGroup(channels, count);
}

uint8_t RoundToE4m3(float value) { return Round(value); }

EP_CPU_VERSIONS
void QuantizeRow(const uint16_t* channels, uint32_t hidden, uint8_t* codes, float* scales) {
  uint32_t begin = 0;
  for (; begin + kChannelsPerScale <= hidden; begin += kChannelsPerScale) {
    *scales++ = QuantizeGroup(channels + begin, kChannelsPerScale, codes + begin);
  }
  if (begin < hidden) *scales = QuantizeGroup(channels + begin, hidden - begin, codes + begin);
}

EP_CPU_VERSIONS
uint32_t FirstWrongCode(const uint16_t* channels, uint32_t count, float multiplier,
                        const uint8_t* codes) {
  const Interval* intervals = E4m3Intervals().data();
  uint32_t wrong[kChannelsPerScale];
  uint32_t any = 0;
  for (uint32_t c = 0; c < count; ++c) {
    const float value = Widen(channels[c]) * multiplier;
    const float magnitude = std::fabs(value);
    const Interval interval = intervals[codes[c] & 0x7F];
    const bool inside = magnitude >= interval.lowest && magnitude <= interval.highest;
    const bool same_sign = (std::bit_cast<uint32_t>(value) >> 31) == (codes[c] >> 7);
    wrong[c] = !(inside && same_sign);
    any |= wrong[c];
  }
  if (any == 0) return count;
  for (uint32_t c = 0; c < count; ++c) {
    if (wrong[c] && !(std::isnan(Bf16Value(channels[c])) && codes[c] == 0x7F)) return c;
  }
  return count;
}

}  // namespace ep::reference
