// The kernels that put, on a GPU: memory of ranks of one process, treated as if it were not mapped.
#include <gtest/gtest.h>

#include <cstdint>
#include <string>

#include "csrc/engine/cuda_world_test_util.h"

namespace ep {
namespace {

using GpuPut = OneGpu;

void ExpectRightInEveryLayout(WorldConfig config) {
  for (const Way& way : kWays) {
    for (const Dtype dtype : {Dtype::kFp8, Dtype::kBf16}) {
      config.shape = With(way, config.shape);
      config.shape.dtype = dtype;
      ExpectRightRows(config, std::string(way.name) + (dtype == Dtype::kFp8 ? " fp8" : " bf16"),
                      /*puts=*/true);
    }
  }
}

TEST_F(GpuPut, TwoRanks) { ExpectRightInEveryLayout({.shape = {2, 32, 1024, 4, 4, Dtype::kFp8}}); }

TEST_F(GpuPut, UnevenAndEmpty) {
  ExpectRightInEveryLayout({.shape = {4, 40, 1280, 5, 6, Dtype::kFp8},
                            .tokens_of_rank = {40, 0, 1, 33},
                            .empty_percent = 30});
}

TEST_F(GpuPut, SeveralTiles) {
  ExpectRightRows({.shape = {4, 700, 512, 8, 8, Dtype::kFp8}}, "tiles", /*puts=*/true);
}

TEST_F(GpuPut, ReplaysGraphs) {
  GpuWorld world({.shape = {4, 64, 2048, 8, 8, Dtype::kFp8}}, /*puts=*/true);
  world.Begin();
  for (const uint64_t captured : {1, 3}) {
    world.Poison();
    world.ForAll([&](CudaEngine& engine, uint32_t) {
      uint64_t duration_ns[3] = {};
      ExpectOk(engine.RunGraph(kBoth, captured, 3, duration_ns));
    });
    world.ExpectRight(kBoth, "after a graph");
  }
}

}  // namespace
}  // namespace ep
