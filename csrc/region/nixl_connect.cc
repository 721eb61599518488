// How a link over NIXL comes to be: memory, an agent, and peers that have answered.
#include <sched.h>

#include <utility>

#include "csrc/region/nixl_link.h"
#include "csrc/region/nixl_message.h"

namespace ep {
NixlLink::NixlLink(const RegionConfig& config)
    : config_(config), peers_(config.ranks), channels_(config.ranks) {
  for (uint32_t peer = 0; peer < config.ranks; ++peer) channels_[peer].peer = peer;
}

Result<std::unique_ptr<NixlLink>> NixlLink::Create(const NixlLinkConfig& config) {
  nixl::Library::Options options = {
      .root = config.root, .candidates = config.candidates, .settings = {}};
  if (!config.transports.empty()) options.settings.push_back({"UCX_TLS", config.transports});
  std::shared_ptr<const nixl::Library> library;
  EP_TRY(nixl::Library::Load(options, &library));
  std::unique_ptr<NixlLink> made(new NixlLink(config.region));
  // Without its own detection of dead peers UCX takes shared memory on one host; ours is
  // wait_timeout_ns.
  EP_TRY(nixl::Agent::Create(
      std::move(library),
      {.name = "epperf-" + config.run_name + "-" + std::to_string(config.region.rank),
       .parameters = {{"ucx_error_handling_mode", "none"}}},
      &made->agent_));
  EP_TRY(made->Allocate());
  if (!config.gpu_ranges.empty()) {
    EP_TRY(made->agent_->Register(config.gpu_ranges, nixl::Memory::Gpu(config.gpu)));
  }
  EP_TRY(made->MakeBlob());
  return made;
}

Status NixlLink::Allocate() {
  const uint64_t bytes = config_.bytes;
  if (bytes < kWordBytes || config_.rank >= config_.ranks ||
      bytes > (uint64_t{1} << 47) / config_.ranks) {
    return {Code::kInvalid, "make a link of rank " + std::to_string(config_.rank) + " of " +
                                std::to_string(config_.ranks) + " with regions of " +
                                std::to_string(bytes) + " bytes: there is no such link"};
  }
  EP_TRY(Mapping::Private(bytes, "a region", &region_));
  EP_TRY(Mapping::Private(bytes * config_.ranks, "images", &images_));
  EP_TRY(Mapping::Private(kWordBytes * config_.ranks, "fillers", &fillers_));

  const auto address = [](const uint8_t* at) { return reinterpret_cast<uintptr_t>(at); };
  std::vector<nixl::Range> ranges = {{address(region_.data()), region_.size()},
                                     {address(fillers_.data()), fillers_.size()}};
  for (uint32_t peer = 0; peer < config_.ranks; ++peer) {
    if (peer == config_.rank) continue;
    for (const Extent& extent : config_.image_extents) {
      if (extent.offset > bytes || extent.bytes > bytes - extent.offset) {
        return {Code::kInvalid, "register " + std::to_string(extent.bytes) + " bytes at " +
                                    std::to_string(extent.offset) + " of an image: it has " +
                                    std::to_string(bytes)};
      }
      if (extent.bytes > 0) ranges.push_back({address(image(peer)) + extent.offset, extent.bytes});
    }
  }
  return agent_->Register(ranges);
}

Status NixlLink::MakeBlob() {
  std::vector<uint8_t> metadata;
  EP_TRY(agent_->Metadata(&metadata));
  const std::string& name = agent_->name();
  const NixlBlob blob = {.version = NixlBlob::kVersion,
                         .rank = config_.rank,
                         .ranks = config_.ranks,
                         .region_bytes = config_.bytes,
                         .region = reinterpret_cast<uintptr_t>(region_.data()),
                         .fillers = reinterpret_cast<uintptr_t>(fillers_.data()),
                         .name_bytes = name.size()};
  const std::span<const uint8_t> head = BytesOf(blob);
  blob_.assign(head.begin(), head.end());
  blob_.insert(blob_.end(), name.begin(), name.end());
  blob_.insert(blob_.end(), metadata.begin(), metadata.end());
  return {};
}

Status NixlLink::Connect(const std::vector<std::span<const uint8_t>>& blobs, uint32_t rank,
                         std::vector<Reach>* reached) {
  const std::lock_guard lock(mutex_);
  if (blobs.size() != config_.ranks || rank != config_.rank) {
    return {Code::kInvalid, "connect over NIXL: rank " + std::to_string(rank) + " has " +
                                std::to_string(blobs.size()) + " blobs, not rank " +
                                std::to_string(config_.rank) + " one for each of " +
                                std::to_string(config_.ranks) + " ranks"};
  }
  if (connected_) return {Code::kState, "connect over NIXL: the link is connected"};
  for (uint32_t peer = 0; peer < config_.ranks; ++peer) {
    if (peer == rank) continue;
    EP_TRY(Learn(peer, blobs[peer]).In("connect to rank " + std::to_string(peer) + " over NIXL"));
  }
  connected_ = true;
  // Only now, so that a peer that answers at once is known.
  EP_TRY(GreetAll());
  reached->assign(blobs.size(), {Reached::kOwn, data(), data(), data()});
  for (uint32_t peer = 0; peer < blobs.size(); ++peer) {
    if (peer != rank) (*reached)[peer] = {Reached::kProxied, nullptr, image(peer), data()};
  }
  return {};
}

std::optional<Network> NixlLink::network() const {
  nixl::Description found = agent_->Describe();
  Network network = {
      std::move(found.ucx_version), std::move(found.modules), std::move(found.transports), {}};
  for (const nixl::Setting& setting : agent_->library().Settings()) {
    if (setting.ours) network.settings.push_back(setting.name + "=" + setting.value);
  }
  return network;
}

Status NixlLink::Meet() {
  const std::lock_guard lock(mutex_);
  if (!connected_) return {Code::kState, "meet over NIXL: the link is not connected"};
  return GreetAll();
}

Status NixlLink::GreetAll() {
  ++meetings_;
  for (uint32_t rank = 0; rank < config_.ranks; ++rank) {
    if (rank == config_.rank) continue;
    EP_TRY(Begin(rank, {}, {}).In("greet rank " + std::to_string(rank) + " over NIXL"));
  }
  return AwaitAnswers();
}

Status NixlLink::Learn(uint32_t rank, std::span<const uint8_t> bytes) {
  NixlBlob blob;
  if (!ReadFrom(bytes, &blob) || blob.version != NixlBlob::kVersion ||
      blob.name_bytes >= bytes.size() - sizeof(blob)) {
    return {Code::kInvalid,
            "its blob of " + std::to_string(bytes.size()) + " bytes is not one of this version"};
  }
  if (blob.rank != rank || blob.ranks != config_.ranks || blob.region_bytes != config_.bytes) {
    return {Code::kProtocol,
            "it is rank " + std::to_string(blob.rank) + " of " + std::to_string(blob.ranks) +
                " with a region of " + std::to_string(blob.region_bytes) +
                " bytes, we are one of " + std::to_string(config_.ranks) + " with " +
                std::to_string(config_.bytes) + "; do all ranks run the same plan?"};
  }
  Peer& peer = peers_[rank];
  peer.region = blob.region;
  peer.our_filler = blob.fillers + config_.rank * kWordBytes;
  const auto name = bytes.subspan(sizeof(blob), blob.name_bytes);
  const std::string expected(name.begin(), name.end());
  EP_TRY(agent_->LoadPeer(bytes.subspan(sizeof(blob) + blob.name_bytes), &peer.agent));
  if (peer.agent != expected) {
    return {Code::kProtocol, "its agent is " + peer.agent + " and not " + expected};
  }
  return agent_->Connect(peer.agent);
}

// Leaves once our greetings have arrived and so have all peers'. Neither then needs us to go on:
// a peer's greeting is its last step of connecting to us.
Status NixlLink::AwaitAnswers() {
  const uint64_t begin_ns = NowNs();
  while (true) {
    MoveOn();
    if (!failure_.ok()) return failure_;
    std::string silent;
    for (uint32_t rank = 0; rank < config_.ranks; ++rank) {
      if (rank != config_.rank && peers_[rank].greetings < meetings_)
        silent += " " + std::to_string(rank);
    }
    if (silent.empty() && active_.empty()) return {};
    if (NowNs() - begin_ns > config_.wait_timeout_ns) {
      for (const Channel* channel : active_) silent += " (" + std::to_string(channel->peer) + ")";
      return {Code::kTimeout,
              "connect over NIXL: no answer within " + Milliseconds(config_.wait_timeout_ns) +
                  " from ranks" + silent +
                  " (in brackets: not reached); have they ended, or can UCX's transports not "
                  "reach them?"};
    }
    sched_yield();
  }
}

}  // namespace ep
