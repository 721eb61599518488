// The rule by which a NIC may write to a GPU's memory, row by row, and whether a host has such a
// NIC.
#include "csrc/region/gpu_direct.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>

namespace ep {
namespace {

using ::testing::HasSubstr;

constexpr int kOwner = 100;
constexpr int kAllDevices = 200;
constexpr int kByHost = 1;

TEST(GpuDirect, AGpuThatOrdersWritesNeedsNoFlush) {
  for (const int ordering : {kOwner, kAllDevices}) {
    const GpuDirect direct = DecideGpuDirect({true, ordering, kByHost, false});
    EXPECT_TRUE(direct.usable);
    EXPECT_EQ(direct.flush, GpuFlush::kNone) << ordering;
    EXPECT_EQ(direct.why, "");
  }
}

TEST(GpuDirect, OneThatDoesNotIsFlushedByItsHost) {
  const GpuDirect direct = DecideGpuDirect({true, 0, kByHost, false});
  EXPECT_TRUE(direct.usable);
  EXPECT_EQ(direct.flush, GpuFlush::kHost);
}

TEST(GpuDirect, WhatCannotBeOrderedIsStaged) {
  const struct {
    GpuDirectFacts facts;
    const char* why;
  } rows[] = {
      {{false, kOwner, kByHost, false}, "lets no NIC"},
      {{true, 0, 0, false}, "nor can they be flushed"},
      {{true, 0, 2, false}, "nor can they be flushed"},  // by streams alone
      {{true, kAllDevices, kByHost, true}, "shares memory with its host"},
      {{true, 0, kByHost, true}, "shares memory with its host"},
  };
  for (const auto& row : rows) {
    const GpuDirect direct = DecideGpuDirect(row.facts);
    EXPECT_FALSE(direct.usable) << row.why;
    EXPECT_EQ(direct.flush, GpuFlush::kNever);
    EXPECT_THAT(direct.why, HasSubstr(row.why));
  }
}

TEST(GpuDirect, AHostHasANicWhereAPortIsActive) {
  namespace fs = std::filesystem;
  const fs::path folder = fs::path(::testing::TempDir()) / "infiniband";
  EXPECT_FALSE(HasActiveRdmaPort(folder)) << "there is no such folder";
  const auto port = [&](const char* nic, const char* state) {
    const fs::path at = folder / nic / "ports" / "1";
    fs::create_directories(at);
    std::ofstream(at / "state") << state << "\n";
  };
  port("mlx5_0", "1: DOWN");
  EXPECT_FALSE(HasActiveRdmaPort(folder));
  port("mlx5_1", "4: ACTIVE");
  EXPECT_TRUE(HasActiveRdmaPort(folder));
  fs::remove_all(folder);
}

}  // namespace
}  // namespace ep
