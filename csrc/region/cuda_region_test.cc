// What a region in GPU memory says where there is no GPU, and of blobs that are not its peers'.
#include "csrc/region/cuda_region.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "csrc/region/cuda_status.h"

namespace ep {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr char kOwner[] = "the GPU region of rank 3";

TEST(CudaBlob, ArrivesAsItWasSent) {
  CudaBlob sent = {};
  sent.bytes = 4096;
  sent.address = 0x7f0000000000;
  sent.pid = 17;
  sent.gpu[15] = 9;
  CudaBlob got;
  const Status status = CudaBlob::Decode(sent.Encode(), 4096, kOwner, &got);
  ASSERT_TRUE(status.ok()) << status.text();
  EXPECT_EQ(got.address, sent.address);
  EXPECT_EQ(got.pid, sent.pid);
  EXPECT_EQ(got.gpu, sent.gpu);
}

TEST(CudaBlob, RefusesGarbage) {
  CudaBlob got;
  const Status status = CudaBlob::Decode(std::vector<uint8_t>{1, 2, 3}, 4096, kOwner, &got);
  EXPECT_EQ(status.code(), Code::kInvalid);
  EXPECT_THAT(status.text(), AllOf(HasSubstr("rank 3"), HasSubstr("has 3 bytes")));
}

TEST(CudaBlob, RefusesAnotherSize) {
  CudaBlob sent = {};
  sent.bytes = 8192;
  CudaBlob got;
  const Status status = CudaBlob::Decode(sent.Encode(), 4096, kOwner, &got);
  EXPECT_EQ(status.code(), Code::kProtocol);
  EXPECT_THAT(status.text(), AllOf(HasSubstr("rank 3"), HasSubstr("8192"), HasSubstr("ours 4096")));
}

TEST(CudaStatus, SaysWhatWasDoneAndWhatCudaCallsTheError) {
  const Status status = CudaStatus(cudaErrorMemoryAllocation, "allocate rows");
  EXPECT_EQ(status.code(), Code::kSystem);
  EXPECT_EQ(status.text(), "allocate rows: cudaErrorMemoryAllocation: out of memory");
}

TEST(CudaStatus, IsFineOnSuccess) { EXPECT_TRUE(CudaStatus(cudaSuccess, "launch").ok()); }

TEST(CudaMapping, OfNothingMovesAndEnds) {
  CudaMapping mapping;
  const CudaMapping moved = std::move(mapping);
  EXPECT_EQ(moved.data(), nullptr);
}

TEST(CudaRegion, SaysInOneLineThatThereIsNoDriver) {
  int count = 0;
  const cudaError_t error = cudaGetDeviceCount(&count);
  if (error != cudaErrorInsufficientDriver) GTEST_SKIP() << "skipped: this host has a driver";
  const Status status = CudaRegion::Create(1 << 20).status();
  EXPECT_EQ(status.code(), Code::kSystem);
  EXPECT_THAT(status.text(),
              AllOf(HasSubstr("create a GPU region of 1048576 bytes: cudaErrorInsufficientDriver"),
                    Not(HasSubstr("\n"))));
  EXPECT_EQ(status.hint(), EP_HINT_INSTALL_DRIVER);
}

}  // namespace
}  // namespace ep
