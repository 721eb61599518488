// An agent of NIXL with its UCX backend: memory that peers may write to, peers, and writes to them.
//
// There is no thread of NIXL's own: transfers and notifications, the peers' included, move on in
// Poll and Notifications alone. Callers take turns; nothing here locks or waits.
#ifndef CSRC_NIXL_AGENT_H_
#define CSRC_NIXL_AGENT_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "csrc/base/status.h"
#include "csrc/nixl/handle.h"
#include "csrc/nixl/library.h"

namespace ep::nixl {

// Bytes at an address, in this process or in a peer's.
struct Range {
  uintptr_t address;
  uint64_t bytes;
};

// Where ranges lie: in a host's memory, or in that of a GPU by the number it has in its process.
struct Memory {
  capi::MemoryType type;
  uint64_t gpu;

  static constexpr Memory Host() { return {capi::kDram, 0}; }
  static constexpr Memory Gpu(int gpu) { return {capi::kVram, static_cast<uint64_t>(gpu)}; }
};

// A range of a peer's GPU memory.
struct PeerRange {
  std::string peer;
  Range range;
  uint64_t gpu;  // in the peer's process
};

class Agent;

// A write to one peer. It can be posted again once it is done. Its agent must outlive it.
class Write {
 public:
  Write() = default;

  bool ok() const { return request_ != nullptr; }

 private:
  friend class Agent;
  struct Release {
    const capi::Functions* functions;
    capi::Agent* agent;
    void operator()(capi::TransferRequest* request) const;
  };

  std::unique_ptr<capi::TransferRequest, Release> request_;
  Handle<capi::OptionalArguments> arguments_;
};

// Ranges that are checked and translated once, for writes of some of them. As Write.
class Prepared {
 private:
  friend class Agent;
  struct Release {
    const capi::Functions* functions;
    capi::Agent* agent;
    void operator()(capi::TransferHandle* handle) const;
  };
  std::unique_ptr<capi::TransferHandle, Release> handle_;
};

class Agent {
 public:
  struct Options {
    std::string name;  // among all agents that meet
    // Parameters of the UCX backend, over its defaults.
    std::vector<std::pair<std::string, std::string>> parameters;
  };
  static Status Create(std::shared_ptr<const Library> library, const Options& options,
                       std::unique_ptr<Agent>* agent);
  ~Agent();
  Agent(const Agent&) = delete;
  Agent& operator=(const Agent&) = delete;

  const std::string& name() const { return name_; }
  const Library& library() const { return *library_; }
  // With what UCX has chosen since this agent was made.
  Description Describe() const { return library_->Describe(log_begin_); }

  // Lets peers write to, and us send from, memory that stays mapped until Deregister or the
  // agent's end. Metadata names what is registered when it is asked for.
  Status Register(std::span<const Range> ranges, Memory memory = Memory::Host());
  Status Deregister(std::span<const Range> ranges, Memory memory = Memory::Host());
  Status Metadata(std::vector<uint8_t>* metadata) const;

  // Learns of a peer from its metadata.
  Status LoadPeer(std::span<const uint8_t> metadata, std::string* peer);
  // Begins to connect. Whether the peer answers shows when it is written to.
  Status Connect(const std::string& peer);
  Status ForgetPeer(const std::string& peer);

  // A write of local ranges to ranges of a peer, pairwise of the same size.
  Status MakeWrite(std::span<const Range> local, const std::string& peer,
                   std::span<const Range> remote, Write* write, Memory from = Memory::Host(),
                   Memory to = Memory::Host());
  // The same of prepared ranges, by their indices.
  Status Prepare(std::span<const Range> local, Prepared* prepared);
  Status Prepare(const std::string& peer, std::span<const Range> remote, Prepared* prepared);
  Status MakeWrite(const Prepared& local, std::span<const int> local_indices,
                   const Prepared& remote, std::span<const int> remote_indices, Write* write);

  // Begins the write; after it the peer gets the notification. What is read must stay until done,
  // and a write that is not must be polled: otherwise the notification may never leave.
  Status Post(Write& write, std::span<const uint8_t> notification, bool* done);
  Status Poll(Write& write, bool* done);
  // Calls `each` with the notifications that have arrived since the last call, in no known order
  // but that of each sender.
  Status Notifications(
      const std::function<void(std::string_view peer, std::span<const uint8_t>)>& each);

  // What kernels of a GPU reach peers' memory by (csrc/nixl/view.h); entry i is of range i. It
  // waits for peers, and has no deadline. To be released before the agent ends.
  Status ViewOf(std::span<const PeerRange> ranges, capi::MemoryView** view);
  Status ReleaseView(capi::MemoryView* view);

 private:
  Agent(std::shared_ptr<const Library> library, std::string name);

  const capi::Functions& functions() const { return library_->functions(); }
  Status CreateBackend(const Options& options);
  Status RegistrationList(std::span<const Range> ranges, Memory memory,
                          Handle<capi::RegistrationList>* list) const;
  Status TransferList(std::span<const Range> ranges, Memory memory,
                      Handle<capi::TransferList>* list) const;
  Status Prepare(const char* peer, std::span<const Range> ranges, Prepared* prepared);
  Status Adopt(capi::TransferRequest* request, Write* write);

  std::shared_ptr<const Library> library_;
  std::string name_;
  size_t log_begin_;
  Handle<capi::Agent> agent_;
  Handle<capi::Backend> backend_;
  // Says that the UCX backend is meant.
  Handle<capi::OptionalArguments> arguments_;
  Handle<capi::NotificationMap> notifications_;
};

}  // namespace ep::nixl

#endif  // CSRC_NIXL_AGENT_H_
