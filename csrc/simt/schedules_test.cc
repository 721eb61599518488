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

// Whose rows and scales are input, a scale's last channels fewer than 16 of them.
constexpr Shape Outside(Shape shape) {
  shape.quantize = Quantize::kOutside;
  return Chunked(2, shape);
}

constexpr Shape Packets(Shape shape) {
  shape.packets = true;
  return shape;
}

class Schedules : public ::testing::TestWithParam<Case> {};

TEST_P(Schedules, AreRight) { ExpectRight<Bodies<>>(GetParam()); }

INSTANTIATE_TEST_SUITE_P(
    Cases, Schedules,
    ::testing::Values(
        // Shapes are ranks, tokens, hidden, experts a rank, top-k.
        Case{"TwoRanksFp8", {.world = {.shape = {2, 6, 256, 4, 4, kFp8}}}, "DCDDC", 600},
        Case{"ChunksOfOne",
             {.world = {.shape = Chunked(1, {2, 6, 256, 4, 4, kFp8})}, .dispatch_blocks = 3},
             "DCDDC",
             400},
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
             400},
        Case{"FourRanksFp8",
             {.world = {.shape = {4, 4, 1280, 3, 6, kFp8}, .tokens_of_rank = {4, 2, 4, 1}},
              .combine_blocks = 3},
             "DCDC",
             200},
        Case{"NobodySendsAnything",
             {.world = {.shape = {3, 4, 256, 2, 2, kBf16}, .empty_percent = 100}},
             "DCDCDC",
             300},
        Case{"AcrossTheWrap",
             {.world = {.shape = {3, 5, 256, 2, 3, kFp8}, .empty_percent = 20},
              .before = 0xFFFFFFFD},
             "DCDCDDCC",
             250},
        Case{"ContigFp8",
             {.world = {.shape = With(kWays[1], {2, 5, 256, 2, 2, kFp8}), .empty_percent = 20}},
             "DCDC",
             400},
        Case{"FlatFp8",
             {.world = {.shape = With(kWays[2], {3, 5, 640, 3, 4, kFp8}),
                        .tokens_of_rank = {5, 0, 3}},
              .dispatch_blocks = 3},
             "DDCC",
             200},
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
             150},
        Case{
            "ContigByExpertBf16",
            {.world = {.shape = With(kWays[5], {2, 4, 128, 2, 3, kBf16}), .tokens_of_rank = {4, 1}},
             .before = 0xFFFFFFFD},
            "DCDC",
            400},
        Case{"OneRank", {.world = {.shape = {1, 9, 512, 5, 5, kBf16}}}, "DCDC", 400},
        Case{"EightRanksBf16",
             {.world = {.shape = Chunked(1, {8, 2, 648, 2, 6, kBf16})}, .crews = 1},
             "DCDC",
             40},
        Case{"ShortLastScaleTop32",
             {.world = {.shape = Chunked(2, {2, 4, 136, 18, 32, kFp8}), .empty_percent = 20}},
             "DCDC",
             150},
        Case{"EightChannelsFp8",
             {.world = {.shape = With(kWays[2], {3, 5, 8, 3, 4, kFp8})}},
             "DCDC",
             200},
        Case{"QuantisedBefore",
             {.world = {.shape = Outside({3, 5, 648, 3, 4, kFp8}), .tokens_of_rank = {5, 2, 4}},
              .tile_tokens = 2},
             "DCDC",
             200},
        Case{"SeveralTiles",
             {.world = {.shape = Chunked(3, {2, 14, 640, 3, 2, kBf16}), .tokens_of_rank = {14, 9}},
              .dispatch_blocks = 2,
              .tile_tokens = 6},
             "DCDDC",
             150},
        Case{"SeveralTilesFlatFp8",
             {.world = {.shape = Chunked(2, With(kWays[2], {3, 13, 256, 3, 4, kFp8})),
                        .tokens_of_rank = {13, 3, 12},
                        .empty_percent = 30},
              .dispatch_blocks = 3,
              .tile_tokens = 4},
             "DCDDC",
             80},
        Case{"PacketsTwoRanksFp8",
             {.world = {.shape = Packets({2, 6, 256, 4, 4, kFp8})}},
             "DCDDC",
             400},
        Case{"PacketsUnevenBf16",
             {.world = {.shape = Packets({3, 8, 640, 3, 4, kBf16}),
                        .tokens_of_rank = {8, 0, 3},
                        .empty_percent = 40},
              .dispatch_blocks = 3},
             "DDCC",
             200},
        Case{"PacketsFewCrewsFp8",  // which cannot keep all their own
             {.world = {.shape = Packets({2, 16, 1032, 4, 3, kFp8}), .tokens_of_rank = {16, 11}},
              .dispatch_blocks = 1,
              .combine_blocks = 1,
              .crews = 2},
             "DCDC",
             60},
        Case{"PacketsAcrossTheWrap",
             {.world = {.shape = Packets({3, 5, 256, 2, 3, kFp8}), .empty_percent = 20},
              .before = 0xFFFFFFFD},
             "DCDCDDCC",
             150},
        Case{"PacketsNobodySendsAnything",
             {.world = {.shape = Packets({3, 4, 256, 2, 2, kBf16}), .empty_percent = 100}},
             "DCDCDC",
             200},
        Case{"PacketsContigFp8",
             {.world = {.shape = Packets(With(kWays[1], {2, 5, 256, 2, 2, kFp8})),
                        .empty_percent = 20}},
             "DCDC",
             200},
        Case{"PacketsFlatFp8",
             {.world = {.shape = Packets(With(kWays[2], {3, 5, 648, 3, 4, kFp8})),
                        .tokens_of_rank = {5, 0, 3}},
              .dispatch_blocks = 3},
             "DDCC",
             150},
        Case{"PacketsRankBf16",
             {.world = {.shape = Packets(With(kWays[3], {3, 4, 640, 3, 4, kBf16})),
                        .tokens_of_rank = {2, 4, 3},
                        .empty_percent = 30}},
             "DCDC",
             150},
        Case{"PacketsQuantisedBefore",
             {.world = {.shape = Packets(Outside({3, 5, 648, 3, 4, kFp8})),
                        .tokens_of_rank = {5, 2, 4}}},
             "DCDC",
             150},
        Case{"PacketsEightRanksTop32",
             {.world = {.shape = Packets({8, 2, 264, 6, 32, kBf16})}, .crews = 1},
             "DCDC",
             30},
        Case{"PacketsOneRank",
             {.world = {.shape = Packets({1, 9, 512, 5, 5, kBf16})}},
             "DCDC",
             200}),
    [](const auto& info) { return info.param.name; });

TEST(RandomShapes, AreRight) {
  for (const uint64_t seed : Seeds(1, 1000)) {
    RandomCase drawn = DrawCase(seed);
    Shape& shape = drawn.config.world.shape;
    shape.packets = seed % 3 == 0 && CanPacket(shape);
    const Outcome outcome = SimtWorld<>(drawn.config).Run(seed, drawn.kernels);
    ASSERT_TRUE(outcome.good()) << "EP_SIMT_SEED=" << seed << ": " << outcome.text;
  }
}

}  // namespace
}  // namespace ep::simt
