// Ranks whose peers are proxied, all or some of them.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "csrc/rank/calibrate.h"
#include "csrc/rank/cpu_engine.h"
#include "csrc/rank/posting_test_util.h"
#include "csrc/rank/world_test_util.h"

namespace ep {
namespace {

using Fate = TestNetwork::Fate;

constexpr Shape kShape = {3, 12, 256, 4, 3, Dtype::kFp8};
constexpr uint64_t kSoonNs = 200'000'000;

// All ranks of a run on a network.
class PostingWorld : public World<PostingHostDevice> {
 public:
  PostingWorld(TestNetwork& network, const WorldConfig& config)
      : World(config, RandomRouting(config),
              [&network](const RegionConfig& region) { return network.MakeRegion(region); }) {}
};

class RandomRuns : public ::testing::TestWithParam<uint32_t> {};

TEST_P(RandomRuns, AreRightHoweverLateMessagesAre) {
  std::mt19937 random(GetParam());
  const auto up_to = [&](uint32_t most) { return static_cast<uint32_t>(1 + random() % most); };
  Shape shape = {up_to(5), up_to(20), kHiddenMultiple * up_to(64),
                 up_to(5), 1,         up_to(2) == 1 ? Dtype::kFp8 : Dtype::kBf16};
  shape.topk = up_to(std::min(kMaxTopk, shape.Experts()));
  shape = With(kWays[GetParam() % std::size(kWays)], shape);
  WorldConfig config = {.shape = shape};
  config.seed = GetParam();
  config.threads = up_to(3);
  config.empty_percent = up_to(2) == 1 ? 0 : 60;
  // Of two hosts with neighbours on each, or each of its own.
  const bool two_hosts = GetParam() % 3 == 0;
  TestNetwork network(GetParam(), [two_hosts, half = shape.ranks / 2](uint32_t a, uint32_t b) {
    return two_hosts && (a < half) == (b < half);
  });
  PostingWorld world(network, config);
  world.Begin();
  for (int round = 0; round < 4; ++round) {
    PostingWorld::ExpectOk(world.Run(up_to(2) == 1 ? kDispatch : kCombine, up_to(3)));
    EXPECT_EQ(WrongRows(world.RunChecked(kBoth)), 0u) << "round " << round;
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, RandomRuns, ::testing::Range(1u, 49u));

TEST(Posting, ANoticeThatOvertakesItsRowsIsFound) {
  TestNetwork network(1);
  PostingWorld world(network, {.shape = kShape});
  world.Begin();
  EXPECT_EQ(WrongRows(world.RunChecked(kBoth)), 0u);
  network.fate = [&](const Parcel& parcel) {
    return parcel.from == 1 && parcel.to == 2 &&
                   parcel.notice.operation == static_cast<uint32_t>(Op::kDispatch)
               ? Fate::kNoticeComesAlone
               : Fate::kArrives;
  };
  EXPECT_GT(WrongRows(world.RunChecked(kBoth)), 0u);
}

TEST(Posting, AMessageWithTheRowsOfTheOneBeforeIsFound) {
  TestNetwork network(1);
  PostingWorld world(network, {.shape = kShape});
  world.Begin();
  network.repeats_lists = true;
  // The next message in the bank of one without rows lacks its own, and what describes them.
  PostingWorld::ExpectOk(world.RunFlags(1));
  PostingWorld::ExpectOk(world.Run(kDispatch));
  for (const Status& status : world.Run(kDispatch)) EXPECT_EQ(status.code(), Code::kProtocol);
}

// What rank 1 says when something becomes of what it exchanges with rank 2.
std::string FailureOfRank1(uint32_t from, uint32_t to, Fate fate) {
  TestNetwork network(1);
  WorldConfig config = {.shape = kShape};
  config.wait_timeout_ns = kSoonNs;
  PostingWorld world(network, config);
  world.Begin();
  network.fate = [=](const Parcel& parcel) {
    return parcel.from == from && parcel.to == to ? fate : Fate::kArrives;
  };
  std::string said = world.Run(kDispatch)[1].text();
  EXPECT_EQ(world.Run(kDispatch)[1].text(), said) << "a rank that failed can do nothing more";
  return said;
}

TEST(Posting, ALostMessageNamesWhoseItIs) {
  const std::string said = FailureOfRank1(2, 1, Fate::kIsLost);
  EXPECT_NE(said.find("dispatch epoch 2: nothing from rank 2 for 0."), std::string::npos) << said;
}

TEST(Posting, ANetworkThatFailsSaysWhy) {
  const std::string said = FailureOfRank1(1, 2, Fate::kFails);
  EXPECT_TRUE(said.starts_with("the network to rank 2 failed: send dispatch epoch 2 with "))
      << said;
  EXPECT_TRUE(said.ends_with(" rows to rank 2: the cable is cut")) << said;
}

TEST(Posting, AMessageThatNeverEndsIsNamed) {
  TestNetwork network(1);
  WorldConfig config = {.shape = kShape};
  config.wait_timeout_ns = kSoonNs;
  PostingWorld world(network, config);
  world.Begin();
  network.fate = [](const Parcel& parcel) {
    return parcel.from == 1 && parcel.to == 2 ? Fate::kNeverEnds : Fate::kArrives;
  };
  const std::vector<Status> ended = world.Run(kDispatch);
  EXPECT_FALSE(ended[1].ok());
  EXPECT_FALSE(ended[2].ok());
}

TEST(Posting, AbortEndsTheWaitForDelivery) {
  TestNetwork network(1);
  PostingWorld world(network, {.shape = kShape});
  world.Begin();
  network.fate = [](const Parcel&) { return Fate::kNeverEnds; };
  for (uint32_t rank = 0; rank < kShape.ranks; ++rank) world.engine(rank).Abort();
  for (const Status& status : world.Run(kDispatch)) EXPECT_EQ(status.code(), Code::kAborted);
}

std::unique_ptr<PostingCpuEngine> MakeRank0(TestNetwork& network, const Shape& shape) {
  const WorldConfig config = {.shape = shape};
  const std::vector<float> weights(uint64_t{kSets} * shape.tokens * shape.topk, 1.0f);
  std::unique_ptr<PostingCpuEngine> engine;
  const RegionConfig region = MakeRegionConfig(ChunkedForThreads(shape, 1), 0, kSoonNs);
  PostingWorld::ExpectOk({PostingCpuEngine::Create({.rank = 0,
                                                    .wait_timeout_ns = kSoonNs,
                                                    .routing = RandomRouting(config),
                                                    .weights = weights.data()},
                                                   {}, network.MakeRegion(region), &engine)});
  return engine;
}

TEST(Posting, PeersOfAnotherLayoutAreRefused) {
  Shape other = kShape;
  other.tokens += 1;
  TestNetwork network(1);
  TestNetwork others(1);
  const auto engine = MakeRank0(network, kShape);
  const auto stranger = MakeRank0(others, other);
  ASSERT_NE(engine, nullptr);
  ASSERT_NE(stranger, nullptr);
  const std::vector<uint8_t> mine = engine->Blob();
  const std::vector<uint8_t> theirs = stranger->Blob();
  EXPECT_EQ(engine->Connect({mine, theirs, theirs}).code(), Code::kProtocol);
  EXPECT_EQ(engine->Connect({mine, {}, {}}).code(), Code::kProtocol);
  EXPECT_EQ(engine->Connect({mine}).code(), Code::kInvalid);
}

TEST(Posting, HasNoLanding) {
  TestNetwork network(1);
  const Status status =
      Calibration::CanCalibrate(*network.MakeRegion(MakeRegionConfig(kShape, 0, kSoonNs, 4)));
  EXPECT_EQ(status.code(), Code::kInvalid);
  EXPECT_EQ(status.hint(), EP_HINT_USE_IPC);
}

}  // namespace
}  // namespace ep
