// The one place that knows backends: what a plan names is turned into a region here, and from then
// on what the region says of its peers counts.
#ifndef CSRC_REGION_FACTORY_H_
#define CSRC_REGION_FACTORY_H_

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "csrc/base/status.h"
#include "csrc/protocol/words.h"
#include "csrc/region/nixl_gpu_region.h"
#include "csrc/region/region.h"

namespace ep {

struct Transport {
  ep_nvlink_backend backend;
  std::optional<int> gpu = std::nullopt;  // whose memory it is; the host's without
  // Of a backend with NIXL: where it is, as in nixl::Library::Options, and what tells this run's
  // agents from others'.
  std::string nixl_root = "";
  std::vector<std::string> nixl_candidates = {};
  std::string run_name = "";
  // Which host this is, among this run's, and how many ranks it has.
  std::string host = "";
  uint32_t ranks_on_host = 1;
  // Of a GPU.
  NicMemory nic_memory = NicMemory::kAuto;
  ep_gpu_flush gpu_flush = EP_GPU_FLUSH_AUTO;
};

// Makes a rank's region: zeros.
Result<std::unique_ptr<Region>> MakeRegion(const Transport& transport, const RegionConfig& config);

// How many peers of a rank in host memory are proxied, and so have an image there.
uint32_t ProxiedPeers(ep_nvlink_backend backend, uint32_t ranks, uint32_t ranks_on_host);

}  // namespace ep

#endif  // CSRC_REGION_FACTORY_H_
