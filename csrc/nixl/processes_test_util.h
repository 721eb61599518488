// Several processes of one test, each with a NIXL of its own: its environment is read once in a
// process. They are forked from one that has not loaded it, share a page, and end with their
// parent. No wait lasts longer than kDeadlineNs.
#ifndef CSRC_NIXL_PROCESSES_TEST_UTIL_H_
#define CSRC_NIXL_PROCESSES_TEST_UTIL_H_

#include <sys/types.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "csrc/base/mapping.h"

namespace ep::nixl {

inline constexpr uint64_t kDeadlineNs = 30'000'000'000;

uint64_t NowNs();

// The folder that the tests' NIXL lies in.
std::string TestRoot();

class Processes {
 public:
  static constexpr uint32_t kMost = 8;
  static constexpr uint32_t kBlobBytes = 16384;

  // Starts `count` processes, each of which runs `body` and ends with what it returns.
  Processes(uint32_t count, const std::function<int(Processes&, uint32_t rank)>& body);
  // Kills those that still run.
  ~Processes();
  Processes(const Processes&) = delete;

  // In the parent: how a process has ended, as a shell says it; -1 if not within the deadline.
  int Await(uint32_t rank);
  bool AllSucceed();
  void Kill(uint32_t rank);

  // In a process. Each ends the process where others do not come within the deadline.
  void Publish(uint32_t rank, std::span<const uint8_t> blob);
  std::span<const uint8_t> BlobOf(uint32_t rank);
  void Meet();
  // Both: numbers that all see, zero at first.
  std::atomic<uint64_t>& word(uint32_t i);
  // Waits for a word to become `value`.
  void AwaitWord(uint32_t i, uint64_t value);

 private:
  struct Shared;

  const uint32_t count_;
  Mapping memory_;
  Shared* shared_;
  std::vector<pid_t> pids_;
};

}  // namespace ep::nixl

#endif  // CSRC_NIXL_PROCESSES_TEST_UTIL_H_
