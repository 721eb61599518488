// The arithmetic of rows, compared with definitions: a table of all FP8 values, and float64.
#include "csrc/protocol/quant.h"

#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <iterator>
#include <limits>
#include <vector>

#include "csrc/reference/fp8.h"

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
  std::ifstream file("csrc/reference/testdata/ml_dtypes_e4m3fn.bin", std::ios::binary);
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
  bool Quantize() { return QuantizeGroup(channels_.data(), codes_, &scale_); }

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

TEST_F(Group, AgreesWithTheReference) {
  uint32_t state = 1;
  for (int round = 0; round < 2000; ++round) {
    for (Bf16& channel : channels_) {
      state = state * 1664525 + 1013904223;
      // Any finite exponent in a window that moves with the round.
      const uint32_t exponent = (static_cast<uint32_t>(round) + (state >> 28)) % 255;
      channel = static_cast<Bf16>((state >> 16 & 0x807F) | exponent << 7);
    }
    ASSERT_TRUE(Quantize());
    const reference::GroupScale want = reference::ScaleOf(channels_.data());
    ASSERT_EQ(scale_, want.scale);
    ASSERT_EQ(reference::FirstWrongCode(channels_.data(), want.multiplier, codes_),
              kChannelsPerScale);
  }
}

}  // namespace
}  // namespace ep
