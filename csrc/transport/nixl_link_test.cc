// Ranks whose memory is apart exchange messages: every byte arrives before its flag does.
#include "csrc/transport/nixl_link.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>

#include <atomic>
#include <functional>
#include <random>
#include <string>
#include <thread>

#include "csrc/transport/nixl_link_test_util.h"

namespace ep {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr uint64_t FlagAt(Route route, uint32_t bank, uint32_t source) {
  return 128 * ((static_cast<uint64_t>(route) * 2 + bank) * kMostRanks + source);
}

// What `source` and a peer share: `by` is the rank that indexes it in the peer's region or image.
constexpr uint64_t ShareAt(Route route, uint32_t bank, uint32_t by) {
  const uint64_t section = 2 * (route == Route::kRegionToImage) + bank;
  return kRowsAt + (section * kMostRanks + by) * kShare;
}

// Progresses until `condition` holds, the link fails, or the time is up.
bool Await(Link& link, const std::function<bool()>& condition) {
  const uint64_t begin_ns = nixl::NowNs();
  while (!condition()) {
    link.Progress();
    uint32_t peer = 0;
    if (const Status status = link.Failure(&peer); !status.ok()) {
      ADD_FAILURE() << status.text();
      return false;
    }
    if (nixl::NowNs() - begin_ns > kDeadlineNs) {
      ADD_FAILURE() << "time is up";
      return false;
    }
    sched_yield();
  }
  return true;
}

uint64_t WordAt(Link& link, uint64_t offset) {
  return std::atomic_ref<uint64_t>(*reinterpret_cast<uint64_t*>(link.region() + offset))
      .load(std::memory_order_acquire);
}

// The extents of a message, the same for both ends: none, one or several.
std::vector<Extent> Message(Route route, uint64_t epoch, uint32_t from, uint32_t to) {
  std::mt19937_64 random(((epoch * 16 + from) * 16 + to) * 4 + static_cast<uint64_t>(route));
  const uint64_t base = ShareAt(route, epoch % 2, route == Route::kImageToRegion ? from : to);
  std::vector<Extent> extents;
  uint64_t at = 0;
  for (uint64_t i = random() % 4; i > 0; --i) {
    at += random() % 1000;
    const uint64_t bytes = random() % 5 == 0 ? kShare / 4 : random() % 5000;
    extents.push_back({base + at, bytes});
    at += bytes;
  }
  return extents;
}

uint8_t Byte(Route route, uint64_t epoch, uint32_t from, uint64_t offset) {
  return static_cast<uint8_t>((offset * 31 + epoch * 7 + from * 3 + static_cast<uint64_t>(route)) ^
                              (offset >> 8));
}

// One operation of an engine: a message to every peer, then one from every peer.
void Epoch(Link& link, Route route, uint32_t rank, uint32_t ranks, uint64_t epoch) {
  const bool push = route == Route::kImageToRegion;
  ASSERT_TRUE(Await(link, [&] { return link.Idle(); }));
  for (uint32_t peer = 0; peer < ranks; ++peer) {
    if (peer == rank) continue;
    const std::vector<Extent> extents = Message(route, epoch, rank, peer);
    uint8_t* from = push ? link.image(peer) : link.region();
    for (const Extent& extent : extents) {
      for (uint64_t i = extent.offset; i < extent.offset + extent.bytes; ++i) {
        from[i] = Byte(route, epoch, rank, i);
      }
    }
    link.Send(peer, route, extents, FlagAt(route, epoch % 2, rank), epoch);
  }
  for (uint32_t peer = 0; peer < ranks; ++peer) {
    if (peer == rank) continue;
    const uint64_t flag = FlagAt(route, epoch % 2, peer);
    ASSERT_TRUE(Await(link, [&] { return WordAt(link, flag) == epoch; }));
    const uint8_t* to = push ? link.region() : link.image(peer);
    uint64_t wrong = 0;
    for (const Extent& extent : Message(route, epoch, peer, rank)) {
      for (uint64_t i = extent.offset; i < extent.offset + extent.bytes; ++i) {
        wrong += to[i] != Byte(route, epoch, peer, i);
      }
    }
    ASSERT_EQ(wrong, 0) << "from " << peer << " in epoch " << epoch;
  }
}

struct World {
  uint32_t ranks;
  bool tcp_only;
};

class NixlLinkTest : public testing::TestWithParam<World> {};

INSTANTIATE_TEST_SUITE_P(, NixlLinkTest,
                         testing::Values(World{2, false}, World{2, true}, World{4, false},
                                         World{4, true}),
                         [](const auto& info) {
                           return std::string(info.param.tcp_only ? "Tcp" : "Default") +
                                  std::to_string(info.param.ranks);
                         });

TEST_P(NixlLinkTest, MovesEveryByteOfManyEpochs) {
  const auto [ranks, tcp_only] = GetParam();
  Processes processes(ranks, [&](Processes& all, uint32_t rank) {
    const auto link = Connected(all, Config(rank, ranks, tcp_only));
    for (uint64_t epoch = 1; epoch <= 60 && !testing::Test::HasFailure(); ++epoch) {
      Epoch(*link, Route::kImageToRegion, rank, ranks, epoch);
      Epoch(*link, Route::kRegionToImage, rank, ranks, epoch);
    }
    // Nobody needs another one's help now.
    EXPECT_TRUE(Await(*link, [&] { return link->Idle(); }));
    all.Meet();
    return Result();
  });
  EXPECT_TRUE(processes.AllSucceed());
}

// The engine's ranks meet elsewhere, and then nobody progresses: messages without bytes have
// arrived by the time that their sender is idle and theirs have come, too.
TEST_P(NixlLinkTest, SetsFlagsWithoutBytes) {
  const auto [ranks, tcp_only] = GetParam();
  Processes processes(ranks, [&](Processes& all, uint32_t rank) {
    const auto link = Connected(all, Config(rank, ranks, tcp_only));
    for (uint64_t epoch = 1; epoch <= 100 && !testing::Test::HasFailure(); ++epoch) {
      for (uint32_t peer = 0; peer < ranks; ++peer) {
        if (peer != rank) link->Send(peer, Route::kImageToRegion, {}, 128 * rank, epoch);
      }
      for (uint32_t peer = 0; peer < ranks; ++peer) {
        EXPECT_TRUE(peer == rank ||
                    Await(*link, [&] { return WordAt(*link, 128 * peer) == epoch; }));
      }
      EXPECT_TRUE(Await(*link, [&] { return link->Idle(); }));
      all.Meet();
    }
    return Result();
  });
  EXPECT_TRUE(processes.AllSucceed());
}

// Nobody leaves a meeting before all have come to it, however far ahead it is.
TEST_P(NixlLinkTest, MeetsAsOftenAsAllDo) {
  const auto [ranks, tcp_only] = GetParam();
  Processes processes(ranks, [&](Processes& all, uint32_t rank) {
    const auto link = Connected(all, Config(rank, ranks, tcp_only));
    for (uint64_t meeting = 1; meeting <= 20 && !testing::Test::HasFailure(); ++meeting) {
      // One is late, and helps the others' greetings along meanwhile.
      for (uint32_t i = 0; meeting % ranks == rank && i < 300; ++i) {
        link->Progress();
        sched_yield();
      }
      all.word(rank) = meeting;
      const Status status = link->Meet();
      EXPECT_TRUE(status.ok()) << status.text();
      for (uint32_t peer = 0; peer < ranks; ++peer) EXPECT_GE(all.word(peer), meeting);
    }
    all.Meet();
    return Result();
  });
  EXPECT_TRUE(processes.AllSucceed());
}

TEST_P(NixlLinkTest, TakesTheTransportsItIsTold) {
  const auto [ranks, tcp_only] = GetParam();
  Processes processes(ranks, [&](Processes& all, uint32_t rank) {
    const auto link = Connected(all, Config(rank, ranks, tcp_only));
    const std::vector<std::string> transports = link->Describe().transports;
    EXPECT_THAT(transports, Contains(HasSubstr(tcp_only ? "tcp/" : "cma")));
    EXPECT_THAT(transports, Not(Contains(HasSubstr(tcp_only ? "cma" : "tcp/"))));
    all.Meet();
    return Result();
  });
  EXPECT_TRUE(processes.AllSucceed());
}

// An engine's workers are threads that wait, and so progress, on their own.
TEST(NixlLink, IsProgressedByManyThreads) {
  Processes processes(2, [&](Processes& all, uint32_t rank) {
    const auto link = Connected(all, Config(rank, 2, false));
    std::atomic<bool> ended = false;
    std::vector<std::thread> threads;
    for (int i = 0; i < 3; ++i) {
      threads.emplace_back([&] {
        while (!ended) {
          link->Progress();
          uint32_t peer = 0;
          if (!link->Failure(&peer).ok()) return;
          sched_yield();
        }
      });
    }
    for (uint64_t epoch = 1; epoch <= 30 && !testing::Test::HasFailure(); ++epoch) {
      Epoch(*link, Route::kImageToRegion, rank, 2, epoch);
      Epoch(*link, Route::kRegionToImage, rank, 2, epoch);
    }
    EXPECT_TRUE(Await(*link, [&] { return link->Idle(); }));
    all.Meet();
    ended = true;
    for (std::thread& thread : threads) thread.join();
    return Result();
  });
  EXPECT_TRUE(processes.AllSucceed());
}

}  // namespace
}  // namespace ep
