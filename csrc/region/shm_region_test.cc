// Regions are shared with those who are told of them, and with nobody by mistake.
#include "csrc/region/shm_region.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

namespace ep {
namespace {

using ::testing::HasSubstr;

constexpr size_t kBytes = 3 * 4096;

std::unique_ptr<ShmRegion> MakeRegion(size_t bytes = kBytes) {
  Result<std::unique_ptr<ShmRegion>> region = ShmRegion::Create(bytes);
  EXPECT_TRUE(region.ok()) << region.status().text();
  return *std::move(region);
}

// Connects `ours`, which is rank 0, to the last rank, whose blob it is; returns that rank's region.
Result<uint8_t*> RegionOf(ShmRegion& ours, const std::vector<uint8_t>& blob, uint32_t last = 1) {
  std::vector<std::vector<uint8_t>> blobs(last, ours.Blob());
  blobs.push_back(blob);
  std::vector<Reach> reached;
  EP_TRY(ours.Connect({blobs.begin(), blobs.end()}, 0, &reached));
  EXPECT_EQ(reached[0].how, Reached::kOwn);
  EXPECT_EQ(reached[last].how, Reached::kMapped);
  EXPECT_EQ(reached[0].region, ours.data());
  return reached[last].region;
}

TEST(ShmRegion, IsSeenByAnotherProcess) {
  const auto ours = MakeRegion();
  const std::vector<uint8_t> blob = ours->Blob();
  const pid_t child = fork();
  if (child == 0) {
    const auto theirs = MakeRegion();
    Result<uint8_t*> mapped = RegionOf(*theirs, blob);
    if (!mapped.ok()) _exit(1);
    (*mapped)[kBytes - 1] = 42;
    _exit(0);
  }
  int status = -1;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  EXPECT_EQ(ours->data()[kBytes - 1], 42);
}

TEST(ShmRegion, IsAtItsOwnAddressInItsOwnProcess) {
  const auto ours = MakeRegion();
  const auto theirs = MakeRegion();
  Result<uint8_t*> mapped = RegionOf(*ours, theirs->Blob());
  ASSERT_TRUE(mapped.ok()) << mapped.status().text();
  EXPECT_EQ(*mapped, theirs->data());
}

TEST(ShmRegion, StartsAsZeros) {
  const auto region = MakeRegion();
  for (size_t i = 0; i < kBytes; ++i) ASSERT_EQ(region->data()[i], 0);
}

TEST(ShmRegion, RefusesAnotherSize) {
  const auto ours = MakeRegion();
  const auto theirs = MakeRegion(2 * kBytes);
  const Status status = RegionOf(*ours, theirs->Blob(), 3).status();
  EXPECT_EQ(status.code(), Code::kProtocol);
  EXPECT_THAT(status.text(), HasSubstr("rank 3"));
}

TEST(ShmRegion, RefusesGarbage) {
  const auto ours = MakeRegion();
  EXPECT_EQ(RegionOf(*ours, {1, 2, 3}).status().code(), Code::kInvalid);
}

TEST(ShmRegion, SaysThatTheOwnerHasEnded) {
  const auto ours = MakeRegion();
  const pid_t child = fork();
  if (child == 0) _exit(0);
  waitpid(child, nullptr, 0);
  std::vector<uint8_t> blob = ours->Blob();
  const auto gone = static_cast<uint32_t>(child);
  std::copy_n(reinterpret_cast<const uint8_t*>(&gone), sizeof(gone), blob.begin());
  const Status status = RegionOf(*ours, blob, 2).status();
  EXPECT_EQ(status.code(), Code::kSystem);
  EXPECT_THAT(status.text(), HasSubstr("has process " + std::to_string(child) + " ended?"));
}

// A blob with some bytes changed, as a process of another place would have them.
std::vector<uint8_t> Changed(std::vector<uint8_t> blob, size_t at) {
  blob[at] ^= 1;
  return blob;
}

// Of another PID namespace the number means another process, whatever that has open: it is not
// looked at.
TEST(ShmRegion, OpensNothingByANumberOfAnotherNamespace) {
  const auto ours = MakeRegion();
  const auto theirs = MakeRegion();
  for (const size_t at : {4, 8}) {  // how deep it lies, and which it is
    const Status status = RegionOf(*ours, Changed(theirs->Blob(), at)).status();
    EXPECT_EQ(status.code(), Code::kInvalid);
    EXPECT_EQ(status.hint(), EP_HINT_SHARE_PIDS);
    EXPECT_THAT(status.text(), HasSubstr("region of rank 1: it is in another PID namespace"));
  }
}

// A number that was given to another process since has another file there, of the same size too.
TEST(ShmRegion, RefusesAnotherFile) {
  const auto ours = MakeRegion();
  const pid_t child = fork();
  if (child == 0) {
    pause();
    _exit(0);
  }
  std::vector<uint8_t> blob = Changed(ours->Blob(), 40);  // its inode
  const auto other = static_cast<uint32_t>(child);        // has the same descriptors
  std::copy_n(reinterpret_cast<const uint8_t*>(&other), sizeof(other), blob.begin());
  const Status status = RegionOf(*ours, blob).status();
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
  EXPECT_EQ(status.code(), Code::kProtocol);
  EXPECT_THAT(status.text(), HasSubstr("is another file"));
}

TEST(ShmRegion, SaysHowMuchMemoryItWanted) {
  const Status status = ShmRegion::Create(size_t{1} << 60).status();
  EXPECT_EQ(status.code(), Code::kSystem);
  EXPECT_THAT(status.text(), HasSubstr("1152921504606846976 bytes"));
}

}  // namespace
}  // namespace ep
