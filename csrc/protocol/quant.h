// BF16 and FP8 E4M3: the scalar arithmetic that every engine must reproduce bit for bit.
//
// A group of 128 channels shares one fp32 scale; where a row's last group has fewer, they have a
// scale as well. amax = max(|x|, 1e-4) over the group without its NaNs, scale = amax / 448,
// code = E4M3(x * (448 / amax)), each step rounded to nearest even in fp32. Subnormal codes are
// kept, NaN becomes 0x7F, values beyond 448 saturate (there are none but by rounding).
#ifndef CSRC_PROTOCOL_QUANT_H_
#define CSRC_PROTOCOL_QUANT_H_

#include "csrc/protocol/shape.h"
#include "csrc/protocol/std.h"

namespace ep {

// Raw bits; the host has no such types.
using Bf16 = uint16_t;
using E4m3 = uint8_t;

inline constexpr float kE4m3Max = 448.0f;
inline constexpr float kMinAmax = 1e-4f;
inline constexpr Bf16 kBf16Infinity = 0x7F80;
inline constexpr E4m3 kE4m3NaN = 0x7F;

constexpr float Bf16ToFloat(Bf16 bits) { return bit_cast<float>(uint32_t{bits} << 16); }

// Rounds to nearest even; a NaN becomes the quiet NaN 0x7FFF, as the GPU's conversion has it.
constexpr Bf16 FloatToBf16(float value) {
  const uint32_t bits = bit_cast<uint32_t>(value);
  const uint32_t rounded = (bits + 0x7FFF + (bits >> 16 & 1)) >> 16;
  const bool is_nan = (bits & 0x7FFFFFFF) > 0x7F800000;
  return static_cast<Bf16>(is_nan ? 0x7FFF : rounded);
}

// Rounds to nearest even and saturates; a NaN loses its sign, as in the GPU's conversion. Without
// branches, so that loops over it vectorise.
constexpr E4m3 FloatToE4m3(float value) {
  constexpr uint32_t kInfinity = 0x7F800000;
  constexpr uint32_t kMinNormal = 121u << 23;           // 2^-6
  constexpr uint32_t kMax = (135u << 23) | (6u << 20);  // 448
  const uint32_t bits = bit_cast<uint32_t>(value);
  const uint32_t magnitude = bits & 0x7FFFFFFF;
  const uint32_t clamped = magnitude < kMax ? magnitude : kMax;
  // From 2^-6 on, fp32's exponent rebiased from 127 to 7 and its mantissa cut from 23 bits to 3.
  const uint32_t normal = ((clamped + 0x7FFFF + (clamped >> 20 & 1)) >> 20) - (120u << 3);
  // Below, the code counts units of 2^-9: the last bit of a float that lies in [2^14, 2^15).
  constexpr float kUnits = 16384.0f;
  const uint32_t subnormal =
      bit_cast<uint32_t>(bit_cast<float>(clamped) + kUnits) - bit_cast<uint32_t>(kUnits);
  const uint32_t code = clamped < kMinNormal ? subnormal : normal;
  return static_cast<E4m3>(magnitude > kInfinity ? kE4m3NaN : code | (bits >> 24 & 0x80));
}

constexpr float E4m3ToFloat(E4m3 code) {
  const uint32_t exponent = code >> 3 & 15;
  const uint32_t mantissa = code & 7;
  const float sign = code & 0x80 ? -1.0f : 1.0f;
  if ((code & 0x7F) == kE4m3NaN) return bit_cast<float>(0x7FFFFFFFu);
  if (exponent == 0) return sign * static_cast<float>(mantissa) / 512.0f;
  return sign * bit_cast<float>((exponent + 120) << 23 | mantissa << 20);
}

// What a group's channels are multiplied by, and its scale.
struct GroupScale {
  float multiplier;  // 448 / amax
  float scale;       // amax / 448
};
inline constexpr float kMostQuickAmax = 4.2535296e37f;  // 2^125

// Both to the last bit, without a division, for amax up to kMostQuickAmax: from a reciprocal of
// amax that is off by two units in its last place at most, as a GPU's is. fma(a, b, c) rounds once.
template <class Fma>
constexpr GroupScale QuickScale(float amax, float reciprocal, Fma fma) {
  constexpr float kStep = 1.0f / kE4m3Max;
  const float quotient = amax * kStep;
  const float error = fma(-amax, reciprocal, 1.0f);
  const float nearer = fma(error, reciprocal, reciprocal);
  const float product = kE4m3Max * nearer;
  return {.multiplier = fma(fma(-amax, product, kE4m3Max), nearer, product),
          .scale = fma(fma(-kE4m3Max, quotient, amax), kStep, quotient)};
}

// Bits of the largest |channel| of a group of `count`, NaNs left out. BF16 orders like its bits.
constexpr Bf16 GroupMagnitude(const Bf16* channels, uint32_t count) {
  uint32_t largest = 0;
  for (uint32_t i = 0; i < count; ++i) {
    const uint32_t magnitude = channels[i] & 0x7FFF;
    // A mask, not a choice: a choice inside a maximum keeps GCC from vectorising it.
    const uint32_t counted = magnitude & (0u - (magnitude <= kBf16Infinity));
    largest = counted > largest ? counted : largest;
  }
  return static_cast<Bf16>(largest);
}

// Quantises one group of `count` channels. Returns false, with nothing written, if it holds an
// infinity.
constexpr bool QuantizeGroup(const Bf16* channels, uint32_t count, E4m3* codes, float* scale) {
  const Bf16 magnitude = GroupMagnitude(channels, count);
  if (magnitude == kBf16Infinity) return false;
  const float largest = Bf16ToFloat(magnitude);
  const float amax = largest > kMinAmax ? largest : kMinAmax;
  *scale = amax / kE4m3Max;
  const float multiplier = kE4m3Max / amax;
  for (uint32_t i = 0; i < count; ++i) {
    codes[i] = FloatToE4m3(Bf16ToFloat(channels[i]) * multiplier);
  }
  return true;
}

}  // namespace ep

#endif  // CSRC_PROTOCOL_QUANT_H_
