// A region in host memory whose peers are mapped where they are of one host, and proxied where they
// are not, or where nothing is to be mapped: NIXL brings messages to those.
#ifndef CSRC_REGION_NIXL_HOST_REGION_H_
#define CSRC_REGION_NIXL_HOST_REGION_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "csrc/base/mapping.h"
#include "csrc/region/nixl_peers.h"
#include "csrc/region/nixl_place.h"
#include "csrc/region/nixl_wire.h"
#include "csrc/region/region.h"
#include "csrc/region/shm_region.h"

namespace ep {

struct NixlHostRegionConfig {
  RegionConfig region;
  NixlOptions nixl;
  // Which host this is: ranks that say the same map each other. Nobody does without.
  std::string host;
};

class NixlHostRegion final : public Region {
 public:
  static Result<std::unique_ptr<NixlHostRegion>> Create(const NixlHostRegionConfig& config);
  // Leaves all to the process's end if the network may still use it.
  ~NixlHostRegion() override;

  uint8_t* data() const override { return memory_->data(); }
  size_t size() const override { return memory_->size(); }
  std::vector<uint8_t> Blob() const override { return blob_; }
  // Ok once bytes have arrived from and at every proxied peer, so it takes all to return.
  Status Connect(const std::vector<std::span<const uint8_t>>& blobs, uint32_t rank,
                 std::vector<Reach>* reached) override;
  // Ends the agent: memory is registered anew by the next one, which Reopen makes.
  Status Disconnect() override;
  Status Reopen() override;
  Wire* wire() override { return wire_.get(); }
  std::optional<Network> network() const override { return peers_->network(); }

 private:
  explicit NixlHostRegion(const NixlHostRegionConfig& config);

  // Makes the agent, and the blob that tells of it.
  Status MakePeers();
  Status MakeBlob();
  // Where our image of a peer's area for us lies, and areas in a region.
  uint8_t* Image(uint32_t peer) const { return images_.data() + peer * config_.pairs.bytes; }
  uint64_t AreaOf(uint32_t peer) const { return config_.pairs.begin + peer * config_.pairs.bytes; }

  const RegionConfig config_;
  const NixlOptions nixl_;
  const uint64_t host_;  // 0: maps nobody
  // The memory outlives the agent, which may write to it until it ends, and the agent its writes.
  std::unique_ptr<ShmRegion> memory_;
  Mapping images_;
  std::unique_ptr<NixlPeers> peers_;
  std::unique_ptr<NixlWire> wire_;
  NixlPlace place_;
  std::vector<uint8_t> blob_;
};

}  // namespace ep

#endif  // CSRC_REGION_NIXL_HOST_REGION_H_
