// The ranks of a run, as one of them meets them over NIXL: an agent, and peers that have answered.
//
// Greetings and the notices of messages (csrc/region/wire.h) arrive as notifications of one agent,
// so they are taken here, and notices are kept for who asks.
#ifndef CSRC_REGION_NIXL_PEERS_H_
#define CSRC_REGION_NIXL_PEERS_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "csrc/base/mapping.h"
#include "csrc/base/status.h"
#include "csrc/nixl/agent.h"
#include "csrc/region/region.h"
#include "csrc/region/wire.h"

namespace ep {

struct NixlOptions {
  // Where NIXL is, as in nixl::Library::Options.
  std::string root;
  std::vector<std::string> candidates;
  // What UCX_TLS is set to unless the user has; empty: UCX takes what it finds.
  std::string transports;
  // Tells this run's agents from others'.
  std::string run_name;
};

// How ranks load NIXL, and make agents.
nixl::Library::Options LibraryOptions(const NixlOptions& options);
nixl::Agent::Options AgentOptions(const std::string& name);

// One thread at a time.
class NixlPeers {
 public:
  static Result<std::unique_ptr<NixlPeers>> Create(const RegionConfig& config,
                                                   const NixlOptions& options);

  // What peers need for Connect: of the memory that is registered with the agent by then.
  Status MakeBlob(std::vector<uint8_t>* blob) const;
  // Ok once bytes have arrived from and at every peer, so it takes all of them to return. One blob
  // a rank; those that are empty are of ranks that nothing is exchanged with, as ours is.
  Status Connect(const std::vector<std::span<const uint8_t>>& blobs);
  // Ok once every peer has met as often as we have, Connect being the first time. Moves on while it
  // waits: what peers did before needs nobody to do so any more.
  Status Meet();

  // Moves on what is under way, in both directions; what has arrived is kept.
  Status MoveOn() { return TakeNotifications(); }
  // As Wire::Arrivals.
  Status Arrivals(const std::function<Status(uint32_t peer, const Notice&)>& each);

  uint32_t rank() const { return config_.rank; }
  nixl::Agent& agent() { return *agent_; }
  // Of a peer, once connected.
  const std::string& agent_name(uint32_t peer) const { return peers_[peer].agent; }
  // What was loaded and what UCX chose.
  Network network() const;

 private:
  struct Peer {
    std::string agent;        // empty: nothing is exchanged with it
    uint64_t our_filler = 0;  // an address in its process
    uint64_t greetings = 0;   // that have come from it
    nixl::Write greeting;
    bool greets = false;  // ours is under way
  };

  explicit NixlPeers(const RegionConfig& config) : config_(config), peers_(config.ranks) {}

  Status Learn(uint32_t rank, std::span<const uint8_t> blob);
  Status Greet(uint32_t rank);
  Status AwaitAnswers();
  Status PollGreetings();
  Status TakeNotifications();
  Status Arrived(std::string_view agent, std::span<const uint8_t> notification);

  const RegionConfig config_;
  // A word a rank, for greetings. It outlives the agent, which may write to it until it ends.
  Mapping fillers_;
  std::unique_ptr<nixl::Agent> agent_;
  std::vector<Peer> peers_;
  std::vector<std::pair<uint32_t, Notice>> inbox_;
  bool connected_ = false;
  uint64_t meetings_ = 0;
};

}  // namespace ep

#endif  // CSRC_REGION_NIXL_PEERS_H_
