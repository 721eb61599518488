#include "csrc/rank/meter_result.h"

#include <string>

namespace ep {
namespace {

Status Wrong(uint64_t worker, uint64_t got, uint64_t want) {
  return {Code::kSystem, "check a meter: worker " + std::to_string(worker) + " has " +
                             std::to_string(got) + ", want " + std::to_string(want)};
}

}  // namespace

Result<double> MeterRoundNs(std::span<const kernels::MeterReport> workers) {
  double rate = 0;
  for (const kernels::MeterReport& worker : workers) {
    if (worker.ended == 0) {
      return {Code::kSystem,
              "look at a meter: it left while it was measured; try fewer iterations"};
    }
    if (worker.counted == 0 || worker.counted_ns == 0) {
      return {Code::kSystem,
              "look at a meter: it counted nothing; try more iterations, which last longer"};
    }
    rate += static_cast<double>(worker.counted) / static_cast<double>(worker.counted_ns);
  }
  return static_cast<double>(workers.size()) / rate;
}

Status CheckGemm(std::span<const kernels::MeterReport> workers) {
  constexpr uint64_t kOfTile = kernels::GemmTileSum();
  for (size_t i = 0; i < workers.size(); ++i) {
    const uint64_t want = workers[i].tiles * kOfTile;
    if (workers[i].sum != want) return Wrong(i, workers[i].sum, want);
  }
  return {};
}

Status CheckStream(std::span<const kernels::MeterReport> workers, uint64_t tiles,
                   std::span<const uint32_t> words) {
  for (size_t i = 0; i < workers.size(); ++i) {
    for (uint64_t tile = 0; tile < tiles; ++tile) {
      const uint64_t want = kernels::TimesWritten(workers[i].tiles, tiles, tile);
      const uint32_t got = words[i * tiles + tile];
      if (got != want) return Wrong(i, got, want);
    }
  }
  return {};
}

}  // namespace ep
