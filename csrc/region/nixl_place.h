// Where a rank's memory is for its peers over NIXL, as it tells them in its blob: this, the blob of
// the memory that peers of its host map, the blob of NIXL's peers. Regions in a host's memory and
// in a GPU's tell it alike.
#ifndef CSRC_REGION_NIXL_PLACE_H_
#define CSRC_REGION_NIXL_PLACE_H_

#include <cstdint>
#include <span>
#include <vector>

#include "csrc/base/status.h"
#include "csrc/region/region.h"

namespace ep {

struct NixlPlace {
  uint64_t bytes;   // of the region
  uint64_t inbox;   // where messages arrive, an address in the rank's process
  uint64_t host;    // 0: maps nobody
  uint32_t on_gpu;  // whether the region is in GPU memory
  uint32_t staged;  // whether messages of such a region are in its host's
  uint32_t gpu;     // in the rank's process

  // Whether a rank maps one that is at `other`.
  bool Maps(const NixlPlace& other) const { return host != 0 && host == other.host; }
};

// kInvalid: the pair areas of `config` do not fit into its bytes.
Status CheckPairAreas(const RegionConfig& config);

std::vector<uint8_t> MakePlaceBlob(const NixlPlace& place, std::span<const uint8_t> memory,
                                   std::span<const uint8_t> peers);

// A peer's blob, taken apart.
struct NixlPlaceBlob {
  NixlPlace place;
  std::span<const uint8_t> memory;
  std::span<const uint8_t> peers;
};

// kProtocol: the region of `peer` is not like `ours`, which is of `rank`.
Result<NixlPlaceBlob> ReadPlaceBlob(std::span<const uint8_t> blob, const NixlPlace& ours,
                                    uint32_t rank, uint32_t peer);

}  // namespace ep

#endif  // CSRC_REGION_NIXL_PLACE_H_
