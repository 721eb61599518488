// What the GPUs of this machine can say together: one rank each, threads of one process. Prints for
// every case, in us, the slower rank's median and 95th percentile by the clock of the kernels
// themselves: first block in to last block out.
//
//     gpus [--tokens=1,128] [--sms=0,24] [--layouts=expert,flat] [--hidden=7168] [--topk=8]
//          [--experts=256] [--dtypes=fp8,bf16] [--kernels=auto,long,short,packets]
//          [--iterations=200] [--check]
//
// With --check what each case's last operation left behind is checked, too.
#include "csrc/rank/gpus.h"

#include <cuda_runtime_api.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <map>
#include <memory>
#include <random>
#include <span>
#include <sstream>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "csrc/rank/chunks.h"
#include "csrc/rank/cuda_engine.h"
#include "csrc/region/cuda_region.h"
#include "csrc/region/cuda_status.h"

namespace ep {
namespace {

constexpr uint64_t kSeed = 1;
constexpr Operations kDispatch = {.dispatch = true, .combine = false};
constexpr Operations kCombine = {.dispatch = false, .combine = true};

void Require(const Status& status) {
  if (status.ok()) return;
  std::fprintf(stderr, "gpus: %s\n", status.text().c_str());
  std::exit(1);
}

class Flags {
 public:
  Flags(int argc, char** argv) {
    for (int i = 1; i < argc; ++i) {
      const std::string argument = argv[i];
      const size_t equals = argument.find('=');
      values_[argument.substr(0, equals)] =
          equals == std::string::npos ? "1" : argument.substr(equals + 1);
    }
  }
  std::vector<std::string> List(const std::string& name, const std::string& otherwise) const {
    const auto found = values_.find("--" + name);
    std::stringstream text(found == values_.end() ? otherwise : found->second);
    std::vector<std::string> items;
    for (std::string item; std::getline(text, item, ',');) items.push_back(item);
    return items;
  }
  std::vector<uint32_t> Numbers(const std::string& name, const std::string& otherwise) const {
    std::vector<uint32_t> numbers;
    for (const std::string& item : List(name, otherwise)) {
      numbers.push_back(static_cast<uint32_t>(std::atoi(item.c_str())));
    }
    return numbers;
  }
  uint32_t Number(const std::string& name, const std::string& otherwise) const {
    return Numbers(name, otherwise)[0];
  }

 private:
  std::map<std::string, std::string> values_;
};

// A rank on every GPU.
class World {
 public:
  World(const Shape& shape, const ep_choices& choices) {
    reference::Routing routing = UniformRouting(shape);
    std::vector<std::vector<uint8_t>> blobs;
    for (uint32_t rank = 0; rank < shape.ranks; ++rank) {
      Require(CudaStatus(cudaSetDevice(static_cast<int>(rank)), "use a GPU"));
      Result<std::unique_ptr<CudaRegion>> region = CudaRegion::Create(Layout(shape).SizeBytes());
      Require(region.status());
      std::unique_ptr<CudaEngine> engine;
      Require(CudaEngine::Create({.rank = rank,
                                  .wait_timeout_ns = 3'000'000'000,
                                  .routing = routing,
                                  .weights = routing.Weights(rank, 0, 0),
                                  .choices = choices},
                                 {.gpu = static_cast<int>(rank), .ranks_on_gpu = 1},
                                 *std::move(region), &engine));
      blobs.push_back(engine->Blob());
      engines_.push_back(std::move(engine));
    }
    const std::vector<std::span<const uint8_t>> spans(blobs.begin(), blobs.end());
    for (auto& engine : engines_) Require(engine->Connect(spans));
    ForAll([](CudaEngine& engine, uint32_t) { Require(engine.Run(kDispatch, 1, nullptr)); });
    ForAll([](CudaEngine& engine, uint32_t) { Require(engine.MakeExpertRows()); });
  }

  void ForAll(const std::function<void(CudaEngine&, uint32_t)>& body) {
    std::vector<std::thread> threads;
    for (uint32_t rank = 0; rank < engines_.size(); ++rank) {
      threads.emplace_back([&, rank] { body(*engines_[rank], rank); });
    }
    for (std::thread& thread : threads) thread.join();
  }

  void Limit(uint32_t sms) {
    for (auto& engine : engines_) engine->kernels().Limit(sms);
  }

  // The slower rank's durations, ascending.
  std::vector<uint64_t> Measure(Operations operations, uint32_t iterations) {
    std::vector<std::vector<uint64_t>> of(engines_.size(), std::vector<uint64_t>(iterations));
    ForAll([&](CudaEngine& engine, uint32_t rank) {
      Require(engine.Run(operations, 10, nullptr));
      Require(engine.RunKernels(operations, iterations, of[rank].data()));
    });
    std::vector<uint64_t> slowest = of[0];
    for (const auto& each : of) {
      for (uint32_t i = 0; i < iterations; ++i) slowest[i] = std::max(slowest[i], each[i]);
    }
    std::ranges::sort(slowest);
    return slowest;
  }

  // One more operation, checked on all ranks.
  std::string Check(Operations operations) {
    std::vector<Findings> found(engines_.size());
    ForAll([&](CudaEngine& engine, uint32_t rank) {
      Require(engine.Poison());
      Require(engine.Run(operations, 1, nullptr));
      Require(engine.Check(operations, &found[rank]));
    });
    uint64_t wrong = 0;
    for (const Findings& each : found) wrong += each.wrong;
    return wrong == 0 ? "right" : std::to_string(wrong) + " WRONG";
  }

 private:
  static reference::Routing UniformRouting(const Shape& shape) {
    reference::Routing routing = {
        shape, kSeed, std::vector<uint32_t>(shape.ranks, shape.tokens), {}};
    std::mt19937 random(kSeed);
    std::vector<int32_t> experts(shape.Experts());
    for (uint32_t x = 0; x < experts.size(); ++x) experts[x] = static_cast<int32_t>(x);
    for (uint64_t token = 0; token < uint64_t{shape.ranks} * shape.tokens; ++token) {
      for (uint32_t j = 0; j < shape.topk; ++j) {
        std::swap(experts[j], experts[j + random() % (experts.size() - j)]);
        routing.topk_idx.push_back(experts[j]);
      }
    }
    routing.weights.resize(uint64_t{shape.ranks} * kSets * shape.tokens * shape.topk);
    for (float& weight : routing.weights) {
      weight = 0.1f + static_cast<float>(random() % 1000) / 1000.0f;
    }
    return routing;
  }

  std::vector<std::unique_ptr<CudaEngine>> engines_;
};

ep_kernel KernelOf(const std::string& name) {
  if (name == "long") return EP_KERNEL_LONG;
  if (name == "short") return EP_KERNEL_SHORT;
  return name == "packets" ? EP_KERNEL_PACKETS : EP_KERNEL_AUTO;
}

void MeasureShape(const Flags& flags, const Shape& wanted, const std::string& kernel) {
  const ep_choices choices = {.sms = 0, .kernel = KernelOf(kernel)};
  const Shape shape = ShapeForGpu(wanted, choices, true);
  if (choices.kernel == EP_KERNEL_PACKETS && !shape.packets) return;
  World world(shape, choices);
  Gpu gpu;
  Require(DescribeGpu(0, &gpu));
  const bool fp8 = shape.dtype == Dtype::kFp8;
  const auto iterations = flags.Number("iterations", "200");
  for (const uint32_t sms : flags.Numbers("sms", "0")) {
    world.Limit(sms == 0 ? gpu.multiprocessors : sms);
    for (const Operations operations : {kDispatch, kCombine}) {
      if (operations.combine && fp8) continue;
      const std::vector<uint64_t> ns = world.Measure(operations, iterations);
      const auto us = [&](size_t i) { return static_cast<double>(ns[i]) * 1e-3; };
      std::printf("%5u %-6s %4u %-7s %-13s %8.1f %8.1f %s\n", shape.tokens,
                  shape.FansOut() ? "expert" : "flat", sms, kernel.c_str(),
                  operations.combine ? "combine"
                  : fp8              ? "dispatch FP8"
                                     : "dispatch BF16",
                  us(ns.size() / 2), us(ns.size() * 95 / 100),
                  flags.Number("check", "0") != 0 ? world.Check(operations).c_str() : "");
      std::fflush(stdout);
    }
  }
}

void Main(const Flags& flags) {
  uint32_t gpus = 0;
  Require(CountGpus(&gpus));
  if (gpus == 0) Require({Code::kInvalid, "this machine has no GPU"});
  std::printf("tokens layout SMs kernel operation          p50      p95\n");
  for (const uint32_t tokens : flags.Numbers("tokens", "1,128,512,4096")) {
    for (const std::string& layout : flags.List("layouts", "expert,flat")) {
      for (const std::string& dtype : flags.List("dtypes", "fp8,bf16")) {
        for (const std::string& kernel : flags.List("kernels", "auto")) {
          MeasureShape(flags,
                       {.ranks = gpus,
                        .tokens = tokens,
                        .hidden = flags.Number("hidden", "7168"),
                        .experts_per_rank = flags.Number("experts", "256") / gpus,
                        .topk = flags.Number("topk", "8"),
                        .dtype = dtype == "fp8" ? Dtype::kFp8 : Dtype::kBf16,
                        .layout = layout == "flat" ? OutputLayout::kFlat : OutputLayout::kExpert},
                       kernel);
        }
      }
    }
  }
}

}  // namespace
}  // namespace ep

int main(int argc, char** argv) {
  ep::Main(ep::Flags(argc, argv));
  return 0;
}
