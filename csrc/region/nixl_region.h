// A region in GPU memory whose peers are reached over NIXL.
//
// NIXL registers the region, and its metadata travels with the blob. A view of all peers' memory
// says how UCX reaches each: where that is cuda_ipc, over NVLink, a peer's memory is mapped, and
// kernels use it as they use what csrc/region/cuda_region.h maps. What
// the ranks' hosts tell each other while they connect goes over the same agent
// (csrc/region/nixl_peers.h).
#ifndef CSRC_REGION_NIXL_REGION_H_
#define CSRC_REGION_NIXL_REGION_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "csrc/nixl/view.h"
#include "csrc/region/cuda_region.h"
#include "csrc/region/nixl_peers.h"
#include "csrc/region/nixl_reach.h"
#include "csrc/region/region.h"

namespace ep {

struct NixlRegionConfig {
  RegionConfig region;
  NixlOptions nixl;
  int gpu;
};

class NixlRegion final : public Region {
 public:
  // Allocates zeroed memory on the GPU.
  static Result<std::unique_ptr<NixlRegion>> Create(const NixlRegionConfig& config);
  ~NixlRegion() override;

  uint8_t* data() const override { return memory_->data(); }
  size_t size() const override { return memory_->size(); }
  std::vector<uint8_t> Blob() const override { return blob_; }
  // Ok once all peers have connected, too, so it takes all of them to return.
  Status Connect(const std::vector<std::span<const uint8_t>>& blobs, uint32_t rank,
                 std::vector<Reach>* reached) override;
  std::optional<Network> network() const override { return peers_->network(); }

 private:
  // Where a rank's memory lies in its process.
  struct Place {
    uint64_t version;
    uint64_t bytes;
    uint64_t region;
    uint64_t gpu;
  };
  static constexpr uint64_t kVersion = 0x6570'6e69'7267'0002;

  explicit NixlRegion(const NixlRegionConfig& config) : config_(config) {}

  Place Ours() const;
  Status MakeBlob();
  // A view of all peers' regions.
  Status MakeView(const std::vector<Place>& places);

  const NixlRegionConfig config_;
  std::unique_ptr<CudaRegion> memory_;
  std::unique_ptr<NixlPeers> peers_;
  std::vector<uint8_t> blob_;
  nixl::capi::MemoryView* view_ = nullptr;
  // NIXL still waits for peers in a thread that nobody waits for.
  bool waits_ = false;
};

}  // namespace ep

#endif  // CSRC_REGION_NIXL_REGION_H_
