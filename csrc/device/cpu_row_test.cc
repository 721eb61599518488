// The vectorised rows have the bits of the scalar definitions, whatever CPU runs the test.
#include "csrc/device/cpu_row.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <vector>

namespace ep {
namespace {

constexpr uint32_t kHiddens[] = {8, 120, 128, 136, 256, 384, 2880, 7168, 8192};

class Rows : public ::testing::Test {
 protected:
  // All BF16 but infinities.
  std::vector<Bf16> Anything(uint32_t hidden) {
    std::vector<Bf16> row(hidden);
    for (Bf16& channel : row) {
      do {
        channel = static_cast<Bf16>(random_());
      } while ((channel & 0x7FFF) == kBf16Infinity);
    }
    return row;
  }

  // Numbers of one size, whose sums round.
  std::vector<Bf16> Moderate(uint32_t hidden) {
    std::vector<Bf16> row(hidden);
    for (Bf16& channel : row) {
      channel = static_cast<Bf16>((random_() & 0x80FF) | (0x3F00 + (random_() % 3 << 8)));
    }
    return row;
  }

  std::mt19937 random_{1};
};

TEST_F(Rows, QuantiseAsGroups) {
  for (const uint32_t hidden : kHiddens) {
    for (int round = 0; round < 20; ++round) {
      const std::vector<Bf16> row = round % 2 ? Anything(hidden) : Moderate(hidden);
      std::vector<E4m3> codes(hidden), want_codes(hidden);
      const uint32_t groups = (hidden + 127) / 128;
      std::vector<float> scales(groups), want_scales(groups);
      ASSERT_TRUE(QuantizeRow(row.data(), hidden, codes.data(), scales.data()));
      for (uint32_t g = 0; g < groups; ++g) {
        QuantizeGroup(&row[g * 128], std::min(128u, hidden - g * 128), &want_codes[g * 128],
                      &want_scales[g]);
      }
      EXPECT_EQ(codes, want_codes);
      EXPECT_EQ(scales, want_scales);
    }
  }
}

TEST_F(Rows, WithAnInfinityAreRefused) {
  for (const uint32_t at : {0u, 127u, 128u, 255u, 256u, 263u}) {
    std::vector<Bf16> row = Moderate(264);
    row[at] = kBf16Infinity;
    E4m3 codes[264];
    float scales[3];
    EXPECT_FALSE(QuantizeRow(row.data(), 264, codes, scales)) << at;
  }
}

TEST_F(Rows, SumWeightedInOrderWithOneRoundingAStep) {
  for (const uint32_t hidden : kHiddens) {
    for (const uint32_t count : {1u, 2u, 3u, 8u, 32u}) {
      std::vector<std::vector<Bf16>> rows;
      std::vector<const Bf16*> pointers;
      std::vector<float> weights;
      for (uint32_t i = 0; i < count; ++i) {
        rows.push_back(Moderate(hidden));
        weights.push_back(static_cast<float>(random_() % 1000) / 999.0f);
      }
      for (const auto& row : rows) pointers.push_back(row.data());
      std::vector<Bf16> out(hidden), want(hidden);
      SumWeighted(out.data(), pointers.data(), weights.data(), count, hidden);
      for (uint32_t c = 0; c < hidden; ++c) {
        float sum = 0.0f;
        for (uint32_t i = 0; i < count; ++i) {
          sum = std::fma(weights[i], Bf16ToFloat(rows[i][c]), sum);
        }
        want[c] = FloatToBf16(sum);
      }
      EXPECT_EQ(out, want);
    }
  }
}

TEST_F(Rows, SumPartialsInOrder) {
  for (const uint32_t hidden : kHiddens) {
    for (const uint32_t count : {0u, 1u, 2u, 5u, 32u}) {
      std::vector<std::vector<Bf16>> rows;
      std::vector<const Bf16*> pointers;
      for (uint32_t i = 0; i < count; ++i) rows.push_back(Moderate(hidden));
      for (const auto& row : rows) pointers.push_back(row.data());
      std::vector<Bf16> out(hidden, 7), want(hidden, 0);
      SumPartials(out.data(), pointers.data(), count, hidden);
      for (uint32_t c = 0; c < hidden && count > 0; ++c) {
        float sum = Bf16ToFloat(rows[0][c]);
        for (uint32_t i = 1; i < count; ++i) sum += Bf16ToFloat(rows[i][c]);
        want[c] = FloatToBf16(sum);
      }
      EXPECT_EQ(out, want);
    }
  }
}

}  // namespace
}  // namespace ep
