#include "csrc/rank/meter_result.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <vector>

namespace ep {
namespace {

using kernels::MeterReport;
using ::testing::HasSubstr;

TEST(MeterResultTest, ARoundIsTheInverseOfTheMeanRate) {
  // A tile in 10 ns, and one in 40.
  const std::vector<MeterReport> workers = {
      {.tiles = 9, .counted = 4, .counted_ns = 40, .sum = 0, .sm = 0, .ended = 1},
      {.tiles = 9, .counted = 2, .counted_ns = 80, .sum = 0, .sm = 0, .ended = 1}};
  Result<double> round = MeterRoundNs(workers);
  ASSERT_TRUE(round.ok());
  EXPECT_DOUBLE_EQ(*round, 16);
}

TEST(MeterResultTest, WhatWasNotCountedToTheEndIsNoFigure) {
  MeterReport worker = {.tiles = 9, .counted = 4, .counted_ns = 40, .sum = 0, .sm = 0, .ended = 0};
  EXPECT_THAT(MeterRoundNs({&worker, 1}).status().text(), HasSubstr("it left"));
  worker = {.tiles = 9, .counted = 0, .counted_ns = 0, .sum = 0, .sm = 0, .ended = 1};
  EXPECT_THAT(MeterRoundNs({&worker, 1}).status().text(), HasSubstr("counted nothing"));
}

TEST(MeterResultTest, AProductThatIsNotDoneIsSeen) {
  MeterReport worker = {.tiles = 3, .counted = 2, .counted_ns = 1, .sum = 0, .sm = 0, .ended = 1};
  worker.sum = 3 * kernels::GemmTileSum();
  EXPECT_TRUE(CheckGemm({&worker, 1}).ok());
  --worker.sum;
  EXPECT_EQ(CheckGemm({&worker, 1}).code(), Code::kSystem);
}

// As the instruction multiplies, element by element: of each row and column, all channels.
TEST(MeterResultTest, TheSumOfATileIsThatOfItsProducts) {
  constexpr uint32_t kOfStep = kernels::kGemmValues / kernels::kGemmSteps;
  uint64_t sum = 0;
  for (uint32_t step = 0; step < kernels::kGemmSteps; ++step) {
    uint64_t first[64][16] = {};
    uint64_t second[16][64] = {};
    for (uint32_t i = 0; i < kOfStep; ++i) {
      const uint32_t vector = i / 256, group = i / 8 % 32 / 4, pair = 2 * (i / 8 % 4) + i % 2;
      const uint32_t word = i / 2 % 4;
      first[16 * vector + group + 8 * (word % 2)][pair + 8 * (word / 2)] =
          kernels::GemmValue(0, step * kOfStep + i);
      second[pair + 8 * (word % 2)][16 * vector + 8 * (word / 2) + group] =
          kernels::GemmValue(1, step * kOfStep + i);
    }
    for (uint32_t row = 0; row < 64; ++row) {
      for (uint32_t column = 0; column < 64; ++column) {
        for (uint32_t k = 0; k < 16; ++k) sum += first[row][k] * second[k][column];
      }
    }
  }
  EXPECT_EQ(kernels::GemmTileSum(), sum);
  EXPECT_GT(sum, 64u * 64 * kernels::kGemmDepth) << "most products are not 0";
  EXPECT_LT(6u * 6 * kernels::kGemmDepth * 128, 1u << 24) << "a lane's sum is exact in fp32";
}

TEST(MeterResultTest, ATileThatIsNotWrittenIsSeen) {
  const std::vector<MeterReport> workers = {
      {.tiles = 5, .counted = 1, .counted_ns = 1, .sum = 0, .sm = 0, .ended = 1},
      {.tiles = 3, .counted = 1, .counted_ns = 1, .sum = 0, .sm = 0, .ended = 1}};
  std::vector<uint32_t> words = {2, 2, 1, 1, 1, 1};
  EXPECT_TRUE(CheckStream(workers, 3, words).ok());
  for (uint32_t& word : words) {
    --word;
    EXPECT_EQ(CheckStream(workers, 3, words).code(), Code::kSystem);
    ++word;
  }
}

}  // namespace
}  // namespace ep
