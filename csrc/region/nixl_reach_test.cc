#include "csrc/region/nixl_reach.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace ep {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

uint8_t* At(uintptr_t address) { return reinterpret_cast<uint8_t*>(address); }

// Rank 1 of 3, whose own memory is at 0x100.
std::vector<Reach> Before() { return std::vector<Reach>(3, {Reached::kOwn, At(0x100)}); }

TEST(NixlReach, MappedRegionsAreUsedAsTheyAre) {
  std::vector<Reach> reached = Before();
  const Status status =
      ReachPeers({{At(0xA000), "cuda_ipc"}, {At(0xC000), "cuda_ipc"}}, 1, &reached);
  ASSERT_TRUE(status.ok()) << status.text();
  EXPECT_EQ(reached[0].how, Reached::kMapped);
  EXPECT_EQ(reached[0].region, At(0xA000));
  EXPECT_EQ(reached[1].how, Reached::kOwn);
  EXPECT_EQ(reached[1].region, At(0x100));
  EXPECT_EQ(reached[2].region, At(0xC000));
}

TEST(NixlReach, NamesWhatUcxOffersWherePeersAreNotMapped) {
  std::vector<Reach> reached = Before();
  const Status status =
      ReachPeers({{nullptr, "rc_mlx5_gda"}, {At(0xC000), "cuda_ipc"}}, 1, &reached);
  EXPECT_EQ(status.code(), Code::kInvalid);
  EXPECT_THAT(status.text(), AllOf(HasSubstr("rank 0"), HasSubstr("UCX offers rc_mlx5_gda;")));
  EXPECT_EQ(status.hint(), EP_HINT_USE_IPC_OR_NONE);
}

TEST(NixlReach, RefusesAnotherNumberOfEntries) {
  std::vector<Reach> reached = Before();
  EXPECT_FALSE(ReachPeers({{At(0xA000), "cuda_ipc"}}, 1, &reached).ok());
}

}  // namespace
}  // namespace ep
