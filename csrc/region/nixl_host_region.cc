#include "csrc/region/nixl_host_region.h"

#include <utility>

#include "csrc/region/host_identity.h"
#include "csrc/region/nixl_message.h"

namespace ep {
NixlHostRegion::NixlHostRegion(const NixlHostRegionConfig& config)
    : config_(config.region), nixl_(config.nixl), host_(HashOfHost(config.host)) {}

NixlHostRegion::~NixlHostRegion() {
  if (wire_ == nullptr || !wire_->UnderWay()) return;
  static_cast<void>(wire_.release());
  static_cast<void>(peers_.release());
  static_cast<void>(new Mapping(std::move(images_)));
  static_cast<void>(memory_.release());
}

Result<std::unique_ptr<NixlHostRegion>> NixlHostRegion::Create(const NixlHostRegionConfig& config) {
  const RegionConfig& of = config.region;
  EP_TRY(CheckPairAreas(of));
  std::unique_ptr<NixlHostRegion> made(new NixlHostRegion(config));
  made->memory_ = EP_TRY(ShmRegion::Create(of.bytes));
  EP_TRY(Mapping::Private(of.ranks * of.pairs.bytes, "images", &made->images_));
  EP_TRY(made->MakePeers());
  made->wire_ = std::make_unique<NixlWire>(made->peers_.get(), of.ranks, of.pairs.bytes);
  return made;
}

Status NixlHostRegion::MakePeers() {
  std::unique_ptr<NixlPeers> peers = EP_TRY(NixlPeers::Create(config_, nixl_));
  const auto address = [](const uint8_t* at) { return reinterpret_cast<uintptr_t>(at); };
  const nixl::Range ranges[] = {{address(data()), size()},
                                {address(images_.data()), images_.size()}};
  EP_TRY(peers->agent().Register(ranges));
  peers_ = std::move(peers);
  return MakeBlob();
}

// Note: an agent that stayed would have to forget peers while they forget it, and NIXL's own
// invalidation of metadata may come after the next that is loaded.
Status NixlHostRegion::Disconnect() {
  if (wire_->UnderWay()) {
    return {Code::kState, "disconnect: messages are under way, or have failed"};
  }
  wire_->Forget();
  peers_ = nullptr;
  return memory_->Disconnect();
}

Status NixlHostRegion::Reopen() {
  if (peers_ != nullptr) return {};
  EP_TRY(MakePeers());
  wire_->Use(peers_.get());
  return {};
}

Status NixlHostRegion::MakeBlob() {
  std::vector<uint8_t> peers;
  EP_TRY(peers_->MakeBlob(&peers));
  place_ = {.bytes = size(),
            .inbox = reinterpret_cast<uintptr_t>(data()),
            .host = host_,
            .on_gpu = 0,
            .staged = 0,
            .gpu = 0};
  blob_ = MakePlaceBlob(place_, memory_->Blob(), peers);
  return {};
}

Status NixlHostRegion::Connect(const std::vector<std::span<const uint8_t>>& blobs, uint32_t rank,
                               std::vector<Reach>* reached) {
  std::vector<std::span<const uint8_t>> rest(blobs.size());
  std::vector<NixlWire::Ends> ends(blobs.size());
  reached->assign(blobs.size(), {Reached::kOwn, data()});
  for (uint32_t peer = 0; peer < blobs.size(); ++peer) {
    if (peer == rank) continue;
    const NixlPlaceBlob told = EP_TRY(ReadPlaceBlob(blobs[peer], place_, rank, peer));
    if (place_.Maps(told.place)) {
      uint8_t* const region = EP_TRY(memory_->Map(told.memory, peer));
      (*reached)[peer] = {Reached::kMapped, region, nullptr, "it is on the same host"};
      continue;
    }
    rest[peer] = told.peers;
    ends[peer] = {.from = reinterpret_cast<uintptr_t>(Image(peer)),
                  .to = told.place.inbox + AreaOf(rank)};
    (*reached)[peer] = {Reached::kProxied, nullptr, Image(peer),
                        host_ == 0 ? "nothing is mapped" : "it is on another host"};
  }
  EP_TRY(peers_->Connect(rest));
  for (uint32_t peer = 0; peer < blobs.size(); ++peer) wire_->Reach(peer, ends[peer]);
  EP_TRY(wire_->Probe(config_.wait_timeout_ns, reached));
  // Nobody sends before all have been probed.
  return peers_->Meet();
}

}  // namespace ep
