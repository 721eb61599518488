// The arithmetic of rows, compared with definitions: a table of all FP8 values, and float64.
#include "csrc/protocol/quant.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <fstream>
#include <iterator>
#include <limits>
#include <vector>

#include "csrc/check/fp8.h"

namespace ep {
namespace {

TEST(Bf16, SurvivesTheWayThroughFloat) {
  for (uint32_t bits = 0; bits < 0x10000; ++bits) {
    const Bf16 value = static_cast<Bf16>(bits);
    if ((value & 0x7FFF) > kBf16Infinity) {
      EXPECT_EQ(FloatToBf16(Bf16ToFloat(value)), 0x7FFF) << "one NaN for all";
    } else {
      EXPECT_EQ(FloatToBf16(Bf16ToFloat(value)), value);
    }
  }
}

TEST(Bf16, RoundsTiesToEven) {
  EXPECT_EQ(FloatToBf16(bit_cast<float>(0x3F808000u)), 0x3F80);
  EXPECT_EQ(FloatToBf16(bit_cast<float>(0x3F818000u)), 0x3F82);
  EXPECT_EQ(FloatToBf16(bit_cast<float>(0x3F808001u)), 0x3F81);
  EXPECT_EQ(FloatToBf16(std::numeric_limits<float>::max()), kBf16Infinity);
}

TEST(E4m3, DecodesEveryCode) {
  for (uint32_t code = 0; code < 256; ++code) {
    const double want = reference::E4m3Value(static_cast<uint8_t>(code));
    const float got = E4m3ToFloat(static_cast<E4m3>(code));
    if (std::isnan(want)) {
      EXPECT_TRUE(std::isnan(got));
    } else {
      EXPECT_EQ(got, want) << code;
      EXPECT_EQ(std::signbit(got), std::signbit(want)) << code;
    }
  }
}

TEST(E4m3, EncodesEveryBf16AtManyScales) {
  for (const float multiplier : {1.0f, 0.013f, 3.1e-5f, 77.7f, 448.0f, 1e6f, 0.3333f}) {
    for (uint32_t bits = 0; bits < 0x10000; ++bits) {
      const float value = Bf16ToFloat(static_cast<Bf16>(bits)) * multiplier;
      ASSERT_EQ(FloatToE4m3(value), reference::NearestE4m3(value)) << value;
    }
  }
}

TEST(E4m3, EncodesEveryBf16AsMlDtypesDoes) {
  std::ifstream file("csrc/check/testdata/ml_dtypes_e4m3fn.bin", std::ios::binary);
  const std::vector<char> codes{std::istreambuf_iterator<char>(file), {}};
  ASSERT_EQ(codes.size(), 0x10000u);
  for (uint32_t bits = 0; bits < 0x10000; ++bits) {
    const float value = Bf16ToFloat(static_cast<Bf16>(bits));
    const auto theirs = static_cast<E4m3>(codes[bits]);
    if (std::isnan(value)) {
      // NaN's sign is nobody's concern.
      EXPECT_EQ(FloatToE4m3(value), theirs & 0x7F) << bits;
    } else if (std::fabs(value) < 464.0f) {
      EXPECT_EQ(FloatToE4m3(value), theirs) << value;
    } else {
      EXPECT_EQ(std::fabs(E4m3ToFloat(FloatToE4m3(value))), 448.0f) << "we saturate";
    }
  }
}

TEST(E4m3, EncodesAroundEveryHalfwayPoint) {
  for (int code = 0; code < 0x7E; ++code) {
    const auto halfway = static_cast<float>((reference::E4m3Value(static_cast<uint8_t>(code)) +
                                             reference::E4m3Value(static_cast<uint8_t>(code + 1))) /
                                            2);
    for (const float value :
         {std::nextafter(halfway, 0.0f), halfway, std::nextafter(halfway, 500.0f)}) {
      EXPECT_EQ(FloatToE4m3(value), reference::NearestE4m3(value)) << value;
      EXPECT_EQ(FloatToE4m3(-value), reference::NearestE4m3(-value)) << value;
    }
  }
}

class Group : public ::testing::Test {
 protected:
  bool Quantize(uint32_t count = kChannelsPerScale) {
    return QuantizeGroup(channels_.data(), count, codes_, &scale_);
  }

  std::vector<Bf16> channels_ = std::vector<Bf16>(kChannelsPerScale, 0);
  E4m3 codes_[kChannelsPerScale];
  float scale_ = 0;
};

TEST_F(Group, GivesItsLargestChannelTheLargestCode) {
  channels_[17] = FloatToBf16(-3.0f);
  channels_[18] = FloatToBf16(1.5f);
  ASSERT_TRUE(Quantize());
  EXPECT_EQ(scale_, 3.0f / 448.0f);
  EXPECT_EQ(E4m3ToFloat(codes_[17]), -448.0f);
  EXPECT_EQ(E4m3ToFloat(codes_[18]), 224.0f);
  EXPECT_EQ(codes_[0], 0);
}

TEST_F(Group, OfZerosHasTheSmallestScale) {
  ASSERT_TRUE(Quantize());
  EXPECT_EQ(scale_, 1e-4f / 448.0f);
  EXPECT_EQ(codes_[5], 0);
}

TEST_F(Group, KeepsANaNToItself) {
  channels_[3] = 0x7FC0;
  channels_[4] = 0xFFC0;
  channels_[5] = FloatToBf16(2.0f);
  ASSERT_TRUE(Quantize());
  EXPECT_EQ(scale_, 2.0f / 448.0f);
  EXPECT_EQ(codes_[3], kE4m3NaN);
  EXPECT_EQ(codes_[4], kE4m3NaN);
  EXPECT_EQ(E4m3ToFloat(codes_[5]), 448.0f);
}

TEST_F(Group, RefusesAnInfinity) {
  channels_[127] = 0xFF80;
  EXPECT_FALSE(Quantize());
}

TEST_F(Group, OfFewerChannelsEndsWithThem) {
  channels_[7] = FloatToBf16(-3.0f);
  channels_[8] = 0xFF80;
  std::memset(codes_, 0x55, sizeof(codes_));
  ASSERT_TRUE(Quantize(8));
  EXPECT_EQ(scale_, 3.0f / 448.0f);
  EXPECT_EQ(E4m3ToFloat(codes_[7]), -448.0f);
  EXPECT_EQ(codes_[8], 0x55);
  EXPECT_FALSE(Quantize(9));
}

TEST_F(Group, AgreesWithTheReference) {
  uint32_t state = 1;
  for (int round = 0; round < 2000; ++round) {
    const uint32_t count = round % 2 == 0 ? kChannelsPerScale : 8 + 8 * (state >> 28);
    for (Bf16& channel : channels_) {
      state = state * 1664525 + 1013904223;
      // Any finite exponent in a window that moves with the round.
      const uint32_t exponent = (static_cast<uint32_t>(round) + (state >> 28)) % 255;
      channel = static_cast<Bf16>((state >> 16 & 0x807F) | exponent << 7);
    }
    ASSERT_TRUE(Quantize(count));
    const reference::GroupScale want = reference::ScaleOf(channels_.data(), count);
    ASSERT_EQ(scale_, want.scale);
    ASSERT_EQ(reference::FirstWrongCode(channels_.data(), count, want.multiplier, codes_), count);
  }
}

// Takes values off the front of what is left of a file.
template <class T>
std::vector<T> Take(const std::vector<char>& bytes, size_t* at, size_t count) {
  std::vector<T> values(count);
  EXPECT_LE(*at + count * sizeof(T), bytes.size());
  if (*at + count * sizeof(T) > bytes.size()) return values;
  std::memcpy(values.data(), bytes.data() + *at, count * sizeof(T));
  *at += count * sizeof(T);
  return values;
}

// csrc/check/testdata/ml_dtypes_rows.py wrote the rows and says how.
TEST(RowsOfModels, AreQuantisedAsMlDtypesAndTheReferenceDo) {
  std::ifstream file("csrc/check/testdata/ml_dtypes_rows.bin", std::ios::binary);
  const std::vector<char> bytes{std::istreambuf_iterator<char>(file), {}};
  std::vector<uint32_t> hiddens;
  for (size_t at = 0; at < bytes.size();) {
    Shape shape = {};
    shape.hidden = Take<uint32_t>(bytes, &at, 1)[0];
    ASSERT_LE(shape.hidden, kMaxHidden);
    hiddens.push_back(shape.hidden);
    const auto channels = Take<Bf16>(bytes, &at, shape.hidden);
    const auto scales = Take<float>(bytes, &at, shape.ScalesPerRow());
    const auto codes = Take<E4m3>(bytes, &at, shape.hidden);
    std::vector<E4m3> theirs(shape.hidden);
    std::vector<float> their_scales(shape.ScalesPerRow());
    reference::QuantizeRow(channels.data(), shape.hidden, theirs.data(), their_scales.data());
    EXPECT_EQ(theirs, codes) << shape.hidden << " channels";
    EXPECT_EQ(their_scales, scales) << shape.hidden << " channels";
    for (uint32_t group = 0; group < shape.ScalesPerRow(); ++group) {
      const uint32_t begin = group * kChannelsPerScale;
      const uint32_t count = std::min(kChannelsPerScale, shape.hidden - begin);
      E4m3 got[kChannelsPerScale];
      float scale = 0;
      ASSERT_TRUE(QuantizeGroup(&channels[begin], count, got, &scale));
      EXPECT_EQ(scale, scales[group]) << shape.hidden << " channels, group " << group;
      EXPECT_EQ(std::memcmp(got, &codes[begin], count), 0)
          << shape.hidden << " channels, group " << group;
      const reference::GroupScale want = reference::ScaleOf(&channels[begin], count);
      EXPECT_EQ(want.scale, scales[group]);
      EXPECT_EQ(reference::FirstWrongCode(&channels[begin], count, want.multiplier, &codes[begin]),
                count);
    }
  }
  EXPECT_EQ(hiddens, (std::vector<uint32_t>{8, 8, 8, 120, 136, 2880}));
}

// All magnitudes that a group of BF16 can have, and all reciprocals that a GPU may start from.
TEST(QuickScale, IsTheDivisionsToTheLastBit) {
  const auto fma = [](float a, float b, float c) { return std::fma(a, b, c); };
  uint32_t checked = 0;
  for (uint32_t bits = 1; bits < kBf16Infinity; ++bits) {
    const float largest = Bf16ToFloat(static_cast<Bf16>(bits));
    const float amax = std::max(largest, kMinAmax);
    if (amax > kMostQuickAmax) continue;
    float reciprocal = 1.0f / amax;
    for (int i = 0; i < 2; ++i) reciprocal = std::nextafter(reciprocal, 0.0f);
    for (int i = -2; i <= 2; ++i, reciprocal = std::nextafter(reciprocal, INFINITY)) {
      const GroupScale group = QuickScale(amax, reciprocal, fma);
      ASSERT_EQ(group.multiplier, kE4m3Max / amax) << bits << ", " << i;
      ASSERT_EQ(group.scale, amax / kE4m3Max) << bits << ", " << i;
      ++checked;
    }
  }
  EXPECT_GT(checked, 100'000u);
}

}  // namespace
}  // namespace ep
