// The quick ways to FP8, held against the definition: the nearest of all codes.
#include "csrc/reference/fp8.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <limits>
#include <vector>

#include "csrc/protocol/shape.h"

namespace ep::reference {
namespace {

TEST(RoundToE4m3, IsTheNearestCodeOfEveryBf16AtManyScales) {
  for (const float multiplier : {1.0f, 0.013f, 3.1e-5f, 77.7f, 448.0f, 1e6f, 0.3333f}) {
    for (uint32_t bits = 0; bits < 0x10000; ++bits) {
      const float value = static_cast<float>(Bf16Value(static_cast<uint16_t>(bits))) * multiplier;
      ASSERT_EQ(RoundToE4m3(value), NearestE4m3(value)) << value;
    }
  }
}

TEST(RoundToE4m3, ChangesWhereTheNearestCodeDoes) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  for (const Interval& interval : E4m3Intervals()) {
    for (const float end : {interval.lowest, interval.highest}) {
      for (const float value : {std::nextafter(end, 0.0f), end, std::nextafter(end, kInfinity)}) {
        EXPECT_EQ(RoundToE4m3(value), NearestE4m3(value)) << value;
        EXPECT_EQ(RoundToE4m3(-value), NearestE4m3(-value)) << value;
      }
    }
  }
  EXPECT_EQ(RoundToE4m3(-std::numeric_limits<float>::quiet_NaN()), 0x7F);
}

TEST(EncodeRow, HasNoWrongCodeAndEachGroupsScale) {
  constexpr uint32_t kHidden = 3 * kChannelsPerScale;
  std::vector<uint16_t> channels(kHidden);
  uint32_t state = 1;
  for (int round = 0; round < 2000; ++round) {
    for (uint16_t& channel : channels) {
      state = state * 1664525 + 1013904223;
      // Any finite exponent in a window that moves with the round.
      const uint32_t exponent = (static_cast<uint32_t>(round) + (state >> 28)) % 255;
      channel = static_cast<uint16_t>((state >> 16 & 0x807F) | exponent << 7);
    }
    channels[200] = 0xFFC0;  // a NaN
    std::vector<uint8_t> codes(kHidden);
    std::vector<float> scales(3);
    EncodeRow(channels.data(), kHidden, codes.data(), scales.data());
    for (uint32_t group = 0; group < 3; ++group) {
      const uint16_t* of_group = channels.data() + group * kChannelsPerScale;
      const GroupScale want = ScaleOf(of_group);
      ASSERT_EQ(scales[group], want.scale);
      ASSERT_EQ(FirstWrongCode(of_group, want.multiplier, &codes[group * kChannelsPerScale]),
                kChannelsPerScale);
    }
  }
}

TEST(ScaleOf, GoesByTheLargestChannelAndHasALeastOne) {
  std::vector<uint16_t> channels(kChannelsPerScale);
  EXPECT_EQ(ScaleOf(channels.data()).scale, 1e-4f / 448.0f);
  for (uint32_t c = 0; c < kChannelsPerScale; ++c) {
    channels.assign(kChannelsPerScale, 0x3F80);      // 1
    channels[(c + 1) % kChannelsPerScale] = 0x7FC0;  // a NaN
    channels[c] = 0xC040;                            // -3
    EXPECT_EQ(ScaleOf(channels.data()).scale, 3.0f / 448.0f) << c;
    EXPECT_EQ(ScaleOf(channels.data()).multiplier, 448.0f / 3.0f) << c;
  }
}

}  // namespace
}  // namespace ep::reference
