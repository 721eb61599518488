// What a run spends on anything but operations: making rows, poisoning outputs, checking them.
//
//   bazel run //csrc/rank/benchmark:check [-- TOKENS]
//
// Two ranks of one process, hidden 7168, top-8 of 256 experts. Printed is what rank 0 takes for
// each step in seconds, of wall time and of CPU time; the latter counts on a machine with other
// users, and is the calling thread's.
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <algorithm>
#include <memory>
#include <numeric>
#include <random>
#include <thread>
#include <utility>
#include <vector>

#include "csrc/rank/cpu_engine.h"
#include "csrc/region/shm_region.h"

namespace ep {
namespace {

constexpr uint32_t kRanks = 2;
constexpr Operations kBoth = {.dispatch = true, .combine = true};

void Require(const Status& status) {
  if (status.ok()) return;
  fprintf(stderr, "check: %s\n", status.text().c_str());
  exit(1);
}

reference::Routing UniformRouting(const Shape& shape) {
  reference::Routing routing = {shape, 1, std::vector<uint32_t>(shape.ranks, shape.tokens), {}};
  std::mt19937 random(1);
  std::vector<int32_t> experts(shape.Experts());
  std::iota(experts.begin(), experts.end(), 0);
  for (uint64_t token = 0; token < uint64_t{shape.ranks} * shape.tokens; ++token) {
    for (uint32_t j = 0; j < shape.topk; ++j) {
      std::swap(experts[j], experts[j + random() % (experts.size() - j)]);
      routing.topk_idx.push_back(experts[j]);
    }
  }
  routing.weights.assign(kSets * routing.topk_idx.size(), 0.125f);
  return routing;
}

double Seconds(clockid_t clock) {
  timespec now = {};
  clock_gettime(clock, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

template <class Body>
void Timed(const char* what, Body body) {
  const double wall = Seconds(CLOCK_MONOTONIC);
  const double cpu = Seconds(CLOCK_THREAD_CPUTIME_ID);
  body();
  printf("  %-28s %8.3f %8.3f\n", what, Seconds(CLOCK_MONOTONIC) - wall,
         Seconds(CLOCK_THREAD_CPUTIME_ID) - cpu);
}

using Engines = std::vector<std::unique_ptr<CpuEngine>>;

void RunAll(const Engines& engines, Operations operations) {
  std::vector<std::thread> threads;
  for (const auto& engine : engines) {
    threads.emplace_back([&] { Require(engine->Run(operations, 1, nullptr)); });
  }
  for (std::thread& thread : threads) thread.join();
}

void RunShape(const char* name, const Shape& shape) {
  printf("%s %10s %8s\n", name, "wall s", "CPU s");
  const reference::Routing routing = UniformRouting(shape);
  Engines engines(kRanks);
  const uint64_t bytes = Layout(ChunkedForThreads(shape, 1)).SizeBytes();
  std::vector<std::vector<uint8_t>> blobs;
  for (uint32_t rank = 0; rank < kRanks; ++rank) {
    const auto create = [&] {
      Result<std::unique_ptr<ShmRegion>> region = ShmRegion::Create(bytes);
      Require(region.status());
      Require(CpuEngine::Create({.rank = rank,
                                 .wait_timeout_ns = 60'000'000'000,
                                 .routing = routing,
                                 .weights = routing.Weights(rank, 0, 0)},
                                {.oversubscribed = true, .flush_bytes = 256'000'000},
                                *std::move(region), &engines[rank]));
    };
    rank == 0 ? Timed("create, make inputs", create) : create();
    blobs.push_back(engines[rank]->Blob());
  }
  for (const auto& engine : engines) Require(engine->Connect({blobs.begin(), blobs.end()}));
  RunAll(engines, {.dispatch = true, .combine = false});
  for (const auto& engine : engines) {
    const auto make = [&] { Require(engine->MakeExpertRows()); };
    engine == engines[0] ? Timed("make experts' rows", make) : make();
  }
  for (int epoch = 0; epoch < 5; ++epoch) {
    Timed("poison", [&] { Require(engines[0]->Poison()); });
    RunAll(engines, kBoth);
    Findings found;
    Timed("check dispatch",
          [&] { Require(engines[0]->Check({.dispatch = true, .combine = false}, &found)); });
    Timed("check combine",
          [&] { Require(engines[0]->Check({.dispatch = false, .combine = true}, &found)); });
    if (found.wrong != 0) Require({Code::kProtocol, "rows are wrong"});
  }
  Timed("flush caches", [&] { Require(engines[0]->FlushCaches()); });
}

}  // namespace
}  // namespace ep

int main(int argc, char** argv) {
  const int tokens = argc > 1 ? atoi(argv[1]) : 4096;
  if (tokens < 1 || tokens > static_cast<int>(ep::kMaxTokens)) {
    fprintf(stderr, "usage: check [TOKENS]\n");
    return 2;
  }
  ep::Shape shape = {ep::kRanks, static_cast<uint32_t>(tokens), 7168, 128, 8, ep::Dtype::kFp8};
  ep::RunShape("layout expert", shape);
  shape.layout = ep::OutputLayout::kFlat;
  ep::RunShape("layout flat", shape);
  return 0;
}
