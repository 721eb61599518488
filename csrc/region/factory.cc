#include "csrc/region/factory.h"

#include <cuda_runtime_api.h>

#include "csrc/region/cuda_region.h"
#include "csrc/region/cuda_status.h"
#include "csrc/region/gpu_direct.h"
#include "csrc/region/nixl_gpu_region.h"
#include "csrc/region/nixl_host_region.h"
#include "csrc/region/nixl_region.h"
#include "csrc/region/shm_region.h"

namespace ep {
namespace {

// What UCX may take for messages. For `none` that is of hosts TCP alone, and of GPUs RDMA where
// there is a NIC, so that nothing falls back to TCP unseen, and TCP where there is none; for `nixl`
// between hosts what leaves a host, for what is on one is mapped.
std::string TransportsOf(const Transport& transport, bool all_on_host) {
  switch (transport.backend) {
    case EP_NVLINK_BACKEND_NONE:
      if (!transport.gpu) return "tcp,self";
      break;
    case EP_NVLINK_BACKEND_NIXL:
      if (!transport.gpu) return "^sm";
      if (all_on_host) return "";
      break;
    case EP_NVLINK_BACKEND_IPC:
    case EP_NVLINK_BACKEND_NIXL_PROXY: return "";
  }
  return HasActiveRdmaPort() ? "^cuda_ipc,sm,tcp" : "tcp,cuda_copy,self";
}

NixlOptions ToNixl(const Transport& transport, const RegionConfig& config) {
  return {.root = transport.nixl_root,
          .candidates = transport.nixl_candidates,
          .transports = TransportsOf(transport, config.ranks == transport.ranks_on_host),
          .run_name = transport.run_name};
}

Result<std::unique_ptr<Region>> MakeHostRegion(const Transport& transport,
                                               const RegionConfig& config) {
  if (ProxiedPeers(transport.backend, config.ranks, transport.ranks_on_host) == 0 &&
      transport.backend != EP_NVLINK_BACKEND_NONE &&
      transport.backend != EP_NVLINK_BACKEND_NIXL_PROXY) {
    return EP_TRY(ShmRegion::Create(config.bytes));
  }
  return EP_TRY(NixlHostRegion::Create(
      {.region = config,
       .nixl = ToNixl(transport, config),
       .host = transport.backend == EP_NVLINK_BACKEND_NIXL ? transport.host : ""}));
}

// Of a GPU's rank with peers that are not mapped.
Result<std::unique_ptr<Region>> MakeProxiedRegion(const Transport& transport,
                                                  const RegionConfig& config) {
  return EP_TRY(NixlGpuRegion::Create(
      {.region = config,
       .nixl = ToNixl(transport, config),
       .gpu = *transport.gpu,
       .memory = transport.nic_memory,
       .flush = transport.gpu_flush,
       .over_nics = transport.backend != EP_NVLINK_BACKEND_NIXL_PROXY,
       .host = transport.backend == EP_NVLINK_BACKEND_NIXL ? transport.host : ""}));
}

}  // namespace

uint32_t ProxiedPeers(ep_nvlink_backend backend, uint32_t ranks, uint32_t ranks_on_host) {
  switch (backend) {
    case EP_NVLINK_BACKEND_IPC: break;
    case EP_NVLINK_BACKEND_NIXL: return ranks - ranks_on_host;
    case EP_NVLINK_BACKEND_NONE:
    case EP_NVLINK_BACKEND_NIXL_PROXY: return ranks - 1;
  }
  return 0;
}

Result<std::unique_ptr<Region>> MakeRegion(const Transport& transport, const RegionConfig& config) {
  if (!transport.gpu) return MakeHostRegion(transport, config);
  switch (transport.backend) {
    case EP_NVLINK_BACKEND_IPC:
      EP_TRY(
          CudaStatus(cudaSetDevice(*transport.gpu), "use GPU " + std::to_string(*transport.gpu)));
      return EP_TRY(CudaRegion::Create(config.bytes));
    case EP_NVLINK_BACKEND_NIXL:
      if (config.ranks > transport.ranks_on_host) return MakeProxiedRegion(transport, config);
      return EP_TRY(NixlRegion::Create(
          {.region = config, .nixl = ToNixl(transport, config), .gpu = *transport.gpu}));
    case EP_NVLINK_BACKEND_NONE:
    case EP_NVLINK_BACKEND_NIXL_PROXY: return MakeProxiedRegion(transport, config);
  }
  return {Code::kInvalid, "create a rank: no such backend"};
}

}  // namespace ep
