// What one GPU can say alone: a rank that sends all tokens to itself, so that every stage of the
// kernels runs but the link between GPUs. Prints, beside the memory's copy rate of the same run,
//
//   event    CUDA events around one operation, others before and after it
//   graph    16 operations captured and replayed, a sixteenth
//   kernel   by the kernel itself: first block in to last block out
//   floor    the bytes that must move, over the copy rate
//
// in us, medians; then what an operation costs that moves nothing.
//
//     gpu [hidden topk experts]
#include <cuda_runtime_api.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <random>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "csrc/rank/chunks.h"
#include "csrc/rank/cuda_engine.h"
#include "csrc/rank/cuda_memory.h"
#include "csrc/rank/gpus.h"
#include "csrc/region/cuda_region.h"
#include "csrc/region/cuda_status.h"

namespace ep {
namespace {

constexpr uint64_t kSeed = 1;
constexpr uint64_t kIterations = 200;
constexpr uint64_t kCaptured = 16;

void Require(const Status& status) {
  if (status.ok()) return;
  std::fprintf(stderr, "gpu: %s\n", status.text().c_str());
  std::exit(1);
}

double MedianUs(std::vector<uint64_t> ns, double operations = 1) {
  std::ranges::sort(ns);
  return static_cast<double>(ns[ns.size() / 2]) * 1e-3 / operations;
}

// With `nothing`, no token selects an expert: the kernels plan, flag and wait, and move no row.
std::unique_ptr<CudaEngine> OneRank(const Shape& of, bool nothing = false) {
  const Shape shape = ShapeForGpu(of, {}, true);
  reference::Routing routing = {shape, kSeed, {shape.tokens}, {}};
  std::mt19937 random(kSeed);
  std::vector<int32_t> experts(shape.Experts());
  for (uint32_t x = 0; x < experts.size(); ++x) experts[x] = static_cast<int32_t>(x);
  for (uint32_t token = 0; token < shape.tokens; ++token) {
    for (uint32_t j = 0; j < shape.topk; ++j) {
      std::swap(experts[j], experts[j + random() % (experts.size() - j)]);
      routing.topk_idx.push_back(nothing ? -1 : experts[j]);
    }
  }
  routing.weights.assign(uint64_t{kSets} * shape.tokens * shape.topk, 0.5f);
  Result<std::unique_ptr<CudaRegion>> region = CudaRegion::Create(Layout(shape).SizeBytes());
  Require(region.status());
  std::unique_ptr<CudaEngine> engine;
  Require(CudaEngine::Create({.rank = 0,
                              .wait_timeout_ns = 10'000'000'000,
                              .routing = routing,
                              .weights = routing.weights.data()},
                             {.gpu = 0, .ranks_on_gpu = 1}, *std::move(region), &engine));
  const std::vector<uint8_t> blob = engine->Blob();
  Require(engine->Connect({blob}));
  Require(engine->Run({.dispatch = true, .combine = false}, 1, nullptr));
  Require(engine->MakeExpertRows());
  return engine;
}

struct Times {
  double event_us;
  double graph_us;
  double kernel_us;
};

Times Measure(CudaEngine& engine, Operations operations) {
  std::vector<uint64_t> ns(kIterations);
  Require(engine.Run(operations, 20, nullptr));
  Require(engine.Run(operations, kIterations, ns.data()));
  Times times = {.event_us = MedianUs(ns), .graph_us = 0, .kernel_us = 0};
  Require(engine.RunGraph(operations, kCaptured, kIterations, ns.data()));
  times.graph_us = MedianUs(ns, kCaptured);
  Require(engine.RunKernels(operations, kIterations, ns.data()));
  times.kernel_us = MedianUs(ns);
  return times;
}

// What it costs to run a kernel of two blocks a multiprocessor that does nothing.
double EmptyKernelUs(CudaKernels& kernels, cudaStream_t stream) {
  CudaEvent begin;
  CudaEvent end;
  Require(CudaStatus(cudaEventCreate(begin.out()), "make an event"));
  Require(CudaStatus(cudaEventCreate(end.out()), "make an event"));
  std::vector<uint64_t> ns;
  for (uint64_t i = 0; i < kIterations; ++i) {
    Require(CudaStatus(cudaEventRecord(begin.get(), stream), "time a kernel"));
    Require(kernels.Launch(
        kernels::CopyArguments{.from = nullptr, .to = nullptr, .bytes = 0, .distinct_bytes = 16},
        stream));
    Require(CudaStatus(cudaEventRecord(end.get(), stream), "time a kernel"));
    Require(CudaStatus(cudaStreamSynchronize(stream), "run nothing"));
    float ms = 0;
    Require(CudaStatus(cudaEventElapsedTime(&ms, begin.get(), end.get()), "time a kernel"));
    ns.push_back(static_cast<uint64_t>(ms * 1e6f));
  }
  return MedianUs(ns);
}

// Bytes read and written a second by a copy within the GPU's memory, far beyond its caches.
double CopyRate(uint64_t bytes) {
  std::unique_ptr<CudaKernels> kernels;
  Require(CudaKernels::Load({1, 1, 128, 1, 1, Dtype::kBf16}, 1, {}, &kernels));
  DeviceMemory from;
  DeviceMemory to;
  CudaStream stream;
  CudaEvent begin;
  CudaEvent end;
  Require(DeviceMemory::Allocate(bytes, "a copy", &from));
  Require(DeviceMemory::Allocate(bytes, "a copy", &to));
  Require(CudaStatus(cudaStreamCreate(stream.out()), "make a stream"));
  Require(CudaStatus(cudaEventCreate(begin.out()), "make an event"));
  Require(CudaStatus(cudaEventCreate(end.out()), "make an event"));
  std::vector<uint64_t> ns;
  for (int i = 0; i < 20; ++i) {
    Require(CudaStatus(cudaEventRecord(begin.get(), stream.get()), "time a kernel"));
    Require(kernels->Launch(
        kernels::CopyArguments{
            .from = from.As(), .to = to.As(), .bytes = bytes, .distinct_bytes = bytes},
        stream.get()));
    Require(CudaStatus(cudaEventRecord(end.get(), stream.get()), "time a kernel"));
    Require(CudaStatus(cudaStreamSynchronize(stream.get()), "copy"));
    float ms = 0;
    Require(CudaStatus(cudaEventElapsedTime(&ms, begin.get(), end.get()), "time a kernel"));
    ns.push_back(static_cast<uint64_t>(ms * 1e6f));
  }
  std::printf("a kernel that does nothing, event: %.1f us\n",
              EmptyKernelUs(*kernels, stream.get()));
  return 2.0 * static_cast<double>(bytes) / (MedianUs(ns) * 1e-6);
}

// Bytes that one rank's dispatch or combine to itself reads and writes.
double MovedBytes(const Shape& shape, bool dispatch) {
  const double bf16 = 2.0 * shape.hidden;
  const double row = shape.dtype == Dtype::kFp8 ? shape.hidden + 4.0 * shape.ScalesPerRow() : bf16;
  const double copies = shape.FansOut() ? shape.topk : 1;
  // Read, write to the bank, read from there, write to each expert or once; or read from there,
  // write the partial sum, read it, write the sum.
  const double a_token = dispatch ? bf16 + 2 * row + copies * row : (copies + 3) * bf16;
  return a_token * shape.tokens;
}

void Print(const Shape& shape, const char* what, const Times& times, double floor_us) {
  std::printf("%6u  %-19s %8.1f %8.1f %8.1f", shape.tokens, what, times.event_us, times.graph_us,
              times.kernel_us);
  if (floor_us > 0) std::printf(" %8.1f %7.2f", floor_us, times.graph_us / floor_us);
  std::printf("\n");
}

// Dispatches, and where rows have the combine's own dtype, combines.
void PrintBoth(const Shape& shape, double rate) {
  const std::unique_ptr<CudaEngine> engine = OneRank(shape);
  const std::string layout = shape.FansOut() ? "" : ", flat";
  const bool fp8 = shape.dtype == Dtype::kFp8;
  Print(shape, ((fp8 ? "dispatch fp8" : "dispatch bf16") + layout).c_str(),
        Measure(*engine, {.dispatch = true, .combine = false}),
        MovedBytes(shape, true) / rate * 1e6);
  if (fp8) return;
  Print(shape, ("combine" + layout).c_str(), Measure(*engine, {.dispatch = false, .combine = true}),
        MovedBytes(shape, false) / rate * 1e6);
}

// What is left where no row moves.
void PrintNothing(const Shape& shape) {
  const std::unique_ptr<CudaEngine> engine = OneRank(shape, true);
  Print(shape, "dispatch, no rows", Measure(*engine, {.dispatch = true, .combine = false}), 0);
  Print(shape, "combine, no rows", Measure(*engine, {.dispatch = false, .combine = true}), 0);
  std::vector<uint64_t> ns(kIterations);
  Require(engine->RunFlags(kIterations, ns.data()));
  std::printf("        flags alone, one block, event: %.1f\n", MedianUs(ns));
}

void Main(uint32_t hidden, uint32_t topk, uint32_t experts) {
  Gpu gpu;
  Require(DescribeGpu(0, &gpu));
  const double rate = CopyRate(uint64_t{4} << 30);
  std::printf("%s, %u multiprocessors; copy of 4 GiB: %.0f GB/s read and written\n",
              gpu.name.c_str(), gpu.multiprocessors, rate * 1e-9);
  std::printf("hidden %u, top-%u of %u experts, one rank\n", hidden, topk, experts);
  std::printf("tokens                         event    graph   kernel    floor   ratio\n");
  for (const uint32_t tokens : {1, 8, 32, 64, 128, 256, 512, 1024, 4096}) {
    for (const Dtype dtype : {Dtype::kFp8, Dtype::kBf16}) {
      PrintBoth({1, tokens, hidden, experts, topk, dtype}, rate);
      PrintBoth({1, tokens, hidden, experts, topk, dtype, OutputLayout::kFlat}, rate);
    }
    if (tokens == 128) PrintNothing({1, tokens, hidden, experts, topk, Dtype::kBf16});
  }
}

}  // namespace
}  // namespace ep

int main(int argc, char** argv) {
  const auto argument = [&](int i, const char* otherwise) {
    return static_cast<uint32_t>(std::atoi(argc > i ? argv[i] : otherwise));
  };
  ep::Main(argument(1, "7168"), argument(2, "8"), argument(3, "256"));
  return 0;
}
