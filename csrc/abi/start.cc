// What has to be done before Go's runtime starts: constructors of C run before it. They are in one
// file with a function that is called, without which a linker leaves them out.
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cinttypes>
#include <cstdarg>
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

// Settings of libraries that this program has no use for, docs/operations.md lists them. Those of
// Go's runtime would have it print traces, end the process where they are misspelt, or start
// thousands of threads; GOTRACEBACK stays, with which a launcher has its ranks say little.
constexpr std::string_view kTakenBack[] = {
    "GRPC_",
    "ETCD_",
    "BBOLT_",
    "OTEL_",
    "GODEBUG=",
    "GOGC=",
    "GOMEMLIMIT=",
    "GOMAXPROCS=",
    "GOLANG_PROTOBUF_REGISTRATION_CONFLICT=",
    "GOPROTODEBUG=",
    "DEBUG_HTTP2_GOROUTINES=",
    "MD2MAN_DEBUG=",
    "CLI_TEMPLATE_ERROR_DEBUG=",
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

// Ends the process before Go's runtime, which ends it with a page of its own where it lacks
// something.
__attribute__((format(printf, 1, 2), noreturn)) void Refuse(const char* format, ...) {
  char line[256];
  va_list arguments;
  va_start(arguments, format);
  const int length = std::vsnprintf(line, sizeof(line), format, arguments);
  va_end(arguments);
  [[maybe_unused]] const ssize_t written = write(STDERR_FILENO, line, static_cast<size_t>(length));
  _exit(2);  // exit code of what this host cannot hold
}

// What a resource limit must leave: Go's runtime reserves some 0.6 GiB of addresses before it runs
// any Go code, and each thread has 8 MiB for a stack, and 64 MiB of addresses once it allocates.
constexpr uint64_t kAddressBytes = uint64_t{2} << 30;
constexpr uint64_t kDataBytes = uint64_t{256} << 20;

void LookAtLimit(int resource, const char* what, const char* option, uint64_t needed_bytes) {
  struct rlimit limit;
  if (getrlimit(resource, &limit) != 0 || limit.rlim_cur >= needed_bytes) return;
  Refuse("perf: the limit of %s is %" PRIu64 " KiB, and a process needs %" PRIu64
         "; try ulimit %s %" PRIu64 "\n",
         what, uint64_t{limit.rlim_cur} >> 10, needed_bytes >> 10, option, needed_bytes >> 10);
}

// Threads that any process of this program has besides its first; preflight counts what a run
// takes.
constexpr int kThreads = 6;

pthread_mutex_t until_counted = PTHREAD_MUTEX_INITIALIZER;

void* AwaitCount(void*) {
  pthread_mutex_lock(&until_counted);
  pthread_mutex_unlock(&until_counted);
  return nullptr;
}

// Starts these threads all at once: of the limits of a cgroup, of a user and of a PID namespace the
// kernel tells only so.
void LookAtThreads() {
  pthread_t threads[kThreads];
  int started = 0;
  pthread_mutex_lock(&until_counted);
  while (started < kThreads &&
         pthread_create(&threads[started], nullptr, AwaitCount, nullptr) == 0) {
    ++started;
  }
  pthread_mutex_unlock(&until_counted);
  for (int i = 0; i < started; ++i) pthread_join(threads[i], nullptr);
  if (started == kThreads) return;
  Refuse(
      "perf: a process needs %d threads, and this machine starts %d; look at pids.max of its "
      "cgroup and at ulimit -u, and raise it\n",
      kThreads + 1, started + 1);
}

__attribute__((constructor)) void LookAtLimits() {
  LookAtLimit(RLIMIT_AS, "address space", "-v", kAddressBytes);
  LookAtLimit(RLIMIT_DATA, "data", "-d", kDataBytes);
  LookAtThreads();
}

}  // namespace

uint64_t ep_ignored_signals(void) { return ignored_at_start; }
