// What a message costs between two processes: through shared memory, over NIXL as UCX likes it,
// and over NIXL with nothing but TCP.
//
//   bazel run //csrc/region/benchmark
//
// Two ranks play ping-pong with messages of the same extents; a message takes half a round trip,
// from Send until the peer sees the last of its words. A mode runs in processes of its own, the
// modes in turns; printed are medians over rounds of the medians within one.
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "csrc/nixl/processes_test_util.h"
#include "csrc/region/benchmark/shared_link.h"
#include "csrc/region/nixl_link.h"

namespace ep {
namespace {

using nixl::NowNs;
using nixl::Processes;

constexpr uint64_t kRegionBytes = uint64_t{64} << 20;
// A message's last word, whose others lie behind it, the word that ends a case, and where rows
// begin.
constexpr uint64_t kLastWord = 128;
constexpr uint64_t kEnd = 0;
constexpr uint64_t kRowsAt = 8192;
constexpr uint64_t kRounds = 5;
constexpr uint64_t kCaseNs = 200'000'000;
constexpr uint64_t kLeastTrips = 11;

struct Case {
  const char* name;
  uint64_t extents;
  uint64_t bytes;  // of each; they begin at twice this distance
  // The extents move from message to message, so that no request can be used again.
  bool moving = false;
  uint64_t words = 1;
};
constexpr Case kCases[] = {
    {"a word alone", 0, 0},
    {"65 words", 0, 0, false, 65},
    {"513 words", 0, 0, false, Link::kMostWords},
    {"8 B", 1, 8},
    {"8 B, a new request each", 1, 8, true},
    {"64 KiB", 1, 64 << 10},
    {"1 MiB", 1, 1 << 20},
    {"16 MiB", 1, 16 << 20},
    {"1 x 8 KiB", 1, 8 << 10},
    {"64 x 8 KiB", 64, 8 << 10},
    {"1024 x 8 KiB", 1024, 8 << 10},
    {"1024 x 8 KiB, a new request each", 1024, 8 << 10, true},
    {"8 MiB, as much in one", 1, 8 << 20},
};

constexpr const char* kModes[] = {"shared", "NIXL", "NIXL tcp"};

void Require(const Status& status) {
  if (status.ok()) return;
  fprintf(stderr, "benchmark: %s\n", status.text().c_str());
  _exit(1);
}

template <class T>
T Required(Result<T> result) {
  Require(result.status());
  return *std::move(result);
}

std::unique_ptr<Region> MakeRegion(uint32_t mode, uint32_t rank) {
  const RegionConfig config = {.rank = rank,
                               .ranks = 2,
                               .bytes = kRegionBytes,
                               .image_extents = {{kRowsAt, kRegionBytes - kRowsAt}},
                               .wait_timeout_ns = nixl::kDeadlineNs};
  if (mode == 0) return Required(SharedLink::Create(config));
  return Required(NixlLink::Create({.region = config,
                                    .root = nixl::TestRoot(),
                                    .candidates = {},
                                    .transports = mode == 2 ? "tcp,self" : "",
                                    .run_name = "benchmark"}));
}

std::vector<Extent> ExtentsOf(const Case& c, uint64_t message) {
  std::vector<Extent> extents;
  const uint64_t shift = c.moving ? message % 3 * 64 : 0;
  for (uint64_t i = 0; i < c.extents; ++i) {
    extents.push_back({kRowsAt + shift + 2 * c.bytes * i, c.bytes});
  }
  return extents;
}

std::vector<RaisedWord> WordsOf(const Case& c, uint64_t value) {
  std::vector<RaisedWord> words;
  for (uint64_t i = c.words; i > 0; --i) words.push_back({kLastWord + 8 * (i - 1), value});
  return words;
}

// Progresses until `condition` holds; the parent bounds the wait.
template <class Condition>
void Await(Link& link, Condition condition) {
  while (!condition()) {
    link.Progress();
    uint32_t peer = 0;
    Require(link.Failure(&peer));
    sched_yield();
  }
}

uint64_t WordAt(const Region& region, uint64_t offset) {
  return std::atomic_ref<uint64_t>(*reinterpret_cast<uint64_t*>(region.data() + offset))
      .load(std::memory_order_acquire);
}

// Half a round trip in nanoseconds, the median. `value` counts the messages of all cases.
uint64_t Lead(Region& region, const Case& c, uint64_t* value) {
  Link& link = *region.link();
  std::vector<uint64_t> trips_ns;
  const uint64_t begin_ns = NowNs();
  for (uint64_t now_ns = begin_ns; trips_ns.size() < kLeastTrips || now_ns - begin_ns < kCaseNs;) {
    const std::vector<Extent> extents = ExtentsOf(c, ++*value);
    const uint64_t sent_ns = NowNs();
    link.Send(1, extents, WordsOf(c, *value));
    Await(link, [&] { return WordAt(region, kLastWord) == *value && link.Idle(); });
    now_ns = NowNs();
    trips_ns.push_back((now_ns - sent_ns) / 2);
  }
  std::ranges::sort(trips_ns);
  return trips_ns[trips_ns.size() / 2];
}

int Play(Processes& processes, uint32_t mode, uint32_t rank) {
  const auto region = MakeRegion(mode, rank);
  processes.Publish(rank, region->Blob());
  std::vector<Reach> reached;
  Require(region->Connect({processes.BlobOf(0), processes.BlobOf(1)}, rank, &reached));
  Link* const link = region->link();
  std::fill_n(reached[1 - rank].there + kRowsAt, kRegionBytes - kRowsAt, uint8_t{1});
  std::fill_n(region->data() + kRowsAt, kRegionBytes - kRowsAt, uint8_t{1});
  uint64_t value = 0;
  for (uint32_t i = 0; i < std::size(kCases); ++i) {
    processes.Meet();
    if (rank == 0) {
      processes.word(i) = Lead(*region, kCases[i], &value);
      const RaisedWord end[] = {{kEnd, i + 1}};
      link->Send(1, {}, end);
      Await(*link, [&] { return link->Idle(); });
      processes.Meet();
      continue;
    }
    while (WordAt(*region, kEnd) != i + 1) {
      if (WordAt(*region, kLastWord) == value + 1) {
        ++value;
        link->Send(0, ExtentsOf(kCases[i], value), WordsOf(kCases[i], value));
      }
      bool looked = false;
      Await(*link, [&] { return std::exchange(looked, true) && link->Idle(); });
    }
    processes.Meet();
  }
  return 0;
}

uint64_t Median(std::vector<uint64_t> values) {
  std::ranges::sort(values);
  return values[values.size() / 2];
}

int Main() {
  std::vector<uint64_t> ns[std::size(kModes)][std::size(kCases)];
  for (uint64_t round = 0; round < kRounds; ++round) {
    for (uint32_t mode = 0; mode < std::size(kModes); ++mode) {
      Processes processes(2, [&](Processes& all, uint32_t rank) { return Play(all, mode, rank); });
      if (!processes.AllSucceed()) return 1;
      for (uint32_t i = 0; i < std::size(kCases); ++i) ns[mode][i].push_back(processes.word(i));
    }
  }
  printf("%-34s", "us a message, GB/s");
  for (const char* mode : kModes) printf("%12s       ", mode);
  printf("\n");
  for (uint32_t i = 0; i < std::size(kCases); ++i) {
    const Case& c = kCases[i];
    printf("%-34s", c.name);
    for (auto& of_mode : ns) {
      const auto took_ns = static_cast<double>(Median(of_mode[i]));
      printf("%12.1f", took_ns * 1e-3);
      const uint64_t bytes = c.extents * c.bytes;
      bytes < 1024 ? printf("%7s", "") : printf("%7.2f", static_cast<double>(bytes) / took_ns);
    }
    printf("\n");
  }
  return 0;
}

}  // namespace
}  // namespace ep

int main() { return ep::Main(); }
