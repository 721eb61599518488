// What a message costs between two processes: over NIXL as UCX likes it, and over NIXL with nothing
// but TCP, beside a copy into mapped memory, the least that it can cost on one host.
//
//   bazel run //csrc/region/benchmark
//
// Two ranks play ping-pong with messages of the same extents; a message takes half a round trip,
// from Post until the peer has the notice. A mode runs in processes of its own, the modes in turns;
// printed are medians over rounds of the medians within one.
#include <sched.h>
#include <stdio.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "csrc/nixl/processes_test_util.h"
#include "csrc/region/nixl_host_region.h"

namespace ep {
namespace {

using nixl::NowNs;
using nixl::Processes;

constexpr PairAreas kPairs = {4096, uint64_t{64} << 20};
constexpr uint64_t kRounds = 5;
constexpr uint64_t kCaseNs = 200'000'000;
constexpr uint64_t kLeastTrips = 11;
constexpr uint64_t kEnd = ~uint64_t{0};

struct Case {
  const char* name;
  uint64_t extents;
  uint64_t bytes;  // of each; they begin at twice this distance
  // The extents move from message to message, so that no write can be used again.
  bool moving = false;
};
constexpr Case kCases[] = {
    {"8 B", 1, 8},
    {"8 B, a new write each", 1, 8, true},
    {"8 KiB", 1, 8 << 10},
    {"3 x 8 KiB", 3, 8 << 10},
    {"64 KiB", 1, 64 << 10},
    {"1 MiB", 1, 1 << 20},
    {"8 MiB", 1, 8 << 20},
    {"64 x 8 KiB", 64, 8 << 10},
    {"1024 x 8 KiB", 1024, 8 << 10},
    {"1024 x 8 KiB, a new write each", 1024, 8 << 10, true},
};

constexpr const char* kModes[] = {"mapped", "NIXL", "NIXL tcp"};

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

std::vector<PairExtent> ExtentsOf(const Case& c, uint64_t message) {
  std::vector<PairExtent> extents;
  const uint64_t shift = c.moving ? message % 7 * 64 : 0;
  for (uint64_t i = 0; i < c.extents; ++i) extents.push_back({shift + 2 * c.bytes * i, c.bytes});
  return extents;
}

// One of the two ranks.
class Player {
 public:
  Player(Processes& processes, uint32_t mode, uint32_t rank)
      : rank_(rank), region_(Required(NixlHostRegion::Create(Config(mode, rank)))) {
    processes.Publish(rank, region_->Blob());
    Require(region_->Connect({processes.BlobOf(0), processes.BlobOf(1)}, rank, &reached_));
    const Reach& peer = reached_[1 - rank];
    there_ = peer.image != nullptr ? peer.image : AreaIn(peer.region, rank);
    std::memset(there_, 1, kPairs.bytes);
  }

  void Send(const std::vector<PairExtent>& extents, uint64_t value) {
    if (uint8_t* const mapped = reached_[1 - rank_].region; mapped != nullptr) {
      // What would be sent is copied from the other end of our own area.
      const uint8_t* from = AreaIn(region_->data(), rank_);
      for (const PairExtent& extent : extents) {
        std::memcpy(there_ + extent.offset, from + extent.offset, extent.bytes);
      }
      Word(mapped).store(value, std::memory_order_release);
      return;
    }
    Await([this] { return !under_way_; });
    bool done = false;
    Require(region_->wire()->Post(1 - rank_, 0, extents, {1, rank_, value}, &done));
    under_way_ = !done;
  }
  // What has come last.
  uint64_t Came() {
    if (reached_[1 - rank_].region != nullptr) {
      return Word(region_->data()).load(std::memory_order_acquire);
    }
    return came_;
  }
  // Moves on until `condition` holds; the parent bounds the wait.
  template <class Condition>
  void Await(Condition condition) {
    while (!condition()) {
      Require(region_->wire()->Arrivals([this](uint32_t, const Notice& notice) -> Status {
        came_ = notice.flag;
        return {};
      }));
      bool done = true;
      if (under_way_) Require(region_->wire()->Poll(1 - rank_, 0, &done));
      under_way_ = !done;
      sched_yield();
    }
  }
  bool Idle() const { return !under_way_; }

 private:
  static NixlHostRegionConfig Config(uint32_t mode, uint32_t rank) {
    return {.region = {.rank = rank,
                       .ranks = 2,
                       .bytes = kPairs.begin + 2 * kPairs.bytes,
                       .pairs = kPairs,
                       .wait_timeout_ns = nixl::kDeadlineNs},
            .nixl = {.root = nixl::TestRoot(),
                     .candidates = {},
                     .transports = mode == 2 ? "tcp,self" : "",
                     .run_name = "benchmark"},
            .host = mode == 0 ? "here" : ""};
  }
  static uint8_t* AreaIn(uint8_t* region, uint32_t rank) {
    return region + kPairs.begin + rank * kPairs.bytes;
  }
  static std::atomic_ref<uint64_t> Word(uint8_t* region) {
    return std::atomic_ref<uint64_t>(*reinterpret_cast<uint64_t*>(region));
  }

  const uint32_t rank_;
  std::unique_ptr<NixlHostRegion> region_;
  std::vector<Reach> reached_;
  uint8_t* there_ = nullptr;
  uint64_t came_ = 0;
  bool under_way_ = false;
};

// Half a round trip in nanoseconds, the median. `value` counts the messages of all cases.
uint64_t Lead(Player& player, const Case& c, uint64_t* value) {
  std::vector<uint64_t> trips_ns;
  const uint64_t begin_ns = NowNs();
  for (uint64_t now_ns = begin_ns; trips_ns.size() < kLeastTrips || now_ns - begin_ns < kCaseNs;) {
    const std::vector<PairExtent> extents = ExtentsOf(c, ++*value);
    const uint64_t sent_ns = NowNs();
    player.Send(extents, *value);
    player.Await([&] { return player.Came() == *value && player.Idle(); });
    now_ns = NowNs();
    trips_ns.push_back((now_ns - sent_ns) / 2);
  }
  std::ranges::sort(trips_ns);
  return trips_ns[trips_ns.size() / 2];
}

int Play(Processes& processes, uint32_t mode, uint32_t rank) {
  Player player(processes, mode, rank);
  uint64_t value = 0;
  for (uint32_t i = 0; i < std::size(kCases); ++i) {
    processes.Meet();
    if (rank == 0) {
      const uint64_t took_ns = Lead(player, kCases[i], &value);
      player.Send({{0, 8}}, kEnd);
      player.Await([&] { return player.Idle(); });
      processes.word(i) = took_ns;
    }
    while (rank == 1) {
      player.Await([&] { return player.Came() != value; });
      value = player.Came();
      if (value == kEnd) break;
      player.Send(ExtentsOf(kCases[i], value), value);
      player.Await([&] { return player.Idle(); });
    }
    // A message may need its receiver to move on until it is over.
    if (rank == 1) player.Await([&] { return processes.word(i) != 0; });
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
