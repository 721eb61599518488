#include "csrc/transport/nixl_reach.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace ep {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr size_t kBytes = 0x1000;

uint8_t* At(uintptr_t address) { return reinterpret_cast<uint8_t*>(address); }

// Rank 1 of 3, whose own memory is at 0x100.
std::vector<GpuReach> Before() { return std::vector<GpuReach>(3, {.memory = At(0x100)}); }

TEST(NixlReach, MappedRegionsAreUsedAsTheyAre) {
  std::vector<GpuReach> reach = Before();
  const Status status = ReachPeers({{At(0xA000), "cuda_ipc"}, {At(0xC000), "cuda_ipc"}},
                                   NixlUse::kMapped, 1, {nullptr, kBytes}, &reach);
  ASSERT_TRUE(status.ok()) << status.text();
  EXPECT_EQ(reach[0].memory, At(0xA000));
  EXPECT_EQ(reach[1].memory, At(0x100));
  EXPECT_EQ(reach[2].memory, At(0xC000));
  for (const GpuReach& of : reach) EXPECT_EQ(of.put_region, nullptr);
}

TEST(NixlReach, PutsLeadFromOurImagesToRegionsAndImagesOfUs) {
  std::vector<GpuReach> reach = Before();
  const Status status = ReachPeers({{At(0xA000), "cuda_ipc"},
                                    {At(0xA800), "cuda_ipc"},
                                    {At(0xC000), "cuda_ipc"},
                                    {At(0xC800), "cuda_ipc"}},
                                   NixlUse::kPut, 1, {At(0x50000), kBytes}, &reach);
  ASSERT_TRUE(status.ok()) << status.text();
  EXPECT_EQ(reach[0].memory, At(0x50000));
  EXPECT_EQ(reach[0].put_region, At(0xA000));
  EXPECT_EQ(reach[0].put_image, At(0xA800));
  EXPECT_EQ(reach[1].memory, At(0x100));
  EXPECT_EQ(reach[1].put_region, nullptr);
  EXPECT_EQ(reach[2].memory, At(0x52000));
  EXPECT_EQ(reach[2].put_region, At(0xC000));
  EXPECT_EQ(reach[2].put_image, At(0xC800));
}

TEST(NixlReach, NamesWhatUcxOffersWherePeersAreNotMapped) {
  for (const NixlUse use : {NixlUse::kMapped, NixlUse::kNever}) {
    std::vector<GpuReach> reach = Before();
    const Status status = ReachPeers({{nullptr, "rc_mlx5_gda"}, {At(0xC000), "cuda_ipc"}}, use, 1,
                                     {nullptr, kBytes}, &reach);
    EXPECT_EQ(status.code(), Code::kInvalid);
    EXPECT_THAT(status.text(), AllOf(HasSubstr("rank 0"), HasSubstr("UCX offers rc_mlx5_gda;"),
                                     HasSubstr("--nvlink-backend=ipc")));
  }
}

TEST(NixlReach, NoneDoesNotUseWhatIsMapped) {
  std::vector<GpuReach> reach = Before();
  const Status status = ReachPeers({{At(0xA000), "cuda_ipc"}, {At(0xC000), "cuda_ipc"}},
                                   NixlUse::kNever, 1, {nullptr, kBytes}, &reach);
  EXPECT_EQ(status.code(), Code::kInvalid);
  EXPECT_THAT(status.text(), AllOf(HasSubstr("rank 0"), HasSubstr("cuda_ipc, mapped memory"),
                                   HasSubstr("UCX_TLS")));
}

TEST(NixlReach, RefusesAnotherNumberOfEntries) {
  std::vector<GpuReach> reach = Before();
  EXPECT_FALSE(
      ReachPeers({{At(0xA000), "cuda_ipc"}}, NixlUse::kMapped, 1, {nullptr, kBytes}, &reach).ok());
}

}  // namespace
}  // namespace ep
