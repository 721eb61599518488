// The quick ways to FP8, held against the definition: the nearest of all codes.
#include "csrc/check/fp8.h"

#include <gtest/gtest.h>

#include <algorithm>
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

// Beside one channel that sets the scale, every BF16 that is not larger, and NaN.
TEST(QuantizeRow, GivesEveryChannelTheNearestCode) {
  for (const uint16_t largest : {0x3F80, 0x4093, 0x2481}) {
    std::vector<uint16_t> row;
    for (uint32_t bits = 0; bits < 0x10000; ++bits) {
      if (row.size() % kChannelsPerScale == 0) row.push_back(largest);
      const uint32_t magnitude = bits & 0x7FFF;
      if (magnitude <= largest || magnitude > 0x7F80) row.push_back(static_cast<uint16_t>(bits));
    }
    std::vector<uint8_t> codes(row.size());
    std::vector<float> scales(row.size() / kChannelsPerScale + 1);
    QuantizeRow(row.data(), static_cast<uint32_t>(row.size()), codes.data(), scales.data());
    const GroupScale scale = ScaleOf(&largest, 1);
    for (size_t c = 0; c < row.size(); ++c) {
      ASSERT_EQ(scales[c / kChannelsPerScale], scale.scale);
      const auto value = static_cast<float>(Bf16Value(row[c])) * scale.multiplier;
      ASSERT_EQ(codes[c], NearestE4m3(value)) << value;
    }
  }
}

// Rows of whole groups, of one short group, and with a short last one.
TEST(QuantizeRow, HasNoWrongCodeAndEachGroupsScale) {
  for (const uint32_t hidden : {8u, 120u, 3 * kChannelsPerScale, 2 * kChannelsPerScale + 72}) {
    std::vector<uint16_t> channels(hidden);
    uint32_t state = 1;
    for (int round = 0; round < 1000; ++round) {
      for (uint16_t& channel : channels) {
        state = state * 1664525 + 1013904223;
        // Any finite exponent in a window that moves with the round.
        const uint32_t exponent = (static_cast<uint32_t>(round) + (state >> 28)) % 255;
        channel = static_cast<uint16_t>((state >> 16 & 0x807F) | exponent << 7);
      }
      channels[hidden / 2] = 0xFFC0;  // a NaN
      std::vector<uint8_t> codes(hidden);
      std::vector<float> scales((hidden + kChannelsPerScale - 1) / kChannelsPerScale);
      QuantizeRow(channels.data(), hidden, codes.data(), scales.data());
      for (uint32_t group = 0; group < scales.size(); ++group) {
        const uint32_t begin = group * kChannelsPerScale;
        const uint32_t count = std::min(kChannelsPerScale, hidden - begin);
        const GroupScale want = ScaleOf(&channels[begin], count);
        ASSERT_EQ(scales[group], want.scale);
        ASSERT_EQ(FirstWrongCode(&channels[begin], count, want.multiplier, &codes[begin]), count);
      }
    }
  }
}

TEST(ScaleOf, GoesByTheLargestChannelAndHasALeastOne) {
  for (const uint32_t count : {8u, 72u, 120u, kChannelsPerScale}) {
    std::vector<uint16_t> channels(count);
    EXPECT_EQ(ScaleOf(channels.data(), count).scale, 1e-4f / 448.0f);
    for (uint32_t c = 0; c < count; ++c) {
      channels.assign(count, 0x3F80);      // 1
      channels[(c + 1) % count] = 0x7FC0;  // a NaN
      channels[c] = 0xC040;                // -3
      EXPECT_EQ(ScaleOf(channels.data(), count).scale, 3.0f / 448.0f) << c;
      EXPECT_EQ(ScaleOf(channels.data(), count).multiplier, 448.0f / 3.0f) << c;
    }
  }
}

}  // namespace
}  // namespace ep::reference
