// The oracle itself, on rows small enough to know by hand.
#include "csrc/check/oracle.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <vector>

#include "csrc/check/fp8.h"
#include "csrc/check/inputs.h"

namespace ep::reference {
namespace {

constexpr uint32_t kHidden = 128;

// Two ranks of two experts; rank 1 has one token only.
Routing TwoRanks(Dtype dtype) {
  return {{2, 2, kHidden, 2, 2, dtype}, 5, {2, 1}, {0, 2, 1, 0, 3, -1, 9, 9}};
}

TEST(Oracle, KnowsWhoReceivesWhatInWhichOrder) {
  const Oracle oracle(TwoRanks(Dtype::kBf16), 0);
  ASSERT_EQ(oracle.Received(0).size(), 2u);
  EXPECT_EQ(oracle.Received(0)[0].token, 0u);
  EXPECT_EQ(oracle.Received(0)[1].token, 1u);
  ASSERT_EQ(oracle.Received(1).size(), 1u);
  EXPECT_EQ(oracle.ReceivedRows(), 3u);
  EXPECT_EQ(Oracle(TwoRanks(Dtype::kBf16), 1).Received(1)[0].rank, 1u);
}

TEST(Oracle, AcceptsTheRightBf16RowAndNamesAWrongChannel) {
  const Oracle oracle(TwoRanks(Dtype::kBf16), 0);
  std::vector<uint16_t> row(kHidden);
  TokenRow(5, 2, 0, 1, kHidden, row.data());
  auto* bytes = reinterpret_cast<uint8_t*>(row.data());
  EXPECT_FALSE(oracle.CompareDispatched({0, 1}, 2, bytes, nullptr));
  EXPECT_TRUE(oracle.CompareDispatched({0, 1}, 1, bytes, nullptr)) << "another set";
  EXPECT_TRUE(oracle.CompareDispatched({0, 0}, 2, bytes, nullptr)) << "another token";
  row[77] ^= 1;
  const auto difference = oracle.CompareDispatched({0, 1}, 2, bytes, nullptr);
  ASSERT_TRUE(difference);
  EXPECT_EQ(difference->channel, 77u);
  EXPECT_EQ(difference->got ^ 1, difference->want);
}

// Rows of whole groups, of one short group, and with a short last one.
class OracleOfFp8 : public ::testing::TestWithParam<uint32_t> {};

TEST_P(OracleOfFp8, AcceptsOnlyTheNearestCodes) {
  Routing routing = TwoRanks(Dtype::kFp8);
  const uint32_t hidden = routing.shape.hidden = GetParam();
  const Oracle oracle(routing, 0);
  std::vector<uint16_t> row(hidden);
  std::vector<uint8_t> codes;
  std::vector<float> scales;
  TokenRow(5, 0, 1, 0, hidden, row.data());
  for (uint32_t begin = 0; begin < hidden; begin += 128) {
    const uint32_t count = std::min(128u, hidden - begin);
    const GroupScale scale = ScaleOf(&row[begin], count);
    scales.push_back(scale.scale);
    for (uint32_t c = begin; c < begin + count; ++c) {
      codes.push_back(NearestE4m3(static_cast<float>(Bf16Value(row[c])) * scale.multiplier));
    }
  }
  const auto compare = [&] {
    return oracle.CompareDispatched({1, 0}, 0, codes.data(), scales.data());
  };
  EXPECT_FALSE(compare());
  for (uint32_t c = 0; c < hidden; ++c) {
    codes[c] ^= 1;
    const auto difference = compare();
    ASSERT_TRUE(difference);
    EXPECT_EQ(difference->channel, c);
    codes[c] ^= 0x81;
    EXPECT_TRUE(compare()) << "the sign";
    codes[c] ^= 0x80;
  }
  for (uint32_t group = 0; group < scales.size(); ++group) {
    scales[group] *= 2;
    const auto difference = compare();
    ASSERT_TRUE(difference);
    EXPECT_EQ(difference->part, Difference::kScale);
    EXPECT_EQ(difference->channel, group * 128);
    scales[group] /= 2;
  }
}

// Whether the row that is expected is accepted by definition, and one bit of it the other way is
// not.
void ExpectsWhatItAccepts(const Routing& routing) {
  const Oracle oracle(routing, 0);
  DispatchedRow row(routing.shape);
  for (uint32_t set = 0; set < kSets; ++set) {
    for (const Token token : {Token{0, 0}, Token{0, 1}, Token{1, 0}}) {
      oracle.ExpectDispatched(token, set, &row);
      EXPECT_FALSE(oracle.CompareDispatched(token, set, row.payload.data(), row.scales.data()));
      row.payload.back() ^= 1;
      EXPECT_TRUE(oracle.CompareDispatched(token, set, row.payload.data(), row.scales.data()));
    }
  }
}

TEST_P(OracleOfFp8, ExpectsWhatItAcceptsByDefinition) {
  Routing routing = TwoRanks(Dtype::kFp8);
  routing.shape.hidden = GetParam();
  ExpectsWhatItAccepts(routing);
}

INSTANTIATE_TEST_SUITE_P(Hiddens, OracleOfFp8, ::testing::Values(8, 120, 128, 136, 2880));

TEST(Oracle, ExpectsWhatItAcceptsByDefinitionOfBf16) {
  ExpectsWhatItAccepts(TwoRanks(Dtype::kBf16));
}

TEST(Oracle, SumsInFloat64WithinAHandfulOfRoundings) {
  // Token 0 of rank 0: expert 0 on its own rank, expert 2 on the other.
  const Oracle oracle(TwoRanks(Dtype::kBf16), 0);
  const float weights[] = {0.25f, 0.75f};
  std::vector<uint16_t> a(kHidden), b(kHidden), row(kHidden);
  ExpertRow(5, 1, 0, 0, 0, kHidden, a.data());
  ExpertRow(5, 1, 0, 0, 2, kHidden, b.data());
  const auto narrow = [](double value) {
    const uint32_t bits = std::bit_cast<uint32_t>(static_cast<float>(value));
    return static_cast<uint16_t>((bits + 0x7FFF + (bits >> 16 & 1)) >> 16);
  };
  for (uint32_t c = 0; c < kHidden; ++c) {
    row[c] = narrow(Bf16Value(narrow(0.25 * Bf16Value(a[c]))) +
                    Bf16Value(narrow(0.75 * Bf16Value(b[c]))));
  }
  EXPECT_FALSE(oracle.CompareCombined(0, 1, weights, row.data()));
  EXPECT_FALSE(oracle.CompareCombinedExactly(0, 1, weights, row.data()));
  EXPECT_TRUE(oracle.CompareCombined(0, 2, weights, row.data())) << "another set";
  row[5] ^= 1;
  EXPECT_EQ(oracle.CompareCombined(0, 1, weights, row.data())->channel, 5u);
  EXPECT_EQ(oracle.CompareCombinedExactly(0, 1, weights, row.data())->channel, 5u);
}

TEST(Oracle, KnowsWhichTokensComeFromWhomOnce) {
  // Rank 1 holds experts 2 and 3: one of token 0 of rank 0, one of token 0 of rank 1.
  const Oracle oracle(TwoRanks(Dtype::kBf16), 1);
  ASSERT_EQ(oracle.ReceivedFrom(0).size(), 1u);
  EXPECT_EQ(oracle.ReceivedFrom(0)[0].token, 0u);
  EXPECT_EQ(oracle.ReceivedFrom(1).size(), 1u);
  // Rank 0 holds both experts of rank 0's token 1, which comes once.
  EXPECT_EQ(Oracle(TwoRanks(Dtype::kBf16), 0).ReceivedFrom(0).size(), 2u);
  EXPECT_EQ(Oracle(TwoRanks(Dtype::kBf16), 0).Received(0).size(), 2u);
}

TEST(Oracle, SumsByExpertWithOneRounding) {
  Routing routing = TwoRanks(Dtype::kBf16);
  routing.shape.sum = CombineSum::kExpert;
  const Oracle oracle(routing, 0);
  const float weights[] = {0.25f, 0.7f};
  std::vector<uint16_t> a(kHidden), b(kHidden), row(kHidden);
  ExpertRow(5, 1, 0, 0, 0, kHidden, a.data());
  ExpertRow(5, 1, 0, 0, 2, kHidden, b.data());
  for (uint32_t c = 0; c < kHidden; ++c) {
    const float first = weights[0] * static_cast<float>(Bf16Value(a[c]));
    const float sum = std::fma(weights[1], static_cast<float>(Bf16Value(b[c])), first);
    const uint32_t bits = std::bit_cast<uint32_t>(sum);
    row[c] = static_cast<uint16_t>((bits + 0x7FFF + (bits >> 16 & 1)) >> 16);
  }
  EXPECT_FALSE(oracle.CompareCombined(0, 1, weights, row.data()));
  EXPECT_TRUE(Oracle(TwoRanks(Dtype::kBf16), 0).CompareCombined(0, 1, weights, row.data()))
      << "sums of ranks are rounded twice";
  row[5] ^= 1;
  EXPECT_EQ(oracle.CompareCombined(0, 1, weights, row.data())->channel, 5u);
}

TEST(Inputs, DifferInEverySetTokenRankAndExpert) {
  std::vector<std::vector<uint16_t>> rows;
  const auto add = [&](auto make) { make(rows.emplace_back(kHidden).data()); };
  for (uint32_t set = 0; set < kSets; ++set) {
    add([&](uint16_t* row) { TokenRow(1, set, 0, 0, kHidden, row); });
    add([&](uint16_t* row) { TokenRow(1, set, 1, 0, kHidden, row); });
    add([&](uint16_t* row) { TokenRow(1, set, 0, 1, kHidden, row); });
    add([&](uint16_t* row) { ExpertRow(1, set, 0, 0, 0, kHidden, row); });
    add([&](uint16_t* row) { ExpertRow(1, set, 0, 0, 1, kHidden, row); });
  }
  add([&](uint16_t* row) { TokenRow(2, 0, 0, 0, kHidden, row); });
  for (size_t i = 0; i < rows.size(); ++i) {
    for (size_t j = 0; j < i; ++j) {
      int equal = 0;
      for (uint32_t c = 0; c < kHidden; ++c) equal += rows[i][c] == rows[j][c];
      EXPECT_LT(equal, 12) << "rows " << i << " and " << j;
    }
  }
}

TEST(Inputs, StayFiniteAndInRange) {
  std::vector<uint16_t> row(8192);
  ExpertRow(1, 0, 0, 0, 0, 8192, row.data());
  for (const uint16_t bits : row) {
    const double magnitude = std::abs(Bf16Value(bits));
    EXPECT_TRUE(magnitude >= 0.5 && magnitude < 2.0);
  }
  TokenRow(1, 0, 0, 0, 8192, row.data());
  int subnormal = 0;
  for (const uint16_t bits : row) {
    const double magnitude = std::abs(Bf16Value(bits));
    EXPECT_TRUE(magnitude > 0 && magnitude < 2.0);
    subnormal += magnitude * 224 < 1.0 / 64;
  }
  EXPECT_GT(subnormal, 100) << "FP8 codes of all sizes must occur";
}

}  // namespace
}  // namespace ep::reference
