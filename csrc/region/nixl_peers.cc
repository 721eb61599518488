#include "csrc/region/nixl_peers.h"

#include <sched.h>

#include <algorithm>
#include <utility>

#include "csrc/base/clock.h"
#include "csrc/region/nixl_message.h"

namespace ep {

nixl::Library::Options LibraryOptions(const NixlOptions& options) {
  nixl::Library::Options of_library = {
      .root = options.root, .candidates = options.candidates, .settings = {}};
  if (!options.transports.empty()) {
    of_library.settings.push_back({"UCX_TLS", options.transports});
  }
  return of_library;
}

// Without its own detection of dead peers UCX takes shared memory on one host; ours is
// wait_timeout_ns.
nixl::Agent::Options AgentOptions(const std::string& name) {
  return {.name = "epperf-" + name, .parameters = {{"ucx_error_handling_mode", "none"}}};
}

Result<std::unique_ptr<NixlPeers>> NixlPeers::Create(const RegionConfig& config,
                                                     const NixlOptions& options) {
  if (config.rank >= config.ranks) {
    return {Code::kInvalid, "meet over NIXL: there is no rank " + std::to_string(config.rank) +
                                " of " + std::to_string(config.ranks)};
  }
  std::shared_ptr<const nixl::Library> library;
  EP_TRY(nixl::Library::Load(LibraryOptions(options), &library));
  std::unique_ptr<NixlPeers> made(new NixlPeers(config));
  EP_TRY(nixl::Agent::Create(std::move(library),
                             AgentOptions(options.run_name + "-" + std::to_string(config.rank)),
                             &made->agent_));
  EP_TRY(Mapping::Private(kWordBytes * config.ranks, "fillers", &made->fillers_));
  const nixl::Range fillers[] = {
      {reinterpret_cast<uintptr_t>(made->fillers_.data()), made->fillers_.size()}};
  EP_TRY(made->agent_->Register(fillers));
  return made;
}

Status NixlPeers::MakeBlob(std::vector<uint8_t>* bytes) const {
  std::vector<uint8_t> metadata;
  EP_TRY(agent_->Metadata(&metadata));
  const std::string& name = agent_->name();
  const NixlBlob blob = {.version = NixlBlob::kVersion,
                         .rank = config_.rank,
                         .ranks = config_.ranks,
                         .fillers = reinterpret_cast<uintptr_t>(fillers_.data()),
                         .name_bytes = name.size()};
  const std::span<const uint8_t> head = BytesOf(blob);
  bytes->assign(head.begin(), head.end());
  bytes->insert(bytes->end(), name.begin(), name.end());
  bytes->insert(bytes->end(), metadata.begin(), metadata.end());
  return {};
}

Status NixlPeers::Connect(const std::vector<std::span<const uint8_t>>& blobs) {
  if (blobs.size() != config_.ranks) {
    return {Code::kInvalid, "connect over NIXL: " + std::to_string(blobs.size()) +
                                " blobs, not one for each of " + std::to_string(config_.ranks) +
                                " ranks"};
  }
  if (connected_) return {Code::kState, "connect over NIXL: the ranks are connected"};
  for (uint32_t peer = 0; peer < config_.ranks; ++peer) {
    if (peer == config_.rank || blobs[peer].empty()) continue;
    EP_TRY(Learn(peer, blobs[peer]).In("connect to rank " + std::to_string(peer) + " over NIXL"));
  }
  connected_ = true;
  // Only now, so that a peer that answers at once is known.
  return Meet();
}

Status NixlPeers::Meet() {
  if (!connected_) return {Code::kState, "meet over NIXL: the ranks are not connected"};
  ++meetings_;
  for (uint32_t rank = 0; rank < config_.ranks; ++rank) {
    if (peers_[rank].agent.empty()) continue;
    EP_TRY(Greet(rank).In("greet rank " + std::to_string(rank) + " over NIXL"));
  }
  return AwaitAnswers();
}

Network NixlPeers::network() const {
  nixl::Description found = agent_->Describe();
  Network network = {
      std::move(found.ucx_version), std::move(found.modules), std::move(found.transports), {}};
  for (const nixl::Setting& setting : agent_->library().Settings()) {
    if (setting.ours) network.settings.push_back(setting.name + "=" + setting.value);
  }
  return network;
}

Status NixlPeers::Learn(uint32_t rank, std::span<const uint8_t> bytes) {
  NixlBlob blob;
  if (!ReadFrom(bytes, &blob) || blob.version != NixlBlob::kVersion ||
      blob.name_bytes >= bytes.size() - sizeof(blob)) {
    return {Code::kInvalid,
            "its blob of " + std::to_string(bytes.size()) + " bytes is not one of this version"};
  }
  if (blob.rank != rank || blob.ranks != config_.ranks) {
    return {Code::kProtocol, "it is rank " + std::to_string(blob.rank) + " of " +
                                 std::to_string(blob.ranks) + ", we are one of " +
                                 std::to_string(config_.ranks) +
                                 "; do all ranks run the same plan?"};
  }
  Peer& peer = peers_[rank];
  const auto name = bytes.subspan(sizeof(blob), blob.name_bytes);
  const std::string expected(name.begin(), name.end());
  EP_TRY(agent_->LoadPeer(bytes.subspan(sizeof(blob) + blob.name_bytes), &peer.agent));
  if (peer.agent != expected) {
    return {Code::kProtocol, "its agent is " + peer.agent + " and not " + expected};
  }
  peer.our_filler = blob.fillers + config_.rank * kWordBytes;
  return agent_->Connect(peer.agent);
}

// A notification alone cannot be asked whether it has left. So a filler goes along that nobody
// reads.
Status NixlPeers::Greet(uint32_t rank) {
  Peer& peer = peers_[rank];
  if (!peer.greeting.ok()) {
    const nixl::Range ours[] = {
        {reinterpret_cast<uintptr_t>(fillers_.data()) + config_.rank * kWordBytes, kWordBytes}};
    const nixl::Range theirs[] = {{peer.our_filler, kWordBytes}};
    EP_TRY(agent_->MakeWrite(ours, peer.agent, theirs, &peer.greeting));
  }
  const Notice notice = {kGreeting, config_.rank, meetings_};
  bool done = false;
  EP_TRY(agent_->Post(peer.greeting, BytesOf(notice), &done));
  peer.greets = !done;
  return {};
}

// Leaves once our greetings have arrived and so have all peers'. Neither then needs us to go on:
// a peer's greeting is its last step of connecting to us.
Status NixlPeers::AwaitAnswers() {
  const uint64_t begin_ns = MonotonicNs();
  while (true) {
    EP_TRY(PollGreetings());
    EP_TRY(TakeNotifications());
    std::string silent;
    std::string unreached;
    for (uint32_t rank = 0; rank < config_.ranks; ++rank) {
      const Peer& peer = peers_[rank];
      if (peer.agent.empty()) continue;
      if (peer.greetings < meetings_) silent += " " + std::to_string(rank);
      if (peer.greets) unreached += " (" + std::to_string(rank) + ")";
    }
    if (silent.empty() && unreached.empty()) return {};
    if (MonotonicNs() - begin_ns > config_.wait_timeout_ns) {
      return {Code::kTimeout,
              "connect over NIXL: no answer within " + Milliseconds(config_.wait_timeout_ns) +
                  " from ranks" + silent + unreached +
                  " (in brackets: not reached); have they ended, or can UCX's transports not "
                  "reach them?"};
    }
    sched_yield();
  }
}

Status NixlPeers::PollGreetings() {
  for (uint32_t rank = 0; rank < config_.ranks; ++rank) {
    Peer& peer = peers_[rank];
    if (!peer.greets) continue;
    bool done = false;
    EP_TRY(
        agent_->Poll(peer.greeting, &done).In("greet rank " + std::to_string(rank) + " over NIXL"));
    peer.greets = !done;
  }
  return {};
}

Status NixlPeers::TakeNotifications() {
  Status first;
  EP_TRY(agent_->Notifications([&](std::string_view agent, std::span<const uint8_t> bytes) {
    Status status = Arrived(agent, bytes);
    if (first.ok()) first = std::move(status);
  }));
  return first;
}

Status NixlPeers::Arrived(std::string_view agent, std::span<const uint8_t> bytes) {
  Notice notice;
  if (bytes.size() != sizeof(notice) || !ReadFrom(bytes, &notice) ||
      notice.sender >= config_.ranks || peers_[notice.sender].agent != agent) {
    return {Code::kProtocol, "a notification of " + std::to_string(bytes.size()) + " bytes from " +
                                 std::string(agent) +
                                 ", which is no rank's; does another run have the same name?"};
  }
  if (notice.operation == kProbe) return {};
  if (notice.operation == kGreeting) {
    ++peers_[notice.sender].greetings;
  } else {
    inbox_.emplace_back(notice.sender, notice);
  }
  return {};
}

Status NixlPeers::Arrivals(const std::function<Status(uint32_t peer, const Notice&)>& each) {
  EP_TRY(TakeNotifications());
  if (inbox_.empty()) return {};
  for (const auto& [peer, notice] : std::exchange(inbox_, {})) EP_TRY(each(peer, notice));
  return {};
}

}  // namespace ep
