// The kernels' bodies are right under every schedule tried, with every store as late as the rules
// let it be: thousands of seeds over shapes that reach all branches.
//
// A failure names its seed. To run that one alone:
//   tools/bazelw test //csrc/simt:schedules_test --test_env=EP_SIMT_SEED=123 --test_filter='*/Name'
#include <gtest/gtest.h>

#include "csrc/simt/cases_test_util.h"
#include "csrc/simt/world_test_util.h"

namespace ep::simt {
namespace {

// With words for so many tokens each.
constexpr Shape Chunked(uint32_t tokens, Shape shape) {
  shape.chunk_tokens = tokens;
  return shape;
}

class Schedules : public ::testing::TestWithParam<Case> {};

TEST_P(Schedules, AreRight) { ExpectRight<Bodies<>>(GetParam()); }

INSTANTIATE_TEST_SUITE_P(
    Cases, Schedules,
    ::testing::Values(
        // Shapes are ranks, tokens, hidden, experts a rank, top-k.
        Case{"TwoRanksFp8", {.world = {.shape = {2, 6, 256, 4, 4, kFp8}}}, "DCDDC", 1200},
        Case{"ChunksOfOne",
             {.world = {.shape = Chunked(1, {2, 6, 256, 4, 4, kFp8})}, .dispatch_blocks = 3},
             "DCDDC",
             600},
        Case{"ChunksOfTwoOneBlock",
             {.world = {.shape = Chunked(2, {3, 7, 640, 3, 4, kBf16}), .tokens_of_rank = {7, 0, 3}},
              .dispatch_blocks = 1,
              .combine_blocks = 1,
              .crews = 3},
             "DCDDCC",
             300},
        Case{"UnevenBf16",
             {.world = {.shape = {3, 8, 640, 3, 4, kBf16},
                        .tokens_of_rank = {8, 0, 3},
                        .empty_percent = 40},
              .dispatch_blocks = 3},
             "DDCC",
             1000},
        Case{"FourRanksFp8",
             {.world = {.shape = {4, 4, 1280, 3, 6, kFp8}, .tokens_of_rank = {4, 2, 4, 1}},
              .combine_blocks = 3},
             "DCDC",
             400},
        Case{"NobodySendsAnything",
             {.world = {.shape = {3, 4, 256, 2, 2, kBf16}, .empty_percent = 100}},
             "DCDCDC",
             600},
        Case{"AcrossTheWrap",
             {.world = {.shape = {3, 5, 256, 2, 3, kFp8}, .empty_percent = 20},
              .before = 0xFFFFFFFD},
             "DCDCDDCC",
             600},
        Case{"ContigFp8",
             {.world = {.shape = With(kWays[1], {2, 5, 256, 2, 2, kFp8}), .empty_percent = 20}},
             "DCDC",
             400},
        Case{"FlatFp8",
             {.world = {.shape = With(kWays[2], {3, 5, 640, 3, 4, kFp8}),
                        .tokens_of_rank = {5, 0, 3}},
              .dispatch_blocks = 3},
             "DDCC",
             300},
        Case{"RankBf16",
             {.world = {.shape = With(kWays[3], {3, 4, 640, 3, 4, kBf16}),
                        .tokens_of_rank = {2, 4, 3},
                        .empty_percent = 30}},
             "DCDC",
             300},
        Case{"ByExpertFp8",
             {.world = {.shape = With(kWays[4], {3, 5, 640, 3, 6, kFp8}), .empty_percent = 30},
              .combine_blocks = 3},
             "DCDDCC",
             300},
        Case{
            "ContigByExpertBf16",
            {.world = {.shape = With(kWays[5], {2, 4, 128, 2, 3, kBf16}), .tokens_of_rank = {4, 1}},
             .before = 0xFFFFFFFD},
            "DCDC",
            400},
        Case{"OneRank", {.world = {.shape = {1, 9, 512, 5, 5, kBf16}}}, "DCDC", 400},
        Case{"SeveralTiles",
             {.world = {.shape = Chunked(3, {2, 14, 640, 3, 2, kBf16}), .tokens_of_rank = {14, 9}},
              .dispatch_blocks = 2,
              .tile_tokens = 6},
             "DCDDC",
             300},
        Case{"SeveralTilesFlatFp8",
             {.world = {.shape = Chunked(2, With(kWays[2], {3, 13, 256, 3, 4, kFp8})),
                        .tokens_of_rank = {13, 3, 12},
                        .empty_percent = 30},
              .dispatch_blocks = 3,
              .tile_tokens = 4},
             "DCDDC",
             300}),
    [](const auto& info) { return info.param.name; });

TEST(RandomShapes, AreRight) {
  for (const uint64_t seed : Seeds(1, 1000)) {
    const RandomCase drawn = DrawCase(seed);
    const Outcome outcome = SimtWorld<>(drawn.config).Run(seed, drawn.kernels);
    ASSERT_TRUE(outcome.good()) << "EP_SIMT_SEED=" << seed << ": " << outcome.text;
  }
}

}  // namespace
}  // namespace ep::simt
