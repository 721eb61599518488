// All ranks of a run as threads of one process that share a GPU.
#ifndef CSRC_RANK_CUDA_WORLD_TEST_UTIL_H_
#define CSRC_RANK_CUDA_WORLD_TEST_UTIL_H_

#include <cuda_runtime_api.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <cstdlib>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "csrc/rank/chunks.h"
#include "csrc/rank/cuda_engine.h"
#include "csrc/rank/gpus.h"
#include "csrc/rank/region_config.h"
#include "csrc/rank/world_test_util.h"
#include "csrc/region/cuda_region.h"

namespace ep {

inline void ExpectOk(const Status& status) { EXPECT_TRUE(status.ok()) << status.text(); }

// For a rank of GPU 0.
inline std::unique_ptr<Region> MakeGpuRegion(const Shape& shape, uint32_t rank,
                                             uint32_t landing_rows = 0) {
  EXPECT_EQ(cudaSetDevice(0), cudaSuccess);
  Result<std::unique_ptr<CudaRegion>> region =
      CudaRegion::Create(MakeRegionConfig(ChunkedForGpu(shape), rank, 0, landing_rows).bytes);
  EXPECT_TRUE(region.ok()) << region.status().text();
  return *std::move(region);
}

inline ep_choices OnSms(uint32_t sms) {
  ep_choices choices = {};
  choices.sms = sms;
  return choices;
}

inline ep_choices WithKernel(ep_kernel kernel) {
  ep_choices choices = {};
  choices.kernel = kernel;
  return choices;
}

class GpuWorld {
 public:
  // Makes the region of a rank of a shape that is cut into chunks.
  using MakeRegion = std::function<std::unique_ptr<Region>(const RegionConfig&)>;

  // Ranks share the multiprocessors that are chosen.
  explicit GpuWorld(WorldConfig config, ep_choices choices = {}, const MakeRegion& make = nullptr) {
    config.shape = ShapeForGpu(config.shape, choices, make == nullptr);
    const Shape& shape = config.shape;
    EXPECT_EQ(Problem(shape), nullptr);
    reference::Routing routing = RandomRouting(config);
    routing.weights = RandomWeights(config);
    std::vector<std::vector<uint8_t>> blobs;
    for (uint32_t rank = 0; rank < shape.ranks; ++rank) {
      std::unique_ptr<CudaEngine> engine;
      ExpectOk(CudaEngine::Create(
          {.rank = rank,
           .wait_timeout_ns = config.wait_timeout_ns,
           .routing = routing,
           .weights = routing.Weights(rank, 0, 0),
           .choices = choices},
          {.gpu = 0, .ranks_on_gpu = shape.ranks},
          make ? make(MakeRegionConfig(shape, rank, 0)) : MakeGpuRegion(shape, rank), &engine));
      blobs.push_back(engine->Blob());
      engines_.push_back(std::move(engine));
    }
    std::vector<std::span<const uint8_t>> spans(blobs.begin(), blobs.end());
    ForAll([&](CudaEngine& engine, uint32_t) { ExpectOk(engine.Connect(spans)); });
  }

  CudaEngine& engine(uint32_t rank) { return *engines_[rank]; }

  // Calls body(engine, rank) for all ranks at once.
  void ForAll(const std::function<void(CudaEngine&, uint32_t)>& body) {
    std::vector<std::thread> threads;
    for (uint32_t rank = 0; rank < engines_.size(); ++rank) {
      threads.emplace_back([&, rank] { body(*engines_[rank], rank); });
    }
    for (std::thread& thread : threads) thread.join();
  }
  void Run(Operations operations, uint64_t iterations = 1) {
    ForAll([&](CudaEngine& engine, uint32_t) {
      ExpectOk(engine.Run(operations, iterations, nullptr));
    });
  }
  // One dispatch, then the expert outputs that combines need.
  void Begin() {
    Run(kDispatch);
    ForAll([](CudaEngine& engine, uint32_t) { ExpectOk(engine.MakeExpertRows()); });
  }
  void Poison() {
    ForAll([](CudaEngine& engine, uint32_t) { ExpectOk(engine.Poison()); });
  }
  void ExpectRight(Operations operations, const std::string& where) {
    ForAll([&](CudaEngine& engine, uint32_t rank) {
      Findings found;
      ExpectOk(engine.Check(operations, &found));
      EXPECT_EQ(found.wrong, 0u) << where << ", rank " << rank << ": kind "
                                 << static_cast<int>(found.kind) << ", source " << found.source_rank
                                 << ", token " << found.token << ", expert " << found.expert
                                 << ", channel " << found.channel << ", got " << found.got
                                 << ", want " << found.want << ", rows " << found.rows;
    });
  }

 private:
  std::vector<std::unique_ptr<CudaEngine>> engines_;
};

class OneGpu : public ::testing::Test {
 protected:
  // A stream must not wait behind another's in the same queue of the driver: their kernels wait for
  // each other. Ranks that are processes have queues of their own.
  static void SetUpTestSuite() { setenv("CUDA_DEVICE_MAX_CONNECTIONS", "32", 0); }

  void SetUp() override {
    uint32_t gpus = 0;
    const Status status = CountGpus(&gpus);
    if (gpus == 0) GTEST_SKIP() << "skipped: no device: " << status.text();
  }
};

// All kinds of operations leave what they must, on `sms` multiprocessors; 0: on all.
inline void ExpectRightRows(const WorldConfig& config, const std::string& name,
                            ep_choices choices = {}, const GpuWorld::MakeRegion& make = nullptr) {
  GpuWorld world(config, choices, make);
  world.Begin();
  for (const Operations operations : {kDispatch, kCombine, kBoth}) {
    world.Run(operations, 3);  // unchecked: ranks run ahead of each other
    world.Poison();
    world.Run(operations);
    world.ExpectRight(operations, name);
  }
}

}  // namespace ep

#endif  // CSRC_RANK_CUDA_WORLD_TEST_UTIL_H_
