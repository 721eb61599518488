#include "csrc/nixl/processes_test_util.h"

#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "csrc/base/fd.h"

namespace ep::nixl {
namespace {

[[noreturn]] void Die(const char* why) {
  fprintf(stderr, "process %d: %s\n", getpid(), why);
  _exit(99);
}

// Waits in a process for what others do.
template <class Condition>
void AwaitOthers(const char* what, Condition condition) {
  const uint64_t begin_ns = NowNs();
  while (!condition()) {
    if (NowNs() - begin_ns > kDeadlineNs) Die(what);
    sched_yield();
  }
}

}  // namespace

struct Processes::Shared {
  struct Blob {
    std::atomic<uint32_t> bytes;
    uint8_t data[kBlobBytes];
  };
  std::atomic<uint32_t> met;
  std::atomic<uint64_t> words[64];
  Blob blobs[kMost];
};

uint64_t NowNs() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(now.tv_nsec);
}

std::string TestRoot() {
  const char* file = getenv("EPPERF_TEST_NIXL");
  if (file == nullptr) Die("EPPERF_TEST_NIXL is not set: the BUILD rule names NIXL's library");
  // In the test's folder of links, where everything has the layout that it was built for.
  return std::filesystem::absolute(file).parent_path().parent_path();
}

Processes::Processes(uint32_t count, const std::function<int(Processes&, uint32_t)>& body)
    : count_(count) {
  const Fd fd(memfd_create("epperf-test", MFD_CLOEXEC));
  if (count > kMost || ftruncate(fd.get(), sizeof(Shared)) != 0 ||
      !Mapping::Shared(fd.get(), sizeof(Shared), "a test's memory", &memory_).ok()) {
    Die("cannot share memory");
  }
  shared_ = memory_.As<Shared>();
  fflush(nullptr);  // or every process prints what is not yet printed
  for (uint32_t rank = 0; rank < count; ++rank) {
    const pid_t pid = fork();
    if (pid == 0) {
      prctl(PR_SET_PDEATHSIG, SIGKILL);
      const int status = body(*this, rank);
      fflush(nullptr);
      _exit(status);
    }
    pids_.push_back(pid);
  }
}

Processes::~Processes() {
  for (uint32_t rank = 0; rank < pids_.size(); ++rank) {
    if (pids_[rank] <= 0) continue;
    Kill(rank);
    waitpid(pids_[rank], nullptr, 0);
  }
}

int Processes::Await(uint32_t rank) {
  const Fd process(static_cast<int>(syscall(SYS_pidfd_open, pids_[rank], 0)));
  pollfd ended = {.fd = process.get(), .events = POLLIN, .revents = 0};
  if (poll(&ended, 1, static_cast<int>(kDeadlineNs / 1'000'000)) != 1) return -1;
  int status = 0;
  waitpid(pids_[rank], &status, 0);
  pids_[rank] = 0;
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

bool Processes::AllSucceed() {
  bool all = true;
  for (uint32_t rank = 0; rank < count_; ++rank) {
    const int status = Await(rank);
    if (status != 0) fprintf(stderr, "process %u ended with %d\n", rank, status);
    all = all && status == 0;
  }
  return all;
}

void Processes::Kill(uint32_t rank) { kill(pids_[rank], SIGKILL); }

void Processes::Publish(uint32_t rank, std::span<const uint8_t> blob) {
  if (blob.size() > kBlobBytes) Die("its blob is too long");
  std::ranges::copy(blob, shared_->blobs[rank].data);
  shared_->blobs[rank].bytes.store(static_cast<uint32_t>(blob.size()));
}

std::span<const uint8_t> Processes::BlobOf(uint32_t rank) {
  Shared::Blob& blob = shared_->blobs[rank];
  AwaitOthers("no blob came", [&] { return blob.bytes.load() != 0; });
  return {blob.data, blob.bytes.load()};
}

void Processes::Meet() {
  const uint32_t until = (shared_->met.fetch_add(1) / count_ + 1) * count_;
  AwaitOthers("not all came", [&] { return shared_->met.load() >= until; });
}

std::atomic<uint64_t>& Processes::word(uint32_t i) { return shared_->words[i]; }

void Processes::AwaitWord(uint32_t i, uint64_t value) {
  AwaitOthers("a word did not come", [&] { return word(i).load() == value; });
}

}  // namespace ep::nixl
