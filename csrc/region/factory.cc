#include "csrc/region/factory.h"

#include <cuda_runtime_api.h>

#include "csrc/region/cuda_region.h"
#include "csrc/region/cuda_status.h"
#include "csrc/region/nixl_link.h"
#include "csrc/region/nixl_region.h"
#include "csrc/region/shm_region.h"

namespace ep {
namespace {

// What UCX may take for `none`: of hosts TCP alone, of GPUs whatever maps none of their memory.
constexpr char kTcp[] = "tcp,self";
constexpr char kNoMappedGpus[] = "^cuda_ipc";

NixlLinkConfig ToNixl(const Transport& transport, const RegionConfig& config) {
  std::string transports;
  if (transport.backend == EP_NVLINK_BACKEND_NONE)
    transports = transport.gpu ? kNoMappedGpus : kTcp;
  return {.region = config,
          .root = transport.nixl_root,
          .candidates = transport.nixl_candidates,
          .transports = std::move(transports),
          .run_name = transport.run_name};
}

}  // namespace

bool ProxiesHosts(ep_nvlink_backend backend) { return backend != EP_NVLINK_BACKEND_IPC; }

Result<std::unique_ptr<Region>> MakeRegion(const Transport& transport, const RegionConfig& config) {
  switch (transport.backend) {
    case EP_NVLINK_BACKEND_IPC:
      if (!transport.gpu) return EP_TRY(ShmRegion::Create(config.bytes));
      EP_TRY(
          CudaStatus(cudaSetDevice(*transport.gpu), "use GPU " + std::to_string(*transport.gpu)));
      return EP_TRY(CudaRegion::Create(config.bytes));
    case EP_NVLINK_BACKEND_NIXL:
    case EP_NVLINK_BACKEND_NONE:
      if (!transport.gpu) return EP_TRY(NixlLink::Create(ToNixl(transport, config)));
      return EP_TRY(NixlRegion::Create(
          {.nixl = ToNixl(transport, config),
           .use = transport.backend == EP_NVLINK_BACKEND_NONE ? NixlUse::kNever : NixlUse::kMapped,
           .gpu = *transport.gpu}));
  }
  return {Code::kInvalid, "create a rank: no such backend"};
}

}  // namespace ep
