// Worlds to run many schedules of, named ones and drawn ones.
#ifndef CSRC_SIMT_CASES_TEST_UTIL_H_
#define CSRC_SIMT_CASES_TEST_UTIL_H_

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <iterator>
#include <ostream>
#include <random>
#include <string>
#include <vector>

#include "csrc/simt/world_test_util.h"

namespace ep::simt {

inline constexpr Dtype kFp8 = Dtype::kFp8;
inline constexpr Dtype kBf16 = Dtype::kBf16;

struct Case {
  const char* name;
  SimtConfig config;
  const char* kernels;
  uint64_t seeds;
};

inline void PrintTo(const Case& test, std::ostream* out) { *out << test.name; }

template <class Kernels>
void ExpectRight(const Case& test) {
  SimtWorld<Kernels> world(test.config);
  const std::vector<uint64_t> seeds = Seeds(1, test.seeds);
  const auto begin = std::chrono::steady_clock::now();
  for (const uint64_t seed : seeds) {
    const Outcome outcome = world.Run(seed, test.kernels);
    ASSERT_TRUE(outcome.good()) << "EP_SIMT_SEED=" << seed << ": " << outcome.text;
    ASSERT_GT(outcome.findings.rows, 0u);
  }
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
  std::printf("%zu schedules, %.0f a second\n", seeds.size(),
              static_cast<double>(seeds.size()) / took.count());
}

struct RandomCase {
  SimtConfig config;
  std::string kernels;
};

inline RandomCase DrawCase(uint64_t seed) {
  std::mt19937 random(static_cast<uint32_t>(seed));
  const auto between = [&](uint32_t low, uint32_t high) {
    return std::uniform_int_distribution<uint32_t>(low, high)(random);
  };
  RandomCase drawn = {{.world = {.shape = {}, .seed = seed}}, "D"};
  Shape& shape = drawn.config.world.shape;
  const bool many = between(0, 19) == 0;  // ranks, and then little else
  shape.ranks = many ? between(5, 8) : between(1, 4);
  shape.tokens = between(1, many ? 3 : 8);
  switch (between(0, 5)) {
    case 0: shape.hidden = kHiddenMultiple; break;
    case 1: shape.hidden = 136; break;  // a scale of its last 8 channels
    case 2: shape.hidden = kHiddenMultiple * between(1, 160); break;
    default: shape.hidden = kChannelsPerScale * between(1, 10);
  }
  shape.experts_per_rank = between(0, 9) == 0 ? between(7, 24) : between(1, 6);
  shape.topk = between(1, std::min(kMaxTopk, shape.Experts()));
  shape.dtype = between(0, 1) == 0 ? kFp8 : kBf16;
  shape = With(kWays[seed % std::size(kWays)], shape);
  if (shape.dtype == kFp8 && between(0, 2) == 0) shape.quantize = Quantize::kOutside;
  if (between(0, 3) != 0) shape.chunk_tokens = between(1, 3);
  drawn.config.dispatch_blocks = between(1, many ? 2 : 3);
  drawn.config.combine_blocks = between(1, many ? 2 : 3);
  drawn.config.crews = between(1, many ? 1 : 3);
  drawn.config.before = between(0, 3) == 0 ? 0xFFFFFFFD : between(0, 5);
  if (between(0, 2) == 0) drawn.config.world.empty_percent = between(1, 99);
  if (between(0, 1) == 0) {
    for (uint32_t rank = 0; rank < shape.ranks; ++rank) {
      drawn.config.world.tokens_of_rank.push_back(between(0, shape.tokens));
    }
  }
  for (int i = 0; i < 4; ++i) drawn.kernels += between(0, 1) == 0 ? 'D' : 'C';
  return drawn;
}

}  // namespace ep::simt

#endif  // CSRC_SIMT_CASES_TEST_UTIL_H_
