// All ranks of a run as threads of one process, for tests of the engine.
#ifndef CSRC_RANK_WORLD_TEST_UTIL_H_
#define CSRC_RANK_WORLD_TEST_UTIL_H_

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <random>
#include <thread>
#include <utility>
#include <vector>

#include "csrc/rank/cpu_engine.h"
#include "csrc/rank/region_config.h"
#include "csrc/region/shm_region.h"

namespace ep {

struct WorldConfig {
  Shape shape;
  // One a rank; shape.tokens on each if empty.
  std::vector<uint32_t> tokens_of_rank = {};
  // Of 100 selections, how many are -1.
  uint32_t empty_percent = 0;
  uint64_t wait_timeout_ns = 10'000'000'000;
  uint64_t seed = 7;
  // Workers of each rank.
  uint32_t threads = 1;
  // Threads of each that make, poison and check rows.
  uint32_t host_threads = 1;
};

inline constexpr Operations kDispatch = {.dispatch = true, .combine = false};
inline constexpr Operations kCombine = {.dispatch = false, .combine = true};
inline constexpr Operations kBoth = {.dispatch = true, .combine = true};

// Different experts for every token, uniformly; some selections dropped.
inline reference::Routing RandomRouting(const WorldConfig& config) {
  const Shape& shape = config.shape;
  reference::Routing routing = {shape, config.seed, config.tokens_of_rank, {}};
  if (routing.tokens_of_rank.empty()) routing.tokens_of_rank.assign(shape.ranks, shape.tokens);
  std::mt19937 random(static_cast<uint32_t>(config.seed));
  std::vector<int32_t> experts(shape.Experts());
  for (uint32_t x = 0; x < experts.size(); ++x) experts[x] = static_cast<int32_t>(x);
  for (uint64_t token = 0; token < uint64_t{shape.ranks} * shape.tokens; ++token) {
    std::ranges::shuffle(experts, random);
    for (uint32_t j = 0; j < shape.topk; ++j) {
      routing.topk_idx.push_back(random() % 100 < config.empty_percent ? -1 : experts[j]);
    }
  }
  return routing;
}

// Of all ranks, [ranks, kSets, tokens, topk].
inline std::vector<float> RandomWeights(const WorldConfig& config) {
  const Shape& shape = config.shape;
  std::mt19937 random(static_cast<uint32_t>(config.seed) + 1);
  std::vector<float> weights(uint64_t{shape.ranks} * kSets * shape.tokens * shape.topk);
  for (float& weight : weights) weight = 0.1f + static_cast<float>(random() % 1000) / 1000.0f;
  return weights;
}

// Every layout with every way to combine that it has.
struct Way {
  const char* name;
  OutputLayout layout;
  CombineSum sum;
};
inline constexpr Way kWays[] = {
    {"expert", OutputLayout::kExpert, CombineSum::kRank},
    {"contig", OutputLayout::kContig, CombineSum::kRank},
    {"flat", OutputLayout::kFlat, CombineSum::kRank},
    {"rank", OutputLayout::kRank, CombineSum::kRank},
    {"expert, combined by expert", OutputLayout::kExpert, CombineSum::kExpert},
    {"contig, combined by expert", OutputLayout::kContig, CombineSum::kExpert},
};
constexpr Shape With(const Way& way, Shape shape) {
  shape.layout = way.layout;
  shape.sum = way.sum;
  return shape;
}

// Ranks of one process use each other's memory as it is.
inline std::unique_ptr<Region> MakeSharedRegion(const RegionConfig& config) {
  Result<std::unique_ptr<ShmRegion>> region = ShmRegion::Create(config.bytes);
  EXPECT_TRUE(region.ok()) << region.status().text();
  return *std::move(region);
}

template <class Device>
class World {
 public:
  using Engine = BasicCpuEngine<Device>;

  explicit World(const WorldConfig& config) : World(config, RandomRouting(config)) {}

  World(const WorldConfig& config, reference::Routing routing,
        const std::function<std::unique_ptr<Region>(const RegionConfig&)>& make_region =
            MakeSharedRegion) {
    const Shape& shape = config.shape;
    EXPECT_EQ(Problem(shape), nullptr);
    routing.weights = RandomWeights(config);
    const Shape chunked = ChunkedForThreads(shape, config.threads);
    std::vector<std::vector<uint8_t>> blobs;
    for (uint32_t rank = 0; rank < shape.ranks; ++rank) {
      const RankConfig of_rank = {.rank = rank,
                                  .wait_timeout_ns = config.wait_timeout_ns,
                                  .routing = routing,
                                  .weights = routing.Weights(rank, 0, 0),
                                  .host_threads = config.host_threads};
      const CpuConfig cpu = {.threads = config.threads, .oversubscribed = true};
      std::unique_ptr<Engine> engine;
      ExpectOk({Engine::Create(of_rank, cpu,
                               make_region(MakeRegionConfig(chunked, rank, config.wait_timeout_ns)),
                               &engine)});
      blobs.push_back(engine->Blob());
      engines_.push_back(std::move(engine));
    }
    for (auto& engine : engines_) ExpectOk({engine->Connect({blobs.begin(), blobs.end()})});
  }

  // One dispatch, then the expert outputs that combines need.
  void Begin() {
    ExpectOk(Run(kDispatch));
    for (auto& engine : engines_) ExpectOk({engine->MakeExpertRows()});
  }

  // Runs the operations on all ranks at once and returns how each rank ended.
  std::vector<Status> Run(Operations operations, uint64_t iterations = 1) {
    return OnAll([&](Engine& engine) { return engine.Run(operations, iterations, nullptr); });
  }
  // The same of flags-only epochs.
  std::vector<Status> RunFlags(uint64_t iterations) {
    return OnAll([&](Engine& engine) { return engine.RunFlags(iterations, nullptr); });
  }

  // Poisons, runs once and checks on all ranks; one Findings a rank.
  std::vector<Findings> RunChecked(Operations operations) {
    for (auto& engine : engines_) ExpectOk({engine->Poison()});
    ExpectOk(Run(operations));
    std::vector<Findings> findings(engines_.size());
    for (size_t rank = 0; rank < engines_.size(); ++rank) {
      ExpectOk({engines_[rank]->Check(operations, &findings[rank])});
    }
    return findings;
  }

  static void ExpectOk(const std::vector<Status>& statuses) {
    for (const Status& status : statuses) EXPECT_TRUE(status.ok()) << status.text();
  }

  Engine& engine(uint32_t rank) { return *engines_[rank]; }

 private:
  std::vector<Status> OnAll(const std::function<Status(Engine&)>& body) {
    std::vector<Status> statuses(engines_.size());
    std::vector<std::thread> threads;
    for (size_t rank = 0; rank < engines_.size(); ++rank) {
      threads.emplace_back([&, rank] { statuses[rank] = body(*engines_[rank]); });
    }
    for (std::thread& thread : threads) thread.join();
    return statuses;
  }

  std::vector<std::unique_ptr<Engine>> engines_;
};

inline uint64_t WrongRows(const std::vector<Findings>& findings) {
  uint64_t wrong = 0;
  for (const Findings& found : findings) wrong += found.wrong;
  return wrong;
}

}  // namespace ep

#endif  // CSRC_RANK_WORLD_TEST_UTIL_H_
