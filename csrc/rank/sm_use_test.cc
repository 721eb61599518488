#include "csrc/rank/sm_use.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <numeric>
#include <optional>
#include <vector>

namespace ep {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

TEST(SmUseTest, BlocksInAnyOrderOfTheirOwnShareNone) {
  std::vector<uint32_t> sms(132);
  std::iota(sms.rbegin(), sms.rend(), 0u);
  EXPECT_EQ(FindSharedSm(sms), std::nullopt);
  EXPECT_TRUE(CheckSms(0, "dispatch", sms).ok());
}

TEST(SmUseTest, NoBlockAndOneBlockShareNone) {
  EXPECT_EQ(FindSharedSm({}), std::nullopt);
  EXPECT_EQ(FindSharedSm(std::vector<uint32_t>{131}), std::nullopt);
}

TEST(SmUseTest, TheFirstSharedOneIsFoundWithAllItsBlocks) {
  EXPECT_EQ(FindSharedSm(std::vector<uint32_t>{5, 7, 0, 9, 7, 9, 7}), (SharedSm{7, 3}));
  EXPECT_EQ(FindSharedSm(std::vector<uint32_t>{1, 2, 3, 0, 0}), (SharedSm{0, 2}));
}

TEST(SmUseTest, ASharedOneIsNamedWithRankOperationAndBlocks) {
  const Status status = CheckSms(3, "combine", std::vector<uint32_t>{4, 17, 6, 17});
  EXPECT_EQ(status.code(), Code::kSystem);
  EXPECT_THAT(status.text(), AllOf(HasSubstr("rank 3's combine: 2 of its 4 thread blocks"),
                                   HasSubstr("shared multiprocessor 17,")));
}

}  // namespace
}  // namespace ep
