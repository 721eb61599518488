#include "csrc/transport/nixl_reach.h"

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
std::vector<uint8_t*> Before() { return std::vector<uint8_t*>(3, At(0x100)); }

TEST(NixlReach, MappedRegionsAreUsedAsTheyAre) {
  std::vector<uint8_t*> regions = Before();
  const Status status = ReachPeers({{At(0xA000), "cuda_ipc"}, {At(0xC000), "cuda_ipc"}},
                                   NixlUse::kMapped, 1, &regions);
  ASSERT_TRUE(status.ok()) << status.text();
  EXPECT_EQ(regions[0], At(0xA000));
  EXPECT_EQ(regions[1], At(0x100));
  EXPECT_EQ(regions[2], At(0xC000));
}

TEST(NixlReach, NamesWhatUcxOffersWherePeersAreNotMapped) {
  for (const NixlUse use : {NixlUse::kMapped, NixlUse::kNever}) {
    std::vector<uint8_t*> regions = Before();
    const Status status =
        ReachPeers({{nullptr, "rc_mlx5_gda"}, {At(0xC000), "cuda_ipc"}}, use, 1, &regions);
    EXPECT_EQ(status.code(), Code::kInvalid);
    EXPECT_THAT(status.text(), AllOf(HasSubstr("rank 0"), HasSubstr("UCX offers rc_mlx5_gda;"),
                                     HasSubstr("--nvlink-backend=ipc")));
  }
}

TEST(NixlReach, NoneDoesNotUseWhatIsMapped) {
  std::vector<uint8_t*> regions = Before();
  const Status status = ReachPeers({{At(0xA000), "cuda_ipc"}, {At(0xC000), "cuda_ipc"}},
                                   NixlUse::kNever, 1, &regions);
  EXPECT_EQ(status.code(), Code::kInvalid);
  EXPECT_THAT(status.text(), AllOf(HasSubstr("rank 0"), HasSubstr("cuda_ipc, mapped memory"),
                                   HasSubstr("UCX_TLS")));
}

TEST(NixlReach, RefusesAnotherNumberOfEntries) {
  std::vector<uint8_t*> regions = Before();
  EXPECT_FALSE(ReachPeers({{At(0xA000), "cuda_ipc"}}, NixlUse::kMapped, 1, &regions).ok());
}

}  // namespace
}  // namespace ep
