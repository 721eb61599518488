#include "csrc/abi/create.h"

#include <algorithm>
#include <string>
#include <utility>

#include "csrc/engine/chunks.h"
#include "csrc/engine/cpu.h"
#include "csrc/engine/cpu_calibrate.h"
#include "csrc/engine/cuda.h"
#include "csrc/engine/cuda_calibrate.h"
#include "csrc/engine/messages.h"
#include "csrc/transport/nixl_region.h"

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
      .host_threads = std::max(from.cpus / from.ranks_on_host, 1u),
  };
  if (from.all_weights != nullptr) {
    config->routing.weights.assign(from.all_weights, from.all_weights + kSets * ids);
  }
  return {};
}

// What UCX may take for `none`: of hosts TCP alone, of GPUs whatever maps none of their memory.
constexpr char kTcp[] = "tcp,self";
constexpr char kNoMappedGpus[] = "^cuda_ipc";

NixlLinkConfig ToNixlConfig(const ep_config& from, const RankConfig& rank,
                            const char* transports_of_none) {
  const auto text = [](const char* given) { return given == nullptr ? "" : given; };
  NixlLinkConfig config = {
      .link = MakeLinkConfig(rank.routing.shape, rank.rank, rank.wait_timeout_ns),
      .root = text(from.nixl_root),
      .candidates = {},
      .transports = from.backend == EP_NVLINK_BACKEND_NONE ? transports_of_none : "",
      .run_name = text(from.run_id)};
  if (from.nixl_candidate != nullptr) config.candidates.emplace_back(from.nixl_candidate);
  return config;
}

Status CreateOverNixl(const ep_config& from, const CpuConfig& cpu, RankConfig rank, Rank* made) {
  // As the engine does it: a link's images look like its region.
  rank.routing.shape = ChunkedForThreads(rank.routing.shape, cpu.threads);
  std::unique_ptr<NixlLink> link;
  Status status = NixlLink::Create(ToNixlConfig(from, rank, kTcp), &link);
  if (!status.ok()) return status;
  made->network = link.get();
  std::unique_ptr<LinkEngine> engine;
  status = LinkEngine::Create(std::move(rank), cpu, std::move(link), &engine);
  made->impl = std::move(engine);
  return status;
}

Status CreateOnCpu(const ep_config& from, RankConfig rank, Rank* made) {
  if (from.threads < 1) return {Code::kInvalid, "create a rank: it needs a thread"};
  if (from.sms > 0) return {Code::kInvalid, "create a rank: only GPUs have multiprocessors"};
  const uint64_t workers = uint64_t{from.shape.ranks} * from.threads;
  const CpuConfig cpu = {.threads = from.threads,
                         .oversubscribed = from.cpus < workers,
                         .landing_rows = from.landing_rows};
  if (from.backend != EP_NVLINK_BACKEND_IPC)
    return CreateOverNixl(from, cpu, std::move(rank), made);
  std::unique_ptr<CpuEngine> engine;
  Status status = CpuEngine::Create(std::move(rank), cpu, &engine);
  if (status.ok() && from.landing_rows > 0) {
    std::unique_ptr<CpuCalibration> calibration;
    status = CpuCalibration::Create(
        {.rows = from.landing_rows, .seed = from.seed, .one_cpu = from.cpus < 2}, engine.get(),
        &calibration);
    made->calibration = std::move(calibration);
  }
  made->impl = std::move(engine);
  return status;
}

Status CreateOnGpu(const ep_config& from, RankConfig rank, Rank* made) {
  if (from.ranks_on_gpu < 1) return {Code::kInvalid, "create a rank: nobody is on its GPU"};
  CudaConfig config = {.gpu = static_cast<int>(from.gpu),
                       .ranks_on_gpu = from.ranks_on_gpu,
                       .sms = from.sms,
                       .landing_rows = from.landing_rows};
  if (from.backend != EP_NVLINK_BACKEND_IPC) {
    config.make_region = [made, nixl = ToNixlConfig(from, rank, kNoMappedGpus),
                          use = from.backend == EP_NVLINK_BACKEND_NONE ? NixlUse::kNever
                                                                       : NixlUse::kMapped,
                          gpu = config.gpu](size_t bytes, std::unique_ptr<GpuRegion>* region) {
      std::unique_ptr<NixlRegion> over_nixl;
      const Status status = NixlRegion::Create({nixl, use, gpu, bytes}, &over_nixl);
      if (status.ok()) made->network = &over_nixl->link();
      *region = std::move(over_nixl);
      return status;
    };
  }
  std::unique_ptr<CudaEngine> engine;
  Status status = CudaEngine::Create(std::move(rank), config, &engine);
  if (status.ok() && from.landing_rows > 0) {
    std::unique_ptr<CudaCalibration> calibration;
    status = CudaCalibration::Create({.rows = from.landing_rows, .seed = from.seed}, engine.get(),
                                     &calibration);
    made->calibration = std::move(calibration);
  }
  made->impl = std::move(engine);
  return status;
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
  Status status = ToConfig(config, &of);
  if (!status.ok()) return status;
  if (config.backend < EP_NVLINK_BACKEND_IPC || config.backend > EP_NVLINK_BACKEND_NONE) {
    return {Code::kInvalid, "create a rank: no such backend"};
  }
  switch (config.device) {
    case EP_DEVICE_CPU: return CreateOnCpu(config, std::move(of), rank);
    case EP_DEVICE_CUDA: return CreateOnGpu(config, std::move(of), rank);
  }
  return {Code::kInvalid, "create a rank: no such device"};
}

}  // namespace ep::abi
