// Slots and indices follow from the ids alone: in token order, once a (token, rank).
#include "csrc/protocol/plan.h"

#include <gtest/gtest.h>

#include <vector>

namespace ep {
namespace {

// Two ranks of three experts: 0 1 2 | 3 4 5.
constexpr Shape kShape = {2, 8, 128, 3, 3, Dtype::kFp8};

class Plan : public ::testing::Test {
 protected:
  uint32_t rows_[2];
  uint16_t selections_[6];
  SequentialPlan plan_{kShape, rows_, selections_};
  TokenPlan token_;
};

TEST_F(Plan, GivesOneSlotARankAndOneIndexAnExpert) {
  const int32_t first[] = {4, 0, 5};
  ASSERT_TRUE(plan_.Next(first, &token_));
  ASSERT_EQ(token_.destination_count, 2u);
  EXPECT_EQ(token_.destinations[0].rank, 0u) << "in rank order, whatever the ids' order";
  EXPECT_EQ(token_.destinations[1].rank, 1u);
  EXPECT_EQ(token_.destination_of[0], 1);
  EXPECT_EQ(token_.destination_of[1], 0);
  EXPECT_EQ(token_.destination_of[2], 1);
  EXPECT_EQ(token_.placements[0].expert, 1);
  EXPECT_EQ(token_.placements[2].expert, 2);

  const int32_t second[] = {-1, 5, -1};
  ASSERT_TRUE(plan_.Next(second, &token_));
  ASSERT_EQ(token_.destination_count, 1u);
  EXPECT_EQ(token_.destinations[0].rank, 1u);
  EXPECT_EQ(token_.destinations[0].slot, 1u) << "rank 1's second row";
  EXPECT_EQ(token_.destination_of[0], TokenPlan::kNowhere);
  EXPECT_EQ(token_.placements[1].index, 1) << "expert 5's second row";

  const int32_t none[] = {-1, -1, -1};
  ASSERT_TRUE(plan_.Next(none, &token_));
  EXPECT_EQ(token_.destination_count, 0u);

  EXPECT_EQ(rows_[0], 1u);
  EXPECT_EQ(rows_[1], 2u);
  EXPECT_EQ(std::vector<uint16_t>(selections_, selections_ + 6),
            (std::vector<uint16_t>{1, 0, 0, 0, 1, 2}));
}

TEST_F(Plan, RefusesWhatIsNoSetOfExperts) {
  const int32_t twice[] = {2, 4, 2};
  const int32_t beyond[] = {0, 6, 1};
  const int32_t negative[] = {0, -2, 1};
  EXPECT_FALSE(plan_.Next(twice, &token_));
  EXPECT_FALSE(plan_.Next(beyond, &token_));
  EXPECT_FALSE(plan_.Next(negative, &token_));
}

}  // namespace
}  // namespace ep
