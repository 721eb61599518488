// What has to be done before Go's runtime starts: constructors of C run before it. They are in one
// file with a function that is called, without which a linker leaves them out.
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cinttypes>
#include <cstdio>
#include <string_view>

#include "csrc/abi/ep.h"

namespace {

// What this process was told to ignore. Go's runtime installs its handlers before any Go code, and
// keeps what was ignored of SIGHUP and SIGINT alone.
uint64_t ignored_at_start = 0;

__attribute__((constructor)) void LookAtSignals() {
  for (int number = 1; number < 64; ++number) {
    struct sigaction action;
    if (sigaction(number, nullptr, &action) == 0 && action.sa_handler == SIG_IGN) {
      ignored_at_start |= uint64_t{1} << number;
    }
  }
}

// Settings of libraries that this program has no use for, docs/operations.md lists them.
constexpr std::string_view kTakenBack[] = {
    "GRPC_", "ETCD_", "BBOLT_", "OTEL_", "GOLANG_PROTOBUF_REGISTRATION_CONFLICT=",
};

// gRPC, etcd and others look at their variables while Go's packages are initialized, ahead of all
// code of this program: gRPC would write each message that it sends to a file, or look for a
// service mesh. Go takes its environment from where the kernel has put it, so that is where a name
// is changed; what a program that this one starts gets is changed, too.
__attribute__((constructor)) void TakeBackSettings() {
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
    for (const std::string_view prefix : kTakenBack) {
      if (std::string_view(*entry).starts_with(prefix)) (*entry)[0] = '_';
    }
  }
}

// Go's runtime reserves some 0.6 GiB of addresses before it runs any Go code, and some for each
// arena, and ends the process with a page of its own where it gets none.
constexpr uint64_t kAddressBytes = uint64_t{1} << 30;

__attribute__((constructor)) void LookAtAddresses() {
  struct rlimit limit;
  if (getrlimit(RLIMIT_AS, &limit) != 0 || limit.rlim_cur >= kAddressBytes) return;
  char line[160];
  const int length =
      std::snprintf(line, sizeof(line),
                    "perf: the limit of address space is %" PRIu64
                    " KiB, and a process needs %" PRIu64 "; try ulimit -v %" PRIu64 "\n",
                    uint64_t{limit.rlim_cur} >> 10, kAddressBytes >> 10, kAddressBytes >> 10);
  [[maybe_unused]] const ssize_t written = write(STDERR_FILENO, line, static_cast<size_t>(length));
  _exit(2);  // exit code of what this host cannot hold
}

}  // namespace

uint64_t ep_ignored_signals(void) { return ignored_at_start; }
