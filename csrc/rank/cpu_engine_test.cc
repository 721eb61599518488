// What a run of the CPU engine leaves behind is right for every shape, and what goes wrong ends in
// an error that names it.
#include "csrc/rank/cpu_engine.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <iterator>
#include <numeric>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "csrc/rank/world_test_util.h"

namespace ep {
namespace {

using ::testing::HasSubstr;
using HostWorld = World<HostDevice>;

constexpr Shape kSmall = {
    .ranks = 3, .tokens = 5, .hidden = 256, .experts_per_rank = 3, .topk = 2, .dtype = Dtype::kFp8};

// Takes a rank's sixth token, the last that its second worker of three loads, for infinite.
class InfiniteTokenDevice : public HostDevice {
 public:
  using HostDevice::HostDevice;
  Row Pack(const Shape& shape, const Bf16* channels, Piece piece) {
    Row row = HostDevice::Pack(shape, channels, piece);
    row.finite = !(Worker() == 1 && ++loaded_ == 3);
    return row;
  }

 private:
  int loaded_ = 0;
};

// Has the time that the test gives it, and shows which flag it is waiting for and that it has
// begun to measure how long.
class FakeClockDevice : public HostDevice {
 public:
  using HostDevice::HostDevice;
  uint64_t NowNs() {
    const uint64_t now = now_ns;
    looked = true;  // only then may the test move the time on
    return now;
  }
  uint64_t LoadAcquire(const uint64_t* flag) {
    polled = reinterpret_cast<const uint8_t*>(flag);
    return HostDevice::LoadAcquire(flag);
  }

  static inline std::atomic<uint64_t> now_ns = 0;
  std::atomic<const uint8_t*> polled = nullptr;
  std::atomic<bool> looked = false;
};

// ThreadSanitizer's time grows with the square of the threads, and 64 meet all there is to race
// for.
#if defined(__SANITIZE_THREAD__)
constexpr uint32_t kMostRanks = 64;
#else
constexpr uint32_t kMostRanks = kMaxRanks;
#endif

struct ShapeCase {
  const char* name;
  WorldConfig config;
};

class EveryShape : public ::testing::TestWithParam<ShapeCase> {};

void ExpectRightRows(const WorldConfig& config, const char* what) {
  HostWorld world(config);
  world.Begin();
  for (int round = 0; round < 7; ++round) {
    // Kinds count apart: let their banks and sets drift against each other.
    if (round % 3 == 1) HostWorld::ExpectOk(world.Run(kDispatch));
    if (round % 3 == 2) HostWorld::ExpectOk(world.Run(kCombine));
    const std::vector<Findings> findings = world.RunChecked(kBoth);
    EXPECT_EQ(WrongRows(findings), 0u) << what << ", round " << round;
    uint64_t rows = 0;
    for (const Findings& found : findings) rows += found.rows;
    EXPECT_GT(rows, 0u);
  }
}

TEST_P(EveryShape, DispatchesAndCombinesRightRows) {
  for (const Dtype dtype : {Dtype::kFp8, Dtype::kBf16}) {
    WorldConfig config = GetParam().config;
    config.shape.dtype = dtype;
    ExpectRightRows(config, dtype == Dtype::kFp8 ? "fp8" : "bf16");
  }
}

TEST(CpuEngine, MovesRowsThatAreQuantisedBefore) {
  for (const uint32_t hidden : {8u, 136u, 648u}) {
    for (const Way& way : kWays) {
      Shape shape = With(way, {8, 5, hidden, 3, 4, Dtype::kFp8});
      shape.quantize = Quantize::kOutside;
      ExpectRightRows({.shape = shape, .threads = 2}, way.name);
    }
  }
}

// Dtypes take turns here; property_test draws them.
TEST_P(EveryShape, IsRightInEveryLayout) {
  for (size_t i = 1; i < std::size(kWays); ++i) {
    WorldConfig config = GetParam().config;
    config.shape = With(kWays[i], config.shape);
    config.shape.dtype = i % 2 == 0 ? Dtype::kBf16 : Dtype::kFp8;
    ExpectRightRows(config, kWays[i].name);
  }
}

INSTANTIATE_TEST_SUITE_P(
    Shapes, EveryShape,
    ::testing::Values(
        ShapeCase{"OneRank", {.shape = {1, 4, 128, 4, 2, Dtype::kFp8}}},
        ShapeCase{"TwoRanks", {.shape = {2, 16, 512, 8, 4, Dtype::kFp8}}},
        ShapeCase{"ExpertsOfSeveralTiles", {.shape = {2, 200, 128, 2, 2, Dtype::kFp8}}},
        ShapeCase{"ThreeRanksOddExperts", {.shape = {3, 7, 384, 5, 6, Dtype::kFp8}}},
        ShapeCase{"EightRanksTop8", {.shape = {8, 12, 1024, 36, 8, Dtype::kFp8}}},
        ShapeCase{"ShortLastScale", {.shape = {3, 7, 136, 3, 4, Dtype::kFp8}, .threads = 2}},
        ShapeCase{"EightChannels", {.shape = {2, 6, 8, 3, 4, Dtype::kFp8}}},
        ShapeCase{"Top32", {.shape = {2, 6, 648, 40, 32, Dtype::kFp8}, .threads = 3}},
        ShapeCase{"Top16OfOneRankEach", {.shape = {16, 3, 128, 1, 16, Dtype::kFp8}}},
        ShapeCase{"AsManyRanksAsThereMayBe", {.shape = {kMostRanks, 2, 128, 2, 8, Dtype::kFp8}}},
        ShapeCase{"UnevenAndEmptyRanks",
                  {.shape = {4, 9, 256, 3, 3, Dtype::kFp8}, .tokens_of_rank = {9, 0, 1, 4}}},
        ShapeCase{"ManyEmptySelections",
                  {.shape = {3, 20, 256, 4, 4, Dtype::kFp8}, .empty_percent = 60}},
        ShapeCase{"NothingSelectedButSomewhere",
                  {.shape = {3, 6, 256, 4, 2, Dtype::kFp8}, .empty_percent = 95}}),
    [](const auto& info) { return info.param.name; });

TEST(CpuEngine, GoesOnAcrossTheEpochWrap) {
  HostWorld world({.shape = kSmall});
  for (uint32_t rank = 0; rank < kSmall.ranks; ++rank) {
    world.engine(rank).epochs() = {0xFFFFFFFB, 0xFFFFFFFB};
  }
  world.Begin();
  for (int round = 0; round < 8; ++round) {
    EXPECT_EQ(WrongRows(world.RunChecked(kBoth)), 0u) << "round " << round;
  }
  EXPECT_EQ(world.engine(0).epochs().dispatch, 6u);
  EXPECT_EQ(world.engine(0).epochs().combine, 5u);
}

TEST(CpuEngine, CountsRowsThreeWays) {
  // Rank 0: token 0 selects experts 0 and 1 of rank 0, token 1 one of each rank.
  const Shape shape = {2, 2, 128, 2, 2, Dtype::kBf16};
  HostWorld world({.shape = shape}, {shape, 1, {2, 1}, {0, 1, 1, 2, -1, 3, 0, 0}});
  world.Begin();
  TrafficCounts counts;
  ASSERT_TRUE(world.engine(0).CountTraffic(&counts).ok());
  EXPECT_EQ(counts.selections, 4u);
  EXPECT_EQ(counts.rank_rows, 3u);
  EXPECT_EQ(counts.remote_rows, 1u);
  EXPECT_EQ(counts.rows_to_rank, (std::vector<uint64_t>{2, 1}));
  EXPECT_EQ(counts.selections_of_expert, (std::vector<uint64_t>{1, 2}));
  ASSERT_TRUE(world.engine(1).CountTraffic(&counts).ok());
  EXPECT_EQ(counts.selections, 1u);
  EXPECT_EQ(counts.remote_rows, 0u);
}

TEST(CpuEngine, NamesTheExpertThatATokenNamesTwice) {
  const Shape shape = {1, 2, 128, 4, 2, Dtype::kFp8};
  HostWorld world({.shape = shape}, {shape, 1, {2}, {0, 1, 3, 3}});
  const std::vector<Status> statuses = world.Run(kDispatch);
  EXPECT_EQ(statuses[0].code(), Code::kInvalid);
  EXPECT_THAT(statuses[0].text(), HasSubstr("token 1 names an expert twice"));
}

TEST(CpuEngine, StopsAllWorkersOfARankWhenOneFails) {
  // One of eight tokens holds the infinity: one worker alone sees it.
  World<InfiniteTokenDevice> world({.shape = {2, 8, 128, 2, 2, Dtype::kFp8}, .threads = 3});
  for (const Status& status : world.Run(kDispatch)) {
    EXPECT_EQ(status.code(), Code::kInvalid);
    EXPECT_THAT(status.text(), HasSubstr("token 5 holds an infinity"));
  }
}

TEST(CpuEngine, NamesTheRankThatFallsSilent) {
  FakeClockDevice::now_ns = 0;
  World<FakeClockDevice> world({.shape = kSmall, .wait_timeout_ns = 10'000'000'000});
  world.Begin();
  std::vector<Status> statuses(2);
  std::vector<std::thread> ranks;
  for (uint32_t rank : {0, 1}) world.engine(rank).device().looked = false;
  for (uint32_t rank : {0, 1}) {
    ranks.emplace_back(
        [&, rank] { statuses[rank] = world.engine(rank).Run(kDispatch, 1, nullptr); });
  }
  // Once both are waiting for rank 2, ten seconds pass.
  for (uint32_t rank : {0, 1}) {
    const uint8_t* flag = world.engine(rank).region() + Layout(kSmall).CountsWord(0, 2);
    FakeClockDevice& device = world.engine(rank).device();
    while (device.polled != flag || !device.looked) std::this_thread::yield();
  }
  FakeClockDevice::now_ns = 10'500'000'000;
  for (std::thread& rank : ranks) rank.join();
  for (const Status& status : statuses) {
    EXPECT_EQ(status.code(), Code::kTimeout);
    EXPECT_THAT(status.text(), HasSubstr("dispatch epoch 2: nothing from rank 2 for 10.5 s"));
    EXPECT_THAT(status.text(), HasSubstr("it has flagged nothing in this bank yet"));
  }
  // Nothing is waited for again.
  EXPECT_EQ(world.engine(0).Run(kDispatch, 1, nullptr).text(), statuses[0].text());
}

TEST(CpuEngine, StopsWaitingWhenAborted) {
  HostWorld world({.shape = kSmall});
  world.Begin();
  Status status;
  std::thread waiting([&] { status = world.engine(0).Run(kCombine, 1, nullptr); });
  world.engine(0).Abort();
  waiting.join();
  EXPECT_EQ(status.code(), Code::kAborted);
  EXPECT_THAT(status.text(), HasSubstr("combine epoch 1"));
}

TEST(CpuEngine, ReportsAFlagThatMustNotBeThere) {
  HostWorld world({.shape = kSmall});
  const Layout layout(kSmall);
  // Rank 1, whom rank 0 awaits first, claims an epoch that its peers have not begun.
  *reinterpret_cast<uint64_t*>(world.engine(0).region() + layout.CountsWord(1, 1)) = MakeFlag(3, 1);
  const Status status = world.engine(0).Run(kDispatch, 1, nullptr);
  EXPECT_EQ(status.code(), Code::kProtocol);
  EXPECT_THAT(status.text(), HasSubstr("rank 1 wrote what it must not"));
}

TEST(CpuEngine, HasQuantisedRowsToSendWhereTheyAreInput) {
  Shape shape = kSmall;
  shape.hidden = 200;
  shape.quantize = Quantize::kOutside;
  HostWorld world({.shape = shape});
  const Tensors& tensors = world.engine(1).tensors();
  std::vector<E4m3> codes(shape.hidden);
  std::vector<float> scales(shape.ScalesPerRow());
  for (uint32_t set = 0; set < kSets; ++set) {
    const DispatchInput input = tensors.Input(set);
    EXPECT_EQ(input.rows, nullptr) << "who quantises inside would not be seen";
    for (uint32_t token = 0; token < shape.tokens; ++token) {
      const Bf16* row = tensors.token_rows[set].As<Bf16>() + token * shape.hidden;
      ASSERT_TRUE(QuantizeRow(row, shape.hidden, codes.data(), scales.data()));
      EXPECT_TRUE(
          std::ranges::equal(codes, std::span(input.codes + token * codes.size(), codes.size())));
      EXPECT_TRUE(std::ranges::equal(
          scales, std::span(input.scales + token * scales.size(), scales.size())));
    }
  }
}

TEST(CpuEngine, HasNoQuantisedRowsElsewhere) {
  HostWorld world({.shape = kSmall});
  const DispatchInput input = world.engine(0).tensors().Input(0);
  EXPECT_NE(input.rows, nullptr);
  EXPECT_EQ(input.codes, nullptr);
  EXPECT_EQ(input.scales, nullptr);
}

TEST(CpuEngine, RefusesACombineWithoutExpertOutputs) {
  HostWorld world({.shape = kSmall});
  EXPECT_EQ(world.engine(0).Run(kCombine, 1, nullptr).code(), Code::kState);
}

TEST(CpuEngine, RefusesAPeerOfAnotherLayout) {
  Shape other = kSmall;
  other.hidden *= 2;
  HostWorld ours({.shape = kSmall});
  HostWorld theirs({.shape = other});
  const std::vector<std::vector<uint8_t>> blobs = {ours.engine(0).Blob(), theirs.engine(1).Blob(),
                                                   ours.engine(2).Blob()};
  const Status status = ours.engine(0).Connect({blobs.begin(), blobs.end()});
  EXPECT_EQ(status.code(), Code::kProtocol);
  EXPECT_THAT(status.text(), HasSubstr("rank 1: its region has another layout"));
}

TEST(CpuEngine, ConnectsThroughBlobs) {
  HostWorld world({.shape = kSmall});
  std::vector<std::vector<uint8_t>> blobs;
  for (uint32_t rank = 0; rank < kSmall.ranks; ++rank) blobs.push_back(world.engine(rank).Blob());
  for (uint32_t rank = 0; rank < kSmall.ranks; ++rank) {
    const Status status = world.engine(rank).Connect({blobs.begin(), blobs.end()});
    ASSERT_TRUE(status.ok()) << status.text();
  }
  world.Begin();
  EXPECT_EQ(WrongRows(world.RunChecked(kBoth)), 0u);
}

TEST(CpuEngine, GoesOnWhereItConnectsAgain) {
  HostWorld world({.shape = kSmall});
  world.Begin();
  for (int round = 0; round < 3; ++round) {  // both banks, and in neither the first epochs
    std::vector<std::vector<uint8_t>> blobs;
    for (uint32_t rank = 0; rank < kSmall.ranks; ++rank) {
      ASSERT_TRUE(world.engine(rank).Disconnect().ok());
    }
    EXPECT_EQ(world.engine(0).Run(kBoth, 1, nullptr).code(), Code::kState);
    for (uint32_t rank = 0; rank < kSmall.ranks; ++rank) {
      ASSERT_TRUE(world.engine(rank).Reopen().ok());
      blobs.push_back(world.engine(rank).Blob());
    }
    for (uint32_t rank = 0; rank < kSmall.ranks; ++rank) {
      const Status status = world.engine(rank).Connect({blobs.begin(), blobs.end()});
      ASSERT_TRUE(status.ok()) << status.text();
    }
    EXPECT_EQ(WrongRows(world.RunChecked(kBoth)), 0u);
  }
}

}  // namespace
}  // namespace ep
