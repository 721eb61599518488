// Ranks that do not map each other are right under every schedule tried: kernels, proxies and the
// network between them, each as late as it may be.
#include "csrc/device/post.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <string>

#include "csrc/simt/cases_test_util.h"
#include "csrc/simt/world_test_util.h"

namespace ep::simt {
namespace {

using Posting = Bodies<PostDevice<SimtDevice>>;
using Fate = PostNetwork::Fate;

constexpr Shape Chunked(uint32_t tokens, Shape shape) {
  shape.chunk_tokens = tokens;
  return shape;
}
constexpr PostNetwork::Options kFlushed = {.net = Net::kAll, .needs_flush = true};
constexpr PostNetwork::Options kTwoHosts = {
    .net = Net::kOddAndEven, .needs_flush = true, .joins = true};
constexpr PostNetwork::Options kStaged = {.net = Net::kAll, .staged = true};

class PostSchedules : public ::testing::TestWithParam<Case> {};

TEST_P(PostSchedules, AreRight) { ExpectRight<Posting>(GetParam()); }

INSTANTIATE_TEST_SUITE_P(
    Cases, PostSchedules,
    ::testing::Values(
        // Shapes are ranks, tokens, hidden, experts a rank, top-k.
        Case{"TwoRanksFp8",
             {.world = {.shape = {2, 6, 256, 4, 4, kFp8}}, .network = {.net = Net::kAll}},
             "DCDDC",
             300},
        Case{"ChunksOfOneFlushed",
             {.world = {.shape = Chunked(1, {2, 6, 256, 4, 4, kBf16})},
              .dispatch_blocks = 3,
              .network = kFlushed},
             "DCDDC",
             200},
        Case{"UnevenAcrossTheWrap",
             {.world = {.shape = Chunked(2, {3, 5, 256, 2, 3, kFp8}),
                        .tokens_of_rank = {5, 0, 3},
                        .empty_percent = 40},
              .before = 0xFFFFFFFD,
              .network = kFlushed},
             "DCDCDDCC",
             150},
        Case{"NobodySendsAnything",
             {.world = {.shape = {3, 4, 256, 2, 2, kBf16}, .empty_percent = 100},
              .network = kFlushed},
             "DCDCDC",
             150},
        Case{"TwoHostsOfTwo",
             {.world = {.shape = Chunked(1, {4, 4, 640, 3, 6, kFp8}),
                        .tokens_of_rank = {4, 2, 4, 1}},
              .network = kTwoHosts},
             "DCDC",
             100},
        // Counted before by a kernel of its own.
        Case{"SeveralTilesFlat",
             {.world = {.shape = Chunked(2, With(kWays[2], {3, 13, 256, 3, 4, kFp8})),
                        .tokens_of_rank = {13, 3, 12},
                        .empty_percent = 30},
              .dispatch_blocks = 3,
              .tile_tokens = 4,
              .network = kFlushed},
             "DCDDC",
             60},
        Case{"Contig",
             {.world = {.shape = With(kWays[1], {2, 5, 256, 2, 2, kFp8}), .empty_percent = 20},
              .network = kStaged},
             "DCDC",
             150},
        Case{"Rank",
             {.world = {.shape = Chunked(2, With(kWays[3], {3, 4, 640, 3, 4, kBf16}))},
              .network = {.net = Net::kOddAndEven, .staged = true}},
             "DCDC",
             100},
        Case{"ByExpert",
             {.world = {.shape = With(kWays[4], {3, 5, 640, 3, 6, kFp8}), .empty_percent = 30},
              .combine_blocks = 3,
              .network = kStaged},
             "DCDDCC",
             80},
        Case{"OneRank",
             {.world = {.shape = {1, 9, 512, 5, 5, kBf16}}, .network = {.net = Net::kAll}},
             "DCDC",
             60}),
    [](const auto& info) { return info.param.name; });

TEST(PostSchedules, OfRandomShapesAreRight) {
  for (const uint64_t seed : Seeds(1, 300)) {
    RandomCase drawn = DrawCase(seed);
    drawn.config.network = {.net = seed % 3 == 0 ? Net::kOddAndEven : Net::kAll,
                            .needs_flush = seed % 2 == 0,
                            .staged = seed % 5 < 2,
                            .joins = seed % 3 == 0,
                            .latest = static_cast<uint32_t>(seed % 7)};
    const Outcome outcome = SimtWorld<Posting>(drawn.config).Run(seed, drawn.kernels);
    ASSERT_TRUE(outcome.good()) << "EP_SIMT_SEED=" << seed << ": " << outcome.text;
  }
}

// ---- Failures.

SimtConfig Three() {
  SimtConfig config = {.world = {.shape = Chunked(2, {3, 6, 256, 3, 3, kFp8})},
                       .timeout_steps = 200'000,
                       .network = kFlushed};
  return config;
}

// What rank 1 says when something becomes of what it sends to rank 2 in its second dispatch.
Outcome WhenRank1Sends(SimtWorld<Posting>& world, Fate fate, uint64_t seed) {
  world.network().fate = [fate](uint32_t from, uint32_t to, const Notice& notice) {
    const bool is_it = from == 1 && to == 2 && FlagEpoch(notice.flag) == 2 &&
                       notice.operation == static_cast<uint32_t>(Op::kDispatch);
    return is_it ? fate : Fate::kArrives;
  };
  return world.Run(seed, "DDDD");
}

TEST(Post, ARequestThatFailsNamesWhoItWasFor) {
  SimtWorld<Posting> world(Three());
  for (const uint64_t seed : Seeds(1, 30)) {
    const Outcome outcome = WhenRank1Sends(world, Fate::kFails, seed);
    ASSERT_TRUE(outcome.machine.ok()) << outcome.text;
    EXPECT_EQ(world.network().proxy(1).failure().text(),
              "send dispatch epoch 2 with 5 rows to rank 2: the cable is cut")
        << seed;
    EXPECT_EQ(world.network().proxy(1).failed_peer(), 2u);
    EXPECT_FALSE(world.network().proxy(1).Idle());
    EXPECT_NE(outcome.errors[1].kind, ErrorKind::kNone);
    // Its peers end by their own deadlines, or by what they miss of each other.
    EXPECT_EQ(outcome.errors[2].kind, ErrorKind::kTimeout);
  }
}

TEST(Post, ARequestThatNeverEndsIsAFailureAfterTheDeadline) {
  SimtWorld<Posting> world(Three());
  for (const uint64_t seed : Seeds(1, 30)) {
    const Outcome outcome = WhenRank1Sends(world, Fate::kNeverEnds, seed);
    ASSERT_TRUE(outcome.machine.ok()) << outcome.text;
    // A peer that has given up already may be the one that it misses.
    EXPECT_EQ(outcome.errors[2].kind, ErrorKind::kTimeout) << seed;
    EXPECT_FALSE(world.network().proxy(1).Idle());
  }
}

TEST(Post, ADeadPeerEndsAllByTheirDeadlines) {
  SimtWorld<Posting> world(Three());
  for (const uint64_t seed : Seeds(1, 30)) {
    const Outcome outcome = world.Run(seed, "DCDC", Machine::Death{1, 200 * seed});
    ASSERT_TRUE(outcome.machine.ok()) << outcome.text;
    if (outcome.good()) continue;  // it died when all was over
    for (const uint32_t rank : {0u, 2u}) {
      EXPECT_NE(outcome.errors[rank].kind, ErrorKind::kViolation) << seed;
    }
  }
}

TEST(Post, AnAbortEndsTheWait) {
  SimtConfig config = Three();
  config.timeout_steps = 1'000'000'000;
  SimtWorld<Posting> world(config);
  world.network().fate = [](uint32_t, uint32_t, const Notice&) { return Fate::kNeverEnds; };
  world.host.aborts_at_look = 5;
  const Outcome outcome = world.Run(1, "D");
  ASSERT_TRUE(outcome.machine.ok()) << outcome.text;
  for (const ErrorRecord& error : outcome.errors) EXPECT_EQ(error.kind, ErrorKind::kAborted);
}

}  // namespace
}  // namespace ep::simt
