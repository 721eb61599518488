// Slots and indices follow from the ids alone: in token order, once a (token, rank).
#include "csrc/protocol/plan.h"

#include <gtest/gtest.h>

#include <vector>

namespace ep {
namespace {

// Two ranks of three experts: 0 1 2 | 3 4 5.
constexpr Shape kShape = {2, 8, 128, 3, 3, Dtype::kFp8};

// All that a plan of one lane asks of its device.
struct OneLane {
  static constexpr uint32_t kLanes = 1;
};

class Plan : public ::testing::Test {
 protected:
  const TokenPlan* Find(uint32_t token) { return plan_.Find(device_, token, true); }
  void Load(const std::vector<int32_t>& ids) {
    const uint32_t tokens = static_cast<uint32_t>(ids.size()) / kShape.topk;
    plan_.Load(device_, ids.data(), tokens, 0, tokens);
  }

  OneLane device_;
  uint32_t rows_[2];
  uint16_t selections_[6];
  SequentialPlan plan_{kShape, rows_, selections_};
};

TEST_F(Plan, GivesOneSlotARankAndOneIndexAnExpert) {
  const std::vector<int32_t> ids = {4, 0, 5, -1, 5, -1, -1, -1, -1};
  Load(ids);
  const TokenPlan* token = Find(0);
  ASSERT_NE(token, nullptr);
  ASSERT_EQ(token->destination_count, 2u);
  EXPECT_EQ(token->destinations[0].rank, 0u) << "in rank order, whatever the ids' order";
  EXPECT_EQ(token->destinations[1].rank, 1u);
  EXPECT_EQ(token->destination_of[0], 1);
  EXPECT_EQ(token->destination_of[1], 0);
  EXPECT_EQ(token->destination_of[2], 1);
  EXPECT_EQ(token->placements[0].expert, 1);
  EXPECT_EQ(token->placements[2].expert, 2);

  token = Find(1);
  ASSERT_NE(token, nullptr);
  ASSERT_EQ(token->destination_count, 1u);
  EXPECT_EQ(token->destinations[0].rank, 1u);
  EXPECT_EQ(token->destinations[0].slot, 1u) << "rank 1's second row";
  EXPECT_EQ(token->destination_of[0], TokenPlan::kNowhere);
  EXPECT_EQ(token->placements[1].index, 1) << "expert 5's second row";

  token = Find(2);
  ASSERT_NE(token, nullptr);
  EXPECT_EQ(token->destination_count, 0u);

  EXPECT_EQ(plan_.RowsToRank(0), 1u);
  EXPECT_EQ(plan_.RowsToRank(1), 2u);
  EXPECT_EQ(std::vector<uint16_t>(selections_, selections_ + 6),
            (std::vector<uint16_t>{1, 0, 0, 0, 1, 2}));
}

TEST_F(Plan, NumbersTheSelectionsOfADestination) {
  const std::vector<int32_t> ids = {4, 0, 5};
  Load(ids);
  const TokenPlan* token = Find(0);
  ASSERT_NE(token, nullptr);
  EXPECT_EQ(token->before[0], 0);
  EXPECT_EQ(token->before[1], 0);
  EXPECT_EQ(token->before[2], 1) << "rank 1's second";
  EXPECT_EQ(token->selections[0], 1);
  EXPECT_EQ(token->selections[1], 2);
}

// Four tokens, of which rank 1 gets all but the third, and rank 0 the first and the third.
const std::vector<int32_t> kFour = {4, 0, 5, -1, 5, -1, 1, 2, 0, 4, -1, -1};

TEST_F(Plan, SkipsTokensAndReturnsToEarlierOnes) {
  Load(kFour);
  EXPECT_EQ(Find(1)->destinations[0].slot, 1u) << "token 0 counts, though nobody looked it up";
  plan_.Begin(0);
  EXPECT_EQ(Find(0)->destinations[1].slot, 0u);
  plan_.Begin(2);
  EXPECT_EQ(Find(2)->destinations[0].slot, 1u);
  EXPECT_EQ(plan_.BadToken(), kNoToken);
}

TEST_F(Plan, CountsAllBeforeAnyIsLookedUp) {
  Load(kFour);
  plan_.CountAll(device_);
  EXPECT_EQ(plan_.RowsToRank(0), 2u);
  EXPECT_EQ(plan_.RowsToRank(1), 3u);
  EXPECT_EQ(plan_.SelectionsOfExpert(4), 2u);
  EXPECT_EQ(plan_.SelectionsOfExpert(3), 0u);
  plan_.Begin(0);
  EXPECT_EQ(Find(0)->placements[0].index, 0);
}

TEST_F(Plan, SaysWhichSlotsAChunkHas) {
  Load(kFour);
  plan_.Begin(2);
  Find(2);
  Find(3);
  EXPECT_EQ(plan_.Slots(0, 2, 4).begin, 1u);
  EXPECT_EQ(plan_.Slots(0, 2, 4).end, 2u);
  EXPECT_EQ(plan_.Slots(1, 2, 4).begin, 2u);
  EXPECT_EQ(plan_.Slots(1, 2, 4).end, 3u);
  plan_.Begin(0);
  Find(0);
  Find(1);
  EXPECT_EQ(plan_.Slots(1, 0, 2).begin, 0u);
  EXPECT_EQ(plan_.Slots(1, 0, 2).end, 2u);
}

TEST_F(Plan, RefusesWhatIsNoSetOfExperts) {
  const std::vector<std::vector<int32_t>> wrong = {
      {2, 4, 2},   // twice
      {0, 6, 1},   // beyond
      {0, -2, 1},  // negative
  };
  for (const std::vector<int32_t>& ids : wrong) {
    Load(ids);
    EXPECT_EQ(Find(0), nullptr);
    EXPECT_EQ(plan_.BadToken(), 0u);
  }
}

}  // namespace
}  // namespace ep
