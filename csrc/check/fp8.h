// FP8 E4M3 by definition: a table of all values, and which inputs round to each.
//
// Written apart from csrc/protocol/quant.h, and in another way, so that the two check each other.
#ifndef CSRC_CHECK_FP8_H_
#define CSRC_CHECK_FP8_H_

#include <array>
#include <cstdint>

namespace ep::reference {

double Bf16Value(uint16_t bits);
double E4m3Value(uint8_t code);  // a NaN for 0x7F and 0xFF

// The code whose value is nearest to `value`, by table search; ties go to the even code, what is
// beyond 448 to 448, NaN to 0x7F.
uint8_t NearestE4m3(float value);

// All values that NearestE4m3 maps to a code: the closed interval [lowest, highest] of the
// code's magnitude. 0x7F has an empty one.
struct Interval {
  float lowest;
  float highest;
};
const std::array<Interval, 128>& E4m3Intervals();

// The scale of a group of channels, up to 128, and what they are multiplied by before rounding.
struct GroupScale {
  float scale;
  float multiplier;
};
GroupScale ScaleOf(const uint16_t* channels, uint32_t count);

// The first of `count` channels, up to 128, whose code is not the nearest, or `count`. This is the
// definition.
uint32_t FirstWrongCode(const uint16_t* channels, uint32_t count, float multiplier,
                        const uint8_t* codes);

// The nearest code by the rounding of the float unit, which is quick: what an addition makes of a
// value lies on the grid of its sum. Tests hold it against NearestE4m3.
uint8_t RoundToE4m3(float value);

// Quantises a row by it: a code for each channel, and a scale for each 128 of them or the fewer
// that are left. Channels are finite or NaN.
void QuantizeRow(const uint16_t* channels, uint32_t hidden, uint8_t* codes, float* scales);

}  // namespace ep::reference

#endif  // CSRC_CHECK_FP8_H_
