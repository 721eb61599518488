#include "csrc/region/nixl_trial.h"

#include <sched.h>

#include <memory>
#include <string>
#include <utility>

#include "csrc/base/clock.h"
#include "csrc/region/nixl_message.h"

namespace ep {
namespace {

Result<std::unique_ptr<nixl::Agent>> MakeAgent(const std::shared_ptr<const nixl::Library>& library,
                                               const NixlOptions& options, const char* end) {
  std::unique_ptr<nixl::Agent> agent;
  EP_TRY(nixl::Agent::Create(library, AgentOptions(options.run_name + "-trial-" + end), &agent));
  return agent;
}

}  // namespace

Result<std::vector<nixl::PutProtocol>> TryWrite(const NixlOptions& options, nixl::Memory memory,
                                                std::span<uint8_t> bytes, uint64_t timeout_ns) {
  nixl::Library::Options of_library = LibraryOptions(options);
  of_library.settings.push_back({"UCX_PROTO_INFO", "y"});
  std::shared_ptr<const nixl::Library> library;
  EP_TRY(nixl::Library::Load(of_library, &library));
  std::unique_ptr<nixl::Agent> from = EP_TRY(MakeAgent(library, options, "from"));
  std::unique_ptr<nixl::Agent> to = EP_TRY(MakeAgent(library, options, "to"));
  const uint64_t half = bytes.size() / 2;
  const auto begin = reinterpret_cast<uintptr_t>(bytes.data());
  const nixl::Range ours[] = {{begin, half}};
  const nixl::Range theirs[] = {{begin + half, half}};
  EP_TRY(from->Register(ours, memory));
  EP_TRY(to->Register(theirs, memory));
  std::vector<uint8_t> metadata;
  EP_TRY(to->Metadata(&metadata));
  std::string peer;
  EP_TRY(from->LoadPeer(metadata, &peer));
  EP_TRY(from->Connect(peer));
  nixl::Write write;
  EP_TRY(from->MakeWrite(ours, peer, theirs, &write, memory, memory));
  bool done = false;
  EP_TRY(from->Post(write, BytesOf(timeout_ns), &done));
  const uint64_t begin_ns = MonotonicNs();
  while (!done) {
    EP_TRY(from->Poll(write, &done));
    // It moves on in calls alone, and so does the peer.
    EP_TRY(to->Notifications([](std::string_view, std::span<const uint8_t>) {}));
    if (!done && MonotonicNs() - begin_ns > timeout_ns) {
      // UCX uses them as long as the write is under way.
      static_cast<void>(new nixl::Write(std::move(write)));
      static_cast<void>(from.release());
      static_cast<void>(to.release());
      return {Code::kTimeout, "write " + std::to_string(half) + " bytes to this process: no end " +
                                  "within " + Milliseconds(timeout_ns)};
    }
    sched_yield();
  }
  return from->Describe().puts;
}

}  // namespace ep
