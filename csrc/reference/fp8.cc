#include "csrc/reference/fp8.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

#include "csrc/base/cpu_versions.h"
#include "csrc/protocol/shape.h"

namespace ep::reference {
namespace {

constexpr uint8_t kLargest = 0x7E;  // 448

// The codes of all magnitudes, by the upper half of a float's bits and whether the lower half is
// more than 0: no halfway point has so many significant bits that it lies between.
using Codes = std::array<std::array<uint8_t, 2>, 0x8000>;

Codes MakeCodes() {
  constexpr uint32_t kInfinity = 0x7F800000;
  Codes codes;
  uint8_t code = 0;
  for (uint32_t upper = 0; upper < codes.size(); ++upper) {
    for (uint32_t more = 0; more < 2; ++more) {
      const uint32_t bits = upper << 16 | more;
      while (bits <= kInfinity && std::bit_cast<float>(bits) > E4m3Intervals()[code].highest) {
        ++code;
      }
      codes[upper][more] = bits > kInfinity ? 0x7F : code;
    }
  }
  return codes;
}

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

GroupScale ScaleOf(const uint16_t* channels, uint32_t count) {
  double amax = 0;
  for (uint32_t c = 0; c < count; ++c) {
    amax = std::max(amax, std::fabs(Bf16Value(channels[c])));  // max(a, NaN) is a
  }
  amax = std::max(amax, static_cast<double>(1e-4f));
  // A quotient of two floats in double, rounded to float, is the correctly rounded float quotient.
  return {static_cast<float>(amax / 448.0), static_cast<float>(448.0 / amax)};
}

EP_CPU_VERSIONS
uint32_t FirstWrongCode(const uint16_t* channels, uint32_t count, float multiplier,
                        const uint8_t* codes) {
  const Interval* intervals = E4m3Intervals().data();
  uint32_t wrong[kChannelsPerScale];
  uint32_t any = 0;
  for (uint32_t c = 0; c < count; ++c) {
    const float value = std::bit_cast<float>(uint32_t{channels[c]} << 16) * multiplier;
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

void QuantizeRow(const uint16_t* channels, uint32_t hidden, uint8_t* codes, float* scales) {
  static const Codes kCodes = MakeCodes();
  for (uint32_t begin = 0; begin < hidden; begin += kChannelsPerScale) {
    const uint32_t count = std::min(kChannelsPerScale, hidden - begin);
    const GroupScale group = ScaleOf(channels + begin, count);
    *scales++ = group.scale;
    for (uint32_t c = begin; c < begin + count; ++c) {
      const float value = std::bit_cast<float>(uint32_t{channels[c]} << 16) * group.multiplier;
      const uint32_t bits = std::bit_cast<uint32_t>(value);
      const uint8_t magnitude = kCodes[bits >> 16 & 0x7FFF][(bits & 0xFFFF) != 0];
      const bool negative = !std::isnan(value) && std::signbit(value);
      codes[c] = negative ? magnitude | 0x80 : magnitude;
    }
  }
}

}  // namespace ep::reference
