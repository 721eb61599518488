// Regions are shared with those who are told of them, and with nobody by mistake.
#include "csrc/transport/shm_region.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <memory>
#include <vector>

namespace ep {
namespace {

using ::testing::HasSubstr;

constexpr size_t kBytes = 3 * 4096;

std::unique_ptr<ShmRegion> MakeRegion(size_t bytes = kBytes) {
  std::unique_ptr<ShmRegion> region;
  const Status status = ShmRegion::Create(bytes, &region);
  EXPECT_TRUE(status.ok()) << status.text();
  return region;
}

TEST(ShmRegion, IsSeenByAnotherProcess) {
  const auto ours = MakeRegion();
  const std::vector<uint8_t> blob = ours->Blob();
  const pid_t child = fork();
  if (child == 0) {
    const auto theirs = MakeRegion();
    Mapping mapping;
    if (!theirs->Map(blob, 0, &mapping).ok()) _exit(1);
    mapping.data()[kBytes - 1] = 42;
    _exit(0);
  }
  int status = -1;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  EXPECT_EQ(ours->data()[kBytes - 1], 42);
}

TEST(ShmRegion, StartsAsZeros) {
  const auto region = MakeRegion();
  for (size_t i = 0; i < kBytes; ++i) ASSERT_EQ(region->data()[i], 0);
}

TEST(ShmRegion, RefusesAnotherSize) {
  const auto ours = MakeRegion();
  const auto theirs = MakeRegion(2 * kBytes);
  Mapping mapping;
  const Status status = ours->Map(theirs->Blob(), 3, &mapping);
  EXPECT_EQ(status.code(), Code::kProtocol);
  EXPECT_THAT(status.text(), HasSubstr("rank 3"));
}

TEST(ShmRegion, RefusesGarbage) {
  const auto ours = MakeRegion();
  Mapping mapping;
  EXPECT_EQ(ours->Map(std::vector<uint8_t>{1, 2, 3}, 1, &mapping).code(), Code::kInvalid);
}

TEST(ShmRegion, SaysThatTheOwnerHasEnded) {
  const auto ours = MakeRegion();
  const pid_t child = fork();
  if (child == 0) _exit(0);
  waitpid(child, nullptr, 0);
  std::vector<uint8_t> blob = ours->Blob();
  const auto gone = static_cast<uint32_t>(child);
  std::copy_n(reinterpret_cast<const uint8_t*>(&gone), sizeof(gone), blob.begin());
  Mapping mapping;
  const Status status = ours->Map(blob, 2, &mapping);
  EXPECT_EQ(status.code(), Code::kSystem);
  EXPECT_THAT(status.text(), HasSubstr("has process " + std::to_string(child) + " ended?"));
}

TEST(ShmRegion, SaysHowMuchMemoryItWanted) {
  std::unique_ptr<ShmRegion> region;
  const Status status = ShmRegion::Create(size_t{1} << 60, &region);
  EXPECT_EQ(status.code(), Code::kSystem);
  EXPECT_THAT(status.text(), HasSubstr("1152921504606846976 bytes"));
}

}  // namespace
}  // namespace ep
