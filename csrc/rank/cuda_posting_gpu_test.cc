// Ranks on a GPU that do not map each other: kernels that ring bells and await mail, a proxy's
// thread each, messages in pinned memory of the host, and between them a network of this process
// (csrc/rank/posting_test_util.h). Every row is checked by the oracle.
#include <cuda_runtime_api.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <iterator>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "csrc/rank/cuda_engine.h"
#include "csrc/rank/cuda_world_test_util.h"
#include "csrc/rank/posting_test_util.h"
#include "csrc/rank/world_test_util.h"
#include "csrc/region/cuda_region.h"

namespace ep {
namespace {

using ::testing::HasSubstr;
using Fate = TestNetwork::Fate;

// A region of the GPU whose messages the network's end of a rank has in memory of the host, which
// is pinned.
class StagedRegion : public Region {
 public:
  StagedRegion(std::unique_ptr<CudaRegion> memory, std::unique_ptr<Region> end,
               const RegionConfig& config)
      : memory_(std::move(memory)), end_(std::move(end)), config_(config) {
    Pin(end_->data(), end_->size());
  }
  ~StagedRegion() override {
    for (void* pinned : pinned_) cudaHostUnregister(pinned);
  }

  uint8_t* data() const override { return memory_->data(); }
  size_t size() const override { return memory_->size(); }
  std::vector<uint8_t> Blob() const override { return end_->Blob(); }
  Status Connect(const std::vector<std::span<const uint8_t>>& blobs, uint32_t rank,
                 std::vector<Reach>* reached) override {
    EP_TRY(end_->Connect(blobs, rank, reached));
    (*reached)[rank].region = data();
    EXPECT_EQ(cudaSetDevice(0), cudaSuccess);
    const uint32_t peer = rank == 0 ? 1 : 0;
    if (blobs.size() > 1) {
      Pin((*reached)[peer].image - peer * config_.pairs.bytes, config_.ranks * config_.pairs.bytes);
    }
    return {};
  }
  Wire* wire() override { return end_->wire(); }
  uint8_t* inbox() const override { return end_->data(); }

 private:
  void Pin(uint8_t* at, size_t bytes) {
    EXPECT_EQ(cudaHostRegister(at, bytes, cudaHostRegisterPortable | cudaHostRegisterMapped),
              cudaSuccess);
    pinned_.push_back(at);
  }

  const std::unique_ptr<CudaRegion> memory_;
  const std::unique_ptr<Region> end_;
  const RegionConfig config_;
  std::vector<void*> pinned_;
};

GpuWorld::MakeRegion Over(TestNetwork* network) {
  return [network](const RegionConfig& config) -> std::unique_ptr<Region> {
    EXPECT_EQ(cudaSetDevice(0), cudaSuccess);
    Result<std::unique_ptr<CudaRegion>> memory = CudaRegion::Create(config.bytes);
    EXPECT_TRUE(memory.ok()) << memory.status().text();
    return std::make_unique<StagedRegion>(*std::move(memory), network->MakeRegion(config), config);
  };
}

class PostingGpu : public OneGpu {};

struct ShapeCase {
  const char* name;
  WorldConfig config;
};
class EveryPostedShape : public PostingGpu, public ::testing::WithParamInterface<ShapeCase> {};

TEST_P(EveryPostedShape, DispatchesAndCombinesRightRows) {
  for (const Dtype dtype : {Dtype::kFp8, Dtype::kBf16}) {
    TestNetwork network(1);
    WorldConfig config = GetParam().config;
    config.shape.dtype = dtype;
    ExpectRightRows(config, dtype == Dtype::kFp8 ? "fp8" : "bf16", {}, Over(&network));
  }
}

TEST_P(EveryPostedShape, IsRightInEveryLayout) {
  for (size_t i = 1; i < std::size(kWays); ++i) {
    TestNetwork network(static_cast<uint32_t>(i));
    WorldConfig config = GetParam().config;
    config.shape = With(kWays[i], config.shape);
    config.shape.dtype = i % 2 == 0 ? Dtype::kBf16 : Dtype::kFp8;
    ExpectRightRows(config, kWays[i].name, {}, Over(&network));
  }
}

INSTANTIATE_TEST_SUITE_P(
    Shapes, EveryPostedShape,
    ::testing::Values(ShapeCase{"OneRank", {.shape = {1, 64, 1024, 8, 8, Dtype::kFp8}}},
                      ShapeCase{"TwoRanks", {.shape = {2, 32, 1024, 4, 4, Dtype::kFp8}}},
                      ShapeCase{"ShortLastPiece", {.shape = {3, 17, 640, 3, 5, Dtype::kFp8}}},
                      ShapeCase{"UnevenAndEmpty",
                                {.shape = {4, 40, 1280, 5, 6, Dtype::kFp8},
                                 .tokens_of_rank = {40, 0, 1, 33},
                                 .empty_percent = 30}},
                      ShapeCase{
                          "NothingAtAll",
                          {.shape = {3, 8, 256, 2, 2, Dtype::kFp8}, .tokens_of_rank = {0, 0, 0}}},
                      ShapeCase{"SeveralTiles", {.shape = {4, 700, 512, 8, 8, Dtype::kFp8}}}),
    [](const auto& info) { return info.param.name; });

constexpr Shape kShape = {2, 64, 2048, 8, 8, Dtype::kFp8};

TEST_F(PostingGpu, ReplaysGraphsOfOddAndEvenLength) {
  TestNetwork network(3);
  GpuWorld world({.shape = kShape}, {}, Over(&network));
  world.Begin();
  for (const uint64_t captured : {1, 3, 4}) {
    world.Poison();
    world.ForAll([&](CudaEngine& engine, uint32_t) {
      uint64_t duration_ns[5] = {};
      ExpectOk(engine.RunGraph(kBoth, captured, 5, duration_ns));
      EXPECT_GT(duration_ns[4], 0u);
    });
    world.ExpectRight(kBoth, "after a graph");
    world.Run(kBoth);
    world.ExpectRight(kBoth, "eager after a graph");
  }
}

TEST_F(PostingGpu, FlagsAndAllWaysOfTimingGoOn) {
  TestNetwork network(4);
  GpuWorld world({.shape = kShape}, {}, Over(&network));
  world.Begin();
  world.ForAll([](CudaEngine& engine, uint32_t) {
    uint64_t duration_ns[3] = {};
    ExpectOk(engine.RunFresh(kDispatch, 3, duration_ns));
    ExpectOk(engine.RunChained(kBoth, 2, 5, duration_ns));
    ExpectOk(engine.RunKernels(kBoth, 3, duration_ns));
    EXPECT_GT(duration_ns[2], 0u);
    ExpectOk(engine.RunFlags(100, nullptr));
  });
  world.Poison();
  world.Run(kBoth);
  world.ExpectRight(kBoth, "after all ways of timing");
}

TEST_F(PostingGpu, ASilentPeerIsNamed) {
  TestNetwork network(5);
  GpuWorld world({.shape = kShape, .wait_timeout_ns = 200'000'000}, {}, Over(&network));
  world.Begin();
  const Status status = world.engine(0).Run(kDispatch, 10, nullptr);
  EXPECT_EQ(status.code(), Code::kTimeout);
  EXPECT_THAT(status.text(), HasSubstr("nothing from rank 1 for 0.2 s"));
}

TEST_F(PostingGpu, AFailureOfTheNetworkIsSaidWithItsPeer) {
  TestNetwork network(6);
  GpuWorld world({.shape = kShape, .wait_timeout_ns = 500'000'000}, {}, Over(&network));
  world.Begin();
  network.fate = [](const Parcel& parcel) {
    return parcel.from == 0 ? Fate::kFails : Fate::kArrives;
  };
  world.ForAll([](CudaEngine& engine, uint32_t rank) {
    const Status status = engine.Run(kDispatch, 3, nullptr);
    EXPECT_FALSE(status.ok());
    if (rank == 0) {
      EXPECT_THAT(status.text(), HasSubstr("the network to rank 1 failed: send"));
    }
    EXPECT_EQ(engine.Run(kDispatch, 1, nullptr).text(), status.text()) << "and stays so";
  });
}

TEST_F(PostingGpu, AbortEndsAWait) {
  TestNetwork network(7);
  GpuWorld world({.shape = kShape, .wait_timeout_ns = 60'000'000'000}, {}, Over(&network));
  world.Begin();
  std::thread rank0(
      [&] { EXPECT_EQ(world.engine(0).Run(kDispatch, 1, nullptr).code(), Code::kAborted); });
  world.engine(0).Abort();
  rank0.join();
}

}  // namespace
}  // namespace ep
