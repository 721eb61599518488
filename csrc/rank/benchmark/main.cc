// How close the CPU engine comes to the memory: each operation beside the copies it cannot do
// without, in the same processes, over the same buffers, in turns.
//
//   bazel run //csrc/rank/benchmark            the shapes of docs/method.md
//   bazel run //csrc/rank/benchmark -- ROUNDS
//
// A round times a few iterations of the engine and as many of the floor, all ranks at once; what
// counts of either is the slowest rank. Printed are medians over rounds and their ratio.
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>

#include <algorithm>
#include <memory>
#include <numeric>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "csrc/rank/benchmark/floor.h"
#include "csrc/rank/benchmark/team.h"
#include "csrc/rank/cpu_engine.h"
#include "csrc/region/shm_region.h"

namespace ep {
namespace {

struct Bench {
  const char* name;
  Shape shape;
  // Nothing is selected: an epoch is nothing but flags.
  bool flags_only = false;
};

constexpr Bench kBenches[] = {
    {"flags only", {8, 1, 128, 8, 2, Dtype::kBf16}, true},
    {"T4096 H4096 E8/rank k2", {2, 4096, 4096, 8, 2, Dtype::kBf16}},
    {"T4096 H4096 E8/rank k2", {2, 4096, 4096, 8, 2, Dtype::kFp8}},
    {"T128 H7168 E36/rank k8", {8, 128, 7168, 36, 8, Dtype::kBf16}},
    {"T128 H7168 E36/rank k8", {8, 128, 7168, 36, 8, Dtype::kFp8}},
    {"T512 H4096 E8/rank k2", {8, 512, 4096, 8, 2, Dtype::kFp8}},
};

uint32_t UsableCpus() {
  cpu_set_t cpus;
  return sched_getaffinity(0, sizeof(cpus), &cpus) == 0 ? static_cast<uint32_t>(CPU_COUNT(&cpus))
                                                        : 1;
}

void Require(const Status& status) {
  if (status.ok()) return;
  fprintf(stderr, "benchmark: %s\n", status.text().c_str());
  exit(1);
}

reference::Routing UniformRouting(const Bench& bench) {
  const Shape& shape = bench.shape;
  reference::Routing routing = {shape, 1, std::vector<uint32_t>(shape.ranks, shape.tokens), {}};
  std::mt19937 random(1);
  std::vector<int32_t> experts(shape.Experts());
  std::iota(experts.begin(), experts.end(), 0);
  for (uint64_t token = 0; token < uint64_t{shape.ranks} * shape.tokens; ++token) {
    std::ranges::shuffle(experts, random);
    for (uint32_t j = 0; j < shape.topk; ++j) {
      routing.topk_idx.push_back(bench.flags_only ? -1 : experts[j]);
    }
  }
  return routing;
}

std::unique_ptr<CpuEngine> Connect(Team& team, uint32_t rank, const Bench& bench) {
  const std::vector<float> weights(uint64_t{kSets} * bench.shape.tokens * bench.shape.topk, 0.5f);
  const Shape chunked = ChunkedForThreads(bench.shape, 1);
  Result<std::unique_ptr<ShmRegion>> region = ShmRegion::Create(Layout(chunked).SizeBytes());
  Require(region.status());
  std::unique_ptr<CpuEngine> engine;
  Require(CpuEngine::Create({.rank = rank,
                             .wait_timeout_ns = 60'000'000'000,
                             .routing = UniformRouting(bench),
                             .weights = weights.data()},
                            {.oversubscribed = UsableCpus() < bench.shape.ranks},
                            *std::move(region), &engine));
  const std::vector<uint8_t> blob = engine->Blob();
  team.blobs()[rank].size = static_cast<uint32_t>(blob.size());
  std::ranges::copy(blob, team.blobs()[rank].bytes);
  team.Meet();
  std::vector<std::span<const uint8_t>> blobs;
  for (uint32_t peer = 0; peer < bench.shape.ranks; ++peer) {
    blobs.emplace_back(team.blobs()[peer].bytes, team.blobs()[peer].size);
  }
  Require(engine->Connect(blobs));
  team.Meet();
  Require(engine->Run({.dispatch = true, .combine = false}, 1, nullptr));
  Require(engine->MakeExpertRows());
  return engine;
}

uint64_t Median(std::vector<uint64_t> values) {
  std::ranges::nth_element(values, values.begin() + static_cast<ptrdiff_t>(values.size() / 2));
  return values[values.size() / 2];
}

struct Medians {
  double engine_us;
  double floor_us;
};

// Times `engine` and `floor`, each a body of one iteration, in turns.
template <class EngineBody, class FloorBody>
Medians Compare(Team& team, uint32_t rank, uint32_t rounds, EngineBody engine, FloorBody floor) {
  uint32_t iterations = 1;
  const auto timed = [&](auto body) {
    team.Meet();
    const uint64_t begin_ns = MonotonicNs();
    for (uint32_t i = 0; i < iterations; ++i) body(i);
    return team.Max(rank, (MonotonicNs() - begin_ns) / iterations);
  };
  // Both banks and all sets are touched once; then a round takes some 20 ms.
  for (int i = 0; i < 6; ++i) timed(engine), timed(floor);
  iterations = static_cast<uint32_t>(std::clamp<uint64_t>(20'000'000 / timed(engine), 3, 2000));
  std::vector<uint64_t> engine_ns, floor_ns;
  for (uint32_t round = 0; round < rounds; ++round) {
    engine_ns.push_back(timed(engine));
    floor_ns.push_back(timed(floor));
  }
  return {static_cast<double>(Median(engine_ns)) * 1e-3,
          static_cast<double>(Median(floor_ns)) * 1e-3};
}

void Print(uint32_t rank, const Bench& bench, const char* operation, const Medians& medians) {
  if (rank != 0) return;
  const char* dtype = bench.shape.dtype == Dtype::kFp8 ? "fp8" : "bf16";
  printf("%-24s %5u %-5s %-9s %10.1f %10.1f %7.2f\n", bench.name, bench.shape.ranks, dtype,
         operation, medians.engine_us, medians.floor_us, medians.engine_us / medians.floor_us);
  fflush(stdout);
}

void RunBench(Team& team, uint32_t rank, const Bench& bench, uint32_t rounds) {
  const std::unique_ptr<CpuEngine> engine = Connect(team, rank, bench);
  Floor floor(engine.get());
  const auto run = [&](Operations operations) {
    return [&, operations](uint32_t) { Require(engine->Run(operations, 1, nullptr)); };
  };
  Print(rank, bench, "dispatch",
        Compare(team, rank, rounds, run({.dispatch = true, .combine = false}),
                [&](uint32_t i) { floor.Dispatch(i % kSets); }));
  // A BF16 run has the same combine.
  if (bench.shape.dtype == Dtype::kFp8 && !bench.flags_only) return;
  Print(rank, bench, "combine",
        Compare(team, rank, rounds, run({.dispatch = false, .combine = true}),
                [&](uint32_t i) { floor.Combine(i % kSets); }));
}

}  // namespace
}  // namespace ep

int main(int argc, char** argv) {
  const int rounds = argc > 1 ? atoi(argv[1]) : 21;
  if (rounds < 1) {
    fprintf(stderr, "usage: benchmark [ROUNDS]\n");
    return 2;
  }
  printf("%u CPUs, medians of %d rounds, slowest rank\n", ep::UsableCpus(), rounds);
  printf("%-24s %5s %-5s %-9s %10s %10s %7s\n", "shape", "ranks", "dtype", "operation", "engine us",
         "floor us", "ratio");
  for (const ep::Bench& bench : ep::kBenches) {
    const bool good = ep::Team::Run(bench.shape.ranks, [&](ep::Team& team, uint32_t rank) {
      ep::RunBench(team, rank, bench, static_cast<uint32_t>(rounds));
    });
    if (!good) {
      fprintf(stderr, "benchmark: a rank of '%s' failed\n", bench.name);
      return 1;
    }
  }
  return 0;
}
