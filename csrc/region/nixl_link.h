// A region in host memory whose peers NIXL brings messages: over shared memory, cross-memory
// attach, TCP or whatever else UCX finds.
//
// A message is one write of all its extents with a notification that says which words to set. The
// notification follows the bytes, wherever a network would let a word overtake them, and the words
// are set by their owner. So nothing arrives at a rank that does not call Progress.
#ifndef CSRC_REGION_NIXL_LINK_H_
#define CSRC_REGION_NIXL_LINK_H_

#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "csrc/base/mapping.h"
#include "csrc/nixl/agent.h"
#include "csrc/region/link.h"
#include "csrc/region/region.h"

namespace ep {

struct NixlLinkConfig {
  RegionConfig region;
  // Where NIXL is, as in nixl::Library::Options.
  std::string root;
  std::vector<std::string> candidates;
  // What UCX_TLS is set to unless the user has; empty: UCX takes what it finds.
  std::string transports;
  // Tells this run's agents from others'.
  std::string run_name;
  // Memory of a GPU that peers are to reach otherwise than by messages, and which GPU.
  std::vector<nixl::Range> gpu_ranges = {};
  int gpu = 0;
};

class NixlLink final : public Region, public Link {
 public:
  static Result<std::unique_ptr<NixlLink>> Create(const NixlLinkConfig& config);

  uint8_t* data() const override { return region_.data(); }
  size_t size() const override { return config_.bytes; }
  std::vector<uint8_t> Blob() const override { return blob_; }
  // Ok once bytes have arrived from and at every peer, so it takes all of them to return.
  Status Connect(const std::vector<std::span<const uint8_t>>& blobs, uint32_t rank,
                 std::vector<Reach>* reached) override;
  Link* link() override { return this; }
  // Our image of a peer's region.
  uint8_t* image(uint32_t peer) const { return images_.data() + peer * config_.bytes; }
  // What was loaded and what UCX chose.
  std::optional<Network> network() const override;

  void Send(uint32_t peer, std::span<const Extent> extents,
            std::span<const RaisedWord> words) override;
  void Progress() override;
  // False for ever after a failure.
  bool Idle() override { return under_way_.load(std::memory_order_acquire) == 0; }
  Status Failure(uint32_t* peer) override;

  // Ok once every peer has met as often as we have, Connect being the first time. Moves on while it
  // waits: what peers did before needs nobody to do so any more.
  Status Meet();

  // For what is no message. Calls must not meet those of the link.
  nixl::Agent& agent() { return *agent_; }
  // Of a peer, once connected.
  const std::string& agent_name(uint32_t peer) const { return peers_[peer].agent; }

 private:
  struct Peer {
    std::string agent;
    uint64_t region = 0;  // addresses in its process
    uint64_t our_filler = 0;
    uint64_t greetings = 0;  // that have come from it
  };
  // A write is made once for each list of extents. Epochs of the same routing alternate between
  // four: a dispatch's and a combine's in each bank.
  struct Made {
    std::vector<Extent> extents;
    nixl::Write write;
  };
  struct Channel {
    Made made[4];
    uint32_t replace_next = 0;
    // What is under way; null if nothing is.
    nixl::Write* write = nullptr;
    uint32_t peer = 0;
    uint64_t begun_ns = 0;
  };

  explicit NixlLink(const RegionConfig& config);

  Status Allocate();
  Status MakeBlob();
  Status Learn(uint32_t rank, std::span<const uint8_t> blob);
  Status GreetAll();
  Status AwaitAnswers();
  Status Check(uint32_t peer, std::span<const Extent> extents,
               std::span<const RaisedWord> words) const;
  Status Begin(uint32_t peer, std::span<const Extent> extents, std::span<const RaisedWord> words);
  // The write of these extents, made anew if it must be.
  Result<nixl::Write*> Find(Channel& channel, std::span<const Extent> extents);
  Status Post(Channel& channel, nixl::Write& write, std::span<const RaisedWord> words);
  void MoveOn();
  void Arrived(std::string_view agent, std::span<const uint8_t> notification);
  Status SetWords(uint32_t rank, std::span<const RaisedWord> words);
  void Fail(uint32_t peer, Status status);

  const RegionConfig config_;
  // The memory outlives the agent, which may write to it until it ends, and the agent its writes.
  Mapping region_;
  Mapping images_;
  Mapping fillers_;  // a word a rank, for messages without extents
  std::unique_ptr<nixl::Agent> agent_;
  std::vector<uint8_t> blob_;

  std::mutex mutex_;  // guards all below, and the agent
  std::vector<Peer> peers_;
  std::vector<Channel> channels_;  // one a peer
  std::vector<Channel*> active_;
  std::vector<uint8_t> sent_;         // the notification being posted
  std::vector<RaisedWord> received_;  // the words of the one that is looked at
  bool connected_ = false;
  uint64_t meetings_ = 0;
  Status failure_;
  uint32_t failed_peer_ = 0;

  std::atomic<uint32_t> under_way_ = 0;
  std::atomic<bool> failed_ = false;
};

}  // namespace ep

#endif  // CSRC_REGION_NIXL_LINK_H_
