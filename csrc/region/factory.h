// The one place that knows backends: what a plan names is turned into a region here, and from then
// on what the region says of its peers counts.
#ifndef CSRC_REGION_FACTORY_H_
#define CSRC_REGION_FACTORY_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "csrc/base/status.h"
#include "csrc/region/region.h"

namespace ep {

// How ranks are to reach each other.
enum class Backend : uint32_t {
  kIpc = EP_NVLINK_BACKEND_IPC,
  kNixl = EP_NVLINK_BACKEND_NIXL,
  kNone = EP_NVLINK_BACKEND_NONE,
};

struct Transport {
  Backend backend;
  std::optional<int> gpu = std::nullopt;  // whose memory it is; the host's without
  // Of a backend with NIXL: where it is, as in nixl::Library::Options, and what tells this run's
  // agents from others'.
  std::string nixl_root = "";
  std::vector<std::string> nixl_candidates = {};
  std::string run_name = "";
};

// Makes a rank's region: zeros.
Result<std::unique_ptr<Region>> MakeRegion(const Transport& transport, const RegionConfig& config);

// Whether peers of such a region in host memory are proxied, so that it takes images.
bool ProxiesHosts(Backend backend);

}  // namespace ep

#endif  // CSRC_REGION_FACTORY_H_
