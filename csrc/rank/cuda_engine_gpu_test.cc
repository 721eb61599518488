// The CUDA engine on a GPU: all ranks as threads of one process that share it, every row checked by
// the oracle. Linked as one file, to be taken to where the GPUs are.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <iterator>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "csrc/rank/cuda_engine.h"
#include "csrc/rank/cuda_world_test_util.h"
#include "csrc/rank/gpus.h"
#include "csrc/rank/world_test_util.h"

namespace ep {
namespace {

using ::testing::HasSubstr;

struct ShapeCase {
  const char* name;
  WorldConfig config;
};
class EveryGpuShape : public OneGpu, public ::testing::WithParamInterface<ShapeCase> {};

TEST_P(EveryGpuShape, DispatchesAndCombinesRightRows) {
  for (const Dtype dtype : {Dtype::kFp8, Dtype::kBf16}) {
    WorldConfig config = GetParam().config;
    config.shape.dtype = dtype;
    ExpectRightRows(config, dtype == Dtype::kFp8 ? "fp8" : "bf16");
  }
}

// Whichever kernels run, whatever the shape is.
TEST_P(EveryGpuShape, IsRightWithEachKernel) {
  for (const kernels::Variant& variant : kernels::kVariants) {
    const ep_choices choices = WithKernel(variant.kernel);
    const bool packets = variant.kernel == EP_KERNEL_PACKETS;
    if (packets && !PacketsForGpu(GetParam().config.shape, choices, true)) continue;
    ExpectRightRows(GetParam().config, std::string("kernel") + variant.suffix, choices);
  }
}

// Dtypes take turns; tools/gpu/verify crosses them all.
TEST_P(EveryGpuShape, IsRightInEveryLayout) {
  for (size_t i = 1; i < std::size(kWays); ++i) {
    WorldConfig config = GetParam().config;
    config.shape = With(kWays[i], config.shape);
    config.shape.dtype = i % 2 == 0 ? Dtype::kBf16 : Dtype::kFp8;
    ExpectRightRows(config, kWays[i].name);
  }
}

INSTANTIATE_TEST_SUITE_P(
    Shapes, EveryGpuShape,
    ::testing::Values(
        ShapeCase{"OneRank", {.shape = {1, 64, 7168, 8, 8, Dtype::kFp8}}},
        ShapeCase{"TwoRanks", {.shape = {2, 32, 1024, 4, 4, Dtype::kFp8}}},
        ShapeCase{"ShortLastPiece", {.shape = {3, 17, 640, 3, 5, Dtype::kFp8}}},
        ShapeCase{"HalfAScaleAtTheEnd", {.shape = {2, 48, 2880, 6, 4, Dtype::kFp8}}},
        ShapeCase{"EightChannelsAtTheEnd", {.shape = {3, 20, 136, 4, 3, Dtype::kFp8}}},
        ShapeCase{"OneScale", {.shape = {4, 9, 128, 2, 3, Dtype::kFp8}}},
        ShapeCase{"UnevenAndEmpty",
                  {.shape = {4, 40, 1280, 5, 6, Dtype::kFp8},
                   .tokens_of_rank = {40, 0, 1, 33},
                   .empty_percent = 30}},
        ShapeCase{"NothingAtAll",
                  {.shape = {3, 8, 256, 2, 2, Dtype::kFp8}, .tokens_of_rank = {0, 0, 0}}},
        ShapeCase{"MostSelections", {.shape = {2, 24, 512, 24, 32, Dtype::kFp8}}},
        ShapeCase{"MostExperts", {.shape = {2, 48, 256, 1024, 8, Dtype::kFp8}}},
        ShapeCase{"EightRanksOfAFew", {.shape = {8, 12, 256, 2, 4, Dtype::kFp8}}},
        ShapeCase{"SeedTable", {.shape = {8, 128, 7168, 36, 8, Dtype::kFp8}}},
        ShapeCase{"SeveralTiles", {.shape = {4, 700, 512, 8, 8, Dtype::kFp8}}},
        ShapeCase{"MoreTilesThanBlocks", {.shape = {8, 5000, 128, 2, 2, Dtype::kFp8}}}),
    [](const auto& info) { return info.param.name; });

TEST_F(OneGpu, DispatchesRowsThatWereQuantisedBefore) {
  for (const uint32_t hidden : {136, 2880, 7168}) {
    for (const Way& way : kWays) {
      Shape shape = With(way, {2, 40, hidden, 6, 4, Dtype::kFp8});
      shape.quantize = Quantize::kOutside;
      ExpectRightRows({.shape = shape}, std::string(way.name) + ", " + std::to_string(hidden));
    }
  }
}

// Tokens of one block that its fast memory does not hold together.
TEST_F(OneGpu, ABlockLooksAtItsTokensInSeveralWindows) {
  constexpr uint32_t kRanks = 2;
  for (const Way& way : kWays) {
    const Shape shape = With(way, {kRanks, 1200, 128, 2, 2, Dtype::kFp8});
    ExpectRightRows({.shape = shape}, way.name, OnSms(kRanks));
  }
}

TEST_F(OneGpu, EachBlockSaysItsMultiprocessor) {
  GpuWorld world({.shape = {1, 512, 1024, 8, 4, Dtype::kFp8}}, OnSms(24));
  std::vector<uint32_t> sms = {1};
  ExpectOk(world.engine(0).SmsOfBlocks(kDispatch, &sms));
  EXPECT_TRUE(sms.empty()) << "before any dispatch";
  world.Begin();
  world.Run(kBoth, 3);
  for (const Operations operation : {kDispatch, kCombine}) {
    ExpectOk(world.engine(0).SmsOfBlocks(operation, &sms));
    EXPECT_EQ(sms.size(), 24u);
    EXPECT_EQ(std::set<uint32_t>(sms.begin(), sms.end()).size(), 24u);
  }
  ExpectOk(world.engine(0).SmsOfBlocks(kDispatch, &sms));
  std::vector<uint32_t> after_flags;
  ExpectOk(world.engine(0).RunFlags(100, nullptr));
  ExpectOk(world.engine(0).SmsOfBlocks(kDispatch, &after_flags));
  EXPECT_EQ(after_flags, sms) << "flags are no dispatch";
}

constexpr Shape kShape = {4, 64, 2048, 8, 8, Dtype::kFp8};

TEST_F(OneGpu, ReplaysGraphsOfOddAndEvenLength) {
  GpuWorld world({.shape = kShape});
  world.Begin();
  for (const uint64_t captured : {1, 3, 4}) {
    world.Poison();
    world.ForAll([&](CudaEngine& engine, uint32_t) {
      uint64_t duration_ns[5] = {};
      ExpectOk(engine.RunGraph(kBoth, captured, 5, duration_ns));
      EXPECT_GT(duration_ns[4], 0u);
    });
    world.ExpectRight(kBoth, "after a graph");
    world.Run(kBoth);  // and eager operations go on from there
    world.ExpectRight(kBoth, "eager after a graph");
  }
}

TEST_F(OneGpu, TimesFreshChainedAndKernels) {
  GpuWorld world({.shape = kShape});
  world.Begin();
  world.ForAll([](CudaEngine& engine, uint32_t) {
    uint64_t duration_ns[3] = {};
    ExpectOk(engine.RunFresh(kDispatch, 3, duration_ns));
    EXPECT_GT(duration_ns[2], 0u);
    ExpectOk(engine.RunChained(kBoth, 2, 5, duration_ns));
    ExpectOk(engine.RunKernels(kBoth, 3, duration_ns));
    EXPECT_GT(duration_ns[2], 0u);
    ExpectOk(engine.RunFlags(5, nullptr));
    ExpectOk(engine.FlushCaches());
  });
  world.Poison();
  world.Run(kBoth);
  world.ExpectRight(kBoth, "after all ways of timing");
}

TEST_F(OneGpu, CountsItsTraffic) {
  GpuWorld world({.shape = kShape});
  world.Begin();
  TrafficCounts counts;
  ExpectOk(world.engine(0).CountTraffic(&counts));
  EXPECT_EQ(counts.selections, kShape.tokens * kShape.topk);
  EXPECT_GT(counts.remote_rows, 0u);
}

TEST_F(OneGpu, ASilentPeerIsNamed) {
  GpuWorld world({.shape = kShape, .wait_timeout_ns = 200'000'000});
  world.Begin();
  world.ForAll([](CudaEngine& engine, uint32_t rank) {
    if (rank == 2) return;
    const Status status = engine.Run(kDispatch, 10, nullptr);
    EXPECT_EQ(status.code(), Code::kTimeout);
    EXPECT_THAT(status.text(), HasSubstr("nothing from rank 2 for 0.2 s"));
    EXPECT_EQ(engine.Run(kDispatch, 1, nullptr).code(), Code::kTimeout) << "and stays so";
  });
}

TEST_F(OneGpu, AbortEndsAWait) {
  GpuWorld world({.shape = kShape, .wait_timeout_ns = 60'000'000'000});
  world.Begin();
  std::thread rank0(
      [&] { EXPECT_EQ(world.engine(0).Run(kDispatch, 1, nullptr).code(), Code::kAborted); });
  world.engine(0).Abort();
  rank0.join();
}

TEST_F(OneGpu, WrongIdsAndInfinitiesAreRefused) {
  WorldConfig config = {.shape = {1, 8, 256, 4, 2, Dtype::kFp8}, .wait_timeout_ns = 500'000'000};
  reference::Routing routing = RandomRouting(config);
  routing.topk_idx[6] = routing.topk_idx[7];
  const std::vector<float> weights(kSets * 8 * 2, 0.5f);
  std::unique_ptr<CudaEngine> engine;
  ExpectOk(CudaEngine::Create({.rank = 0,
                               .wait_timeout_ns = config.wait_timeout_ns,
                               .routing = routing,
                               .weights = weights.data()},
                              {.gpu = 0, .ranks_on_gpu = 1}, MakeGpuRegion(config.shape, 0),
                              &engine));
  const std::vector<uint8_t> blob = engine->Blob();
  ExpectOk(engine->Connect({blob}));
  const Status status = engine->Run(kDispatch, 1, nullptr);
  EXPECT_EQ(status.code(), Code::kInvalid);
  EXPECT_THAT(status.text(), HasSubstr("token 3 names an expert twice"));
}

TEST(NoGpu, IsSaidInOneLine) {
  uint32_t gpus = 0;
  const Status status = CountGpus(&gpus);
  if (gpus > 0) GTEST_SKIP() << "skipped: there is a device";
  EXPECT_THAT(status.text(), HasSubstr("count GPUs: cudaError"));
  EXPECT_THAT(status.text(), Not(HasSubstr("\n")));
}

}  // namespace
}  // namespace ep
