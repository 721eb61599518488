// Regions in GPU memory are shared between processes, threads and GPUs.
#include <cuda_runtime_api.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstdio>
#include <memory>
#include <utility>
#include <vector>

#include "csrc/region/cuda_blob.h"
#include "csrc/region/cuda_region.h"

namespace ep {
namespace {

using ::testing::HasSubstr;

constexpr size_t kBytes = 3 * 4096;
constexpr unsigned kDeadlineSeconds = 60;

// The other process. CUDA does not survive a fork, so it is made before CUDA is first called.
struct Peer {
  pid_t pid;
  int blobs;  // it maps what is written here, stores 42 in the last byte, and ends
} peer;

int GpuCount() {
  int count = 0;
  return cudaGetDeviceCount(&count) == cudaSuccess ? count : 0;
}

#define SKIP_UNLESS_GPUS(n) \
  if (GpuCount() < (n))     \
  GTEST_SKIP() << (GpuCount() == 0 ? "skipped: no device" : "skipped: 1 device")

std::unique_ptr<CudaRegion> MakeRegion(size_t bytes = kBytes) {
  Result<std::unique_ptr<CudaRegion>> region = CudaRegion::Create(bytes);
  EXPECT_TRUE(region.ok()) << region.status().text();
  return *std::move(region);
}

std::vector<uint8_t> Contents(const uint8_t* data) {
  std::vector<uint8_t> contents(kBytes, 0xEE);
  EXPECT_EQ(cudaMemcpy(contents.data(), data, kBytes, cudaMemcpyDeviceToHost), cudaSuccess);
  return contents;
}

// Returns the step that went wrong, 0 for none. It uses the last GPU, which may be the only one.
int RunPeer(int blobs) {
  alarm(kDeadlineSeconds);
  std::vector<uint8_t> blob(sizeof(CudaBlob));
  if (read(blobs, blob.data(), blob.size()) != static_cast<ssize_t>(blob.size())) return 1;
  if (cudaSetDevice(GpuCount() - 1) != cudaSuccess) return 2;
  Result<std::unique_ptr<CudaRegion>> region = CudaRegion::Create(kBytes);
  if (!region.ok()) return 3;
  Result<CudaMapping> mapping = (*region)->Map(blob, 0);
  if (!mapping.ok()) {
    std::fprintf(stderr, "peer: %s\n", mapping.status().text().c_str());
    return 4;
  }
  const uint8_t value = 42;
  const CudaMapping moved = *std::move(mapping);
  return cudaMemcpy(moved.data() + kBytes - 1, &value, 1, cudaMemcpyHostToDevice) ? 5 : 0;
}

TEST(CudaRegion, StartsAsZerosOnPagesOfItsOwn) {
  SKIP_UNLESS_GPUS(1);
  const auto region = MakeRegion();
  EXPECT_EQ(Contents(region->data()), std::vector<uint8_t>(kBytes, 0));
  EXPECT_EQ(reinterpret_cast<uintptr_t>(region->data()) % (2 << 20), 0u);
}

TEST(CudaRegion, IsSeenByAnotherProcess) {
  SKIP_UNLESS_GPUS(1);
  const auto region = MakeRegion();
  const std::vector<uint8_t> blob = region->Blob();
  ASSERT_EQ(write(peer.blobs, blob.data(), blob.size()), static_cast<ssize_t>(blob.size()));
  int status = -1;
  ASSERT_EQ(waitpid(peer.pid, &status, 0), peer.pid);
  ASSERT_EQ(status, 0);
  EXPECT_EQ(Contents(region->data())[kBytes - 1], 42);
}

TEST(CudaRegion, IsAtItsOwnAddressInItsOwnProcess) {
  SKIP_UNLESS_GPUS(1);
  const auto ours = MakeRegion();
  const auto theirs = MakeRegion();
  Result<CudaMapping> mapping = ours->Map(theirs->Blob(), 1);
  ASSERT_TRUE(mapping.ok()) << mapping.status().text();
  EXPECT_EQ(mapping->data(), theirs->data());
}

TEST(CudaRegion, OfAnotherGpuIsReachedInTheSameProcess) {
  SKIP_UNLESS_GPUS(2);
  const auto ours = MakeRegion();
  ASSERT_EQ(cudaSetDevice(1), cudaSuccess);
  const auto theirs = MakeRegion();
  for (int again = 0; again < 2; ++again) {
    Result<CudaMapping> mapping = ours->Map(theirs->Blob(), 1);
    ASSERT_TRUE(mapping.ok()) << mapping.status().text();
    EXPECT_EQ(mapping->data(), theirs->data());
  }
  int current = -1;
  EXPECT_EQ(cudaGetDevice(&current), cudaSuccess);
  EXPECT_EQ(current, 0);
}

TEST(CudaRegion, SaysHowMuchMemoryItWanted) {
  SKIP_UNLESS_GPUS(1);
  const Status status = CudaRegion::Create(size_t{1} << 60).status();
  EXPECT_THAT(status.text(), HasSubstr("1152921504606846976 bytes: cudaErrorMemoryAllocation"));
  EXPECT_THAT(status.text(), HasSubstr("bytes are free on GPU 0"));
  EXPECT_EQ(cudaPeekAtLastError(), cudaSuccess) << "a later launch would be blamed";
}

TEST(CudaRegion, NamesTheRankThatCannotBeMapped) {
  SKIP_UNLESS_GPUS(1);
  const auto ours = MakeRegion();
  std::vector<uint8_t> blob = ours->Blob();
  std::fill_n(blob.begin(), sizeof(cudaIpcMemHandle_t), 0);
  blob[offsetof(CudaBlob, process_random)] ^= 1;
  const Status status = ours->Map(blob, 5).status();
  EXPECT_EQ(status.code(), Code::kSystem);
  EXPECT_THAT(status.text(), HasSubstr("map the GPU region of rank 5 (process "));
}

}  // namespace
}  // namespace ep

int main(int argc, char** argv) {
  int ends[2];
  if (pipe(ends) != 0) return 1;
  ep::peer.pid = fork();
  if (ep::peer.pid == 0) {
    close(ends[1]);
    _exit(ep::RunPeer(ends[0]));
  }
  close(ends[0]);
  ep::peer.blobs = ends[1];
  alarm(ep::kDeadlineSeconds);
  testing::InitGoogleMock(&argc, argv);
  return RUN_ALL_TESTS();
}
