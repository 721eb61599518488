// Every run of every shape is right, whatever the workers' relative speed: random shapes, uneven
// ranks, one to three threads a rank, and delays between the protocol's steps.
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <iterator>
#include <random>
#include <thread>

#include "csrc/rank/cpu_engine.h"
#include "csrc/rank/world_test_util.h"

namespace ep {
namespace {

// Stops now and then before each step that a peer may see.
class DelayedDevice : public HostDevice {
 public:
  using HostDevice::HostDevice;

  void PutRow(const Row& row, uint8_t* payload, float* scales) {
    MaybeWait();
    HostDevice::PutRow(row, payload, scales);
  }
  void Write(uint8_t* to, const Held& held) {
    MaybeWait();
    HostDevice::Write(to, held);
  }
  template <class RowOf, class WeightOf>
  void SumWeighted(Bf16* out, uint32_t channels, uint32_t count, RowOf row_of, WeightOf weight_of) {
    MaybeWait();
    HostDevice::SumWeighted(out, channels, count, row_of, weight_of);
  }
  template <class RowOf>
  void SumPartials(Bf16* out, uint32_t channels, uint32_t count, uint32_t own, const Bf16* fast,
                   RowOf row_of) {
    MaybeWait();
    HostDevice::SumPartials(out, channels, count, own, fast, row_of);
  }
  void RaiseFlag(const RankContext& context, const Message& message) {
    MaybeWait();
    HostDevice::RaiseFlag(context, message);
  }

  std::minstd_rand random;

 private:
  void MaybeWait() {
    const uint32_t draw = static_cast<uint32_t>(random()) % 64;
    if (draw == 0) std::this_thread::sleep_for(std::chrono::microseconds(random() % 50));
    if (draw == 1) std::this_thread::yield();
  }
};

WorldConfig RandomConfig(uint32_t seed) {
  std::mt19937 random(seed);
  const auto between = [&](uint32_t low, uint32_t high) {
    return std::uniform_int_distribution<uint32_t>(low, high)(random);
  };
  WorldConfig config = {.shape = {}, .seed = seed};
  Shape& shape = config.shape;
  shape.ranks = between(1, 8);
  shape.tokens = between(1, 24);
  switch (seed % 16) {
    case 0: shape.hidden = 8192; break;
    case 1: shape.hidden = 2880; break;
    case 2: shape.hidden = kHiddenMultiple; break;
    default: shape.hidden = kHiddenMultiple * between(1, 150);
  }
  shape.experts_per_rank = between(1, 11);
  shape.topk = between(1, std::min(kMaxTopk, shape.Experts()));
  shape.dtype = between(0, 1) == 0 ? Dtype::kFp8 : Dtype::kBf16;
  shape = With(kWays[seed % std::size(kWays)], shape);
  if (shape.dtype == Dtype::kFp8 && between(0, 2) == 0) shape.quantize = Quantize::kOutside;
  config.threads = between(1, 3);
  config.empty_percent = between(0, 2) == 0 ? between(1, 99) : 0;
  if (between(0, 1) == 0) {
    for (uint32_t rank = 0; rank < shape.ranks; ++rank) {
      config.tokens_of_rank.push_back(between(0, 3) == 0 ? 0 : between(0, shape.tokens));
    }
  }
  return config;
}

class RandomRuns : public ::testing::TestWithParam<uint32_t> {};

TEST_P(RandomRuns, AreRight) {
  const WorldConfig config = RandomConfig(GetParam());
  World<DelayedDevice> world(config);
  for (uint32_t rank = 0; rank < config.shape.ranks; ++rank) {
    for (uint32_t worker = 0; worker < config.threads; ++worker) {
      world.engine(rank).device(worker).random.seed(GetParam() * 256 + rank * 4 + worker + 1);
    }
  }
  world.Begin();
  std::mt19937 random(GetParam());
  for (int round = 0; round < 4; ++round) {
    // Any mixture, unchecked in between: ranks run ahead of each other there.
    for (uint32_t i = random() % 3; i > 0; --i) {
      World<DelayedDevice>::ExpectOk(
          world.Run(random() % 2 ? kDispatch : kCombine, 1 + random() % 3));
    }
    const std::vector<Findings> findings = world.RunChecked(kBoth);
    for (uint32_t rank = 0; rank < config.shape.ranks; ++rank) {
      EXPECT_EQ(findings[rank].wrong, 0u) << "rank " << rank << ", round " << round;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, RandomRuns, ::testing::Range(1u, 97u));

}  // namespace
}  // namespace ep
