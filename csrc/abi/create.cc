#include "csrc/abi/create.h"

#include <algorithm>
#include <memory>
#include <string>
#include <utility>

#include "csrc/rank/chunks.h"
#include "csrc/rank/cpu_calibrate.h"
#include "csrc/rank/cpu_engine.h"
#include "csrc/rank/cuda_calibrate.h"
#include "csrc/rank/cuda_engine.h"
#include "csrc/rank/region_config.h"
#include "csrc/region/factory.h"

namespace ep::abi {
namespace {

// Fills `config` from C. The routing is copied: the oracle keeps it.
Status ToConfig(const ep_config& from, RankConfig* config) {
  const Shape shape = ToShape(from.shape);
  if (const char* problem = Problem(shape)) {
    return {Code::kInvalid, std::string("create a rank: ") + problem};
  }
  if (from.rank >= shape.ranks) return {Code::kInvalid, "create a rank: no such rank"};
  if (from.ranks_on_host < 1) return {Code::kInvalid, "create a rank: nobody is on its host"};
  for (uint32_t rank = 0; rank < shape.ranks; ++rank) {
    if (from.tokens_of_rank[rank] > shape.tokens) {
      return {Code::kInvalid,
              "create a rank: rank " + std::to_string(rank) + " has more tokens than the shape"};
    }
  }
  const uint64_t ids = uint64_t{shape.ranks} * shape.tokens * shape.topk;
  *config = {
      .rank = from.rank,
      .wait_timeout_ns = from.wait_timeout_ns,
      .routing = {.shape = shape,
                  .seed = from.seed,
                  .tokens_of_rank = {from.tokens_of_rank, from.tokens_of_rank + shape.ranks},
                  .topk_idx = {from.topk_idx, from.topk_idx + ids}},
      .weights = from.topk_weights,
      .choices = from.choices,
      .host_threads = std::max(from.cpus / from.ranks_on_host, 1u),
  };
  if (from.all_weights != nullptr) {
    config->routing.weights.assign(from.all_weights, from.all_weights + kSets * ids);
  }
  return {};
}

// Makes the region of a rank whose shape is cut into chunks.
Result<std::unique_ptr<Region>> RegionOf(const ep_config& from, const RankConfig& rank) {
  const auto text = [](const char* given) { return given == nullptr ? "" : given; };
  Transport transport = {.backend = from.backend,
                         .nixl_root = text(from.nixl_root),
                         .run_name = text(from.run_id),
                         .host = text(from.host),
                         .ranks_on_host = from.ranks_on_host,
                         .nic_memory = static_cast<NicMemory>(from.nic_memory),
                         .gpu_flush = from.gpu_flush};
  if (from.device == EP_DEVICE_CUDA) transport.gpu = static_cast<int>(from.gpu);
  if (from.nixl_candidate != nullptr) transport.nixl_candidates.emplace_back(from.nixl_candidate);
  return MakeRegion(transport, MakeRegionConfig(rank.routing.shape, rank.rank, rank.wait_timeout_ns,
                                                from.landing_rows));
}

// Makes an engine whose peers' memory is mapped, and its calibration.
template <class EngineType, class CalibrationType, class EngineConfig, class CalibrationConfig>
Status CreateWithCalibration(const ep_config& from, RankConfig rank, const EngineConfig& config,
                             const CalibrationConfig& calibration_config,
                             std::unique_ptr<Region> region, Rank* made) {
  std::unique_ptr<EngineType> engine;
  EP_TRY(EngineType::Create(std::move(rank), config, std::move(region), &engine));
  if (from.landing_rows > 0) {
    std::unique_ptr<CalibrationType> calibration;
    EP_TRY(CalibrationType::Create(calibration_config, engine.get(), &calibration));
    made->calibration = std::move(calibration);
  }
  made->impl = std::move(engine);
  return {};
}

Status CreateOnCpu(const ep_config& from, RankConfig rank, Rank* made) {
  if (from.threads < 1) return {Code::kInvalid, "create a rank: it needs a thread"};
  if (from.choices.sms > 0)
    return {Code::kInvalid, "create a rank: only GPUs have multiprocessors"};
  if (from.choices.kernel != ep_kernel{}) {
    return {Code::kInvalid, "create a rank: only GPUs have kernels to choose from"};
  }
  const uint64_t workers = uint64_t{from.shape.ranks} * from.threads;
  const CpuConfig cpu = {.threads = from.threads,
                         .oversubscribed = from.cpus < workers,
                         .flush_bytes = from.flush_bytes};
  rank.routing.shape = ChunkedForThreads(rank.routing.shape, cpu.threads);
  std::unique_ptr<Region> region = EP_TRY(RegionOf(from, rank));
  if (from.landing_rows > 0) EP_TRY(Calibration::CanCalibrate(*region));
  if (region->wire() == nullptr) {
    return CreateWithCalibration<CpuEngine, CpuCalibration>(
        from, std::move(rank), cpu,
        CpuCalibrationConfig{
            .rows = from.landing_rows, .seed = from.seed, .one_cpu = from.cpus < 2},
        std::move(region), made);
  }
  std::unique_ptr<PostingCpuEngine> engine;
  EP_TRY(PostingCpuEngine::Create(std::move(rank), cpu, std::move(region), &engine));
  made->impl = std::move(engine);
  return {};
}

Status CreateOnGpu(const ep_config& from, RankConfig rank, Rank* made) {
  if (from.ranks_on_gpu < 1) return {Code::kInvalid, "create a rank: nobody is on its GPU"};
  // Whom nixl maps is known only once all are connected.
  const bool mapped = from.backend == EP_NVLINK_BACKEND_IPC;
  rank.routing.shape = ShapeForGpu(rank.routing.shape, from.choices, mapped);
  if (from.choices.kernel == EP_KERNEL_PACKETS && !rank.routing.shape.packets) {
    return {Code::kInvalid,
            "create a rank: packets carry at most " + std::to_string(kMaxPacketTokens) +
                " tokens, to " + std::to_string(kMaxPacketRanks) +
                " ranks each, sums by rank, between GPUs that map each other, for as many experts "
                "as a block's fast memory has room for"};
  }
  std::unique_ptr<Region> region = EP_TRY(RegionOf(from, rank));
  if (from.landing_rows > 0) EP_TRY(Calibration::CanCalibrate(*region));
  return CreateWithCalibration<CudaEngine, CudaCalibration>(
      from, std::move(rank),
      CudaConfig{.gpu = static_cast<int>(from.gpu),
                 .ranks_on_gpu = from.ranks_on_gpu,
                 .few_cpus = from.cpus < 2 * from.ranks_on_host},
      CudaCalibrationConfig{.rows = from.landing_rows, .seed = from.seed}, std::move(region), made);
}

}  // namespace

Shape ToShape(const ep_shape& shape) {
  return {shape.ranks,
          shape.tokens,
          shape.hidden,
          shape.experts_per_rank,
          shape.topk,
          static_cast<Dtype>(shape.dtype),
          static_cast<OutputLayout>(shape.layout),
          static_cast<CombineSum>(shape.combine),
          kMaxTokens,  // engines cut tokens into chunks themselves
          static_cast<Quantize>(shape.quantize)};
}

Status Create(const ep_config& config, Rank* rank) {
  RankConfig of = {};
  EP_TRY(ToConfig(config, &of));
  switch (config.device) {
    case EP_DEVICE_CPU: return CreateOnCpu(config, std::move(of), rank);
    case EP_DEVICE_CUDA: return CreateOnGpu(config, std::move(of), rank);
  }
  return {Code::kInvalid, "create a rank: no such device"};
}

}  // namespace ep::abi
