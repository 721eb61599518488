// The kernels' bodies are right under every schedule tried, with every store as late as the rules
// let it be: thousands of seeds over shapes that reach all branches.
//
// A failure names its seed. To run that one alone:
//   tools/bazelw test //csrc/simt:schedules_test --test_env=EP_SIMT_SEED=123 --test_filter=…
#include <gtest/gtest.h>

#include <chrono>
#include <string>

#include "csrc/simt/world_test_util.h"

namespace ep::simt {
namespace {

struct Case {
  const char* name;
  SimtConfig config;
  const char* kernels;
  uint64_t seeds;
};

void PrintTo(const Case& test, std::ostream* out) { *out << test.name; }

class Schedules : public ::testing::TestWithParam<Case> {};

TEST_P(Schedules, AreRight) {
  const Case& test = GetParam();
  SimtWorld<> world(test.config);
  const auto begin = std::chrono::steady_clock::now();
  uint64_t steps = 0;
  uint64_t runs = 0;
  for (const uint64_t seed : Seeds(1, test.seeds)) {
    const Outcome outcome = world.Run(seed, test.kernels);
    steps += world.Steps();
    ++runs;
    ASSERT_TRUE(outcome.good()) << "EP_SIMT_SEED=" << seed << ": " << outcome.text;
    ASSERT_GT(outcome.findings.rows, 0u);
  }
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
  RecordProperty("schedules", std::to_string(runs));
  std::printf("%s: %.0f schedules/s, %.0f ns a step, %.0f steps each\n", test.name,
              static_cast<double>(runs) / took.count(), 1e9 * took.count() / static_cast<double>(steps),
              static_cast<double>(steps) / static_cast<double>(runs));
}

constexpr Dtype kFp8 = Dtype::kFp8;
constexpr Dtype kBf16 = Dtype::kBf16;

INSTANTIATE_TEST_SUITE_P(
    Cases, Schedules,
    ::testing::Values(
        // Shapes are ranks, tokens, hidden, experts a rank, top-k.
        Case{"TwoRanksFp8", {.world = {.shape = {2, 6, 256, 4, 4, kFp8}}}, "DCDDC", 400},
        Case{"UnevenBf16",
             {.world = {.shape = {3, 8, 640, 3, 4, kBf16},
                        .tokens_of_rank = {8, 0, 3},
                        .empty_percent = 40},
              .dispatch_blocks = 3},
             "DDCC", 300},
        Case{"FourRanksFp8",
             {.world = {.shape = {4, 4, 1280, 3, 6, kFp8}, .tokens_of_rank = {4, 2, 4, 1}},
              .combine_blocks = 3},
             "DCDC", 100},
        Case{"NobodySendsAnything",
             {.world = {.shape = {3, 4, 256, 2, 2, kBf16}, .empty_percent = 100}},
             "DCDCDC", 200},
        Case{"AcrossTheWrap",
             {.world = {.shape = {3, 5, 256, 2, 3, kFp8}, .empty_percent = 20},
              .before = 0xFFFFFFFD},
             "DCDCDDCC", 200},
        Case{"OneRank", {.world = {.shape = {1, 9, 512, 5, 5, kBf16}}}, "DCDC", 100},
        Case{"SeveralTiles",
             {.world = {.shape = {2, 300, 128, 3, 2, kBf16}, .tokens_of_rank = {300, 200}},
              .dispatch_blocks = 3},
             "DCD", 10}),
    [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace ep::simt
