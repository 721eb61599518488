// Ranks whose memory is apart exchange messages over the NIXL of the wheel: every byte arrives
// before its flag does, and who is gone is named.
#include "csrc/transport/nixl_link.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>

#include <cstring>
#include <functional>
#include <random>
#include <thread>

#include "csrc/nixl/processes_test_util.h"
#include "csrc/transport/nixl_message.h"

namespace ep {
namespace {

using nixl::kDeadlineNs;
using nixl::Processes;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Not;

// A region: a flag of each (route, bank, source), then what each source pushes, then what each
// destination pulls, in two banks each.
constexpr uint64_t kMostRanks = 4;
constexpr uint64_t kShare = uint64_t{1} << 18;
constexpr uint64_t kRowsAt = 65536;
constexpr uint64_t kRegionBytes = kRowsAt + 4 * kMostRanks * kShare;

constexpr uint64_t FlagAt(Route route, uint32_t bank, uint32_t source) {
  return 128 * ((static_cast<uint64_t>(route) * 2 + bank) * kMostRanks + source);
}

// What `source` and a peer share: `by` is the rank that indexes it in the peer's region or image.
constexpr uint64_t ShareAt(Route route, uint32_t bank, uint32_t by) {
  const uint64_t section = 2 * (route == Route::kRegionToImage) + bank;
  return kRowsAt + (section * kMostRanks + by) * kShare;
}

NixlLinkConfig Config(uint32_t rank, uint32_t ranks, bool tcp_only) {
  return {.link = {.rank = rank,
                   .ranks = ranks,
                   .region_bytes = kRegionBytes,
                   .image_extents = {{kRowsAt, (kRegionBytes - kRowsAt) / 2},
                                     {(kRegionBytes + kRowsAt) / 2, (kRegionBytes - kRowsAt) / 2}},
                   .wait_timeout_ns = kDeadlineNs},
          .root = nixl::TestRoot(),
          .candidates = {},
          .tcp_only = tcp_only,
          .run_name = "test"};
}

void Require(const Status& status) {
  if (status.ok()) return;
  fprintf(stderr, "%s\n", status.text().c_str());
  _exit(98);
}

std::unique_ptr<NixlLink> MakeLink(Processes& all, const NixlLinkConfig& config) {
  std::unique_ptr<NixlLink> link;
  Require(NixlLink::Create(config, &link));
  all.Publish(config.link.rank, link->Blob());
  return link;
}

std::vector<std::span<const uint8_t>> Blobs(Processes& all, uint32_t ranks) {
  std::vector<std::span<const uint8_t>> blobs;
  for (uint32_t rank = 0; rank < ranks; ++rank) blobs.push_back(all.BlobOf(rank));
  return blobs;
}

std::unique_ptr<NixlLink> Connected(Processes& all, const NixlLinkConfig& config) {
  auto link = MakeLink(all, config);
  Require(link->Connect(Blobs(all, config.link.ranks)));
  return link;
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

int Result() { return testing::Test::HasFailure() ? 1 : 0; }

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

// Rank 1 is killed, or merely silent, while rank 0 sends to it until that fails.
void ExpectFailureOfRank1(bool tcp_only, bool kill) {
  Processes processes(2, [&](Processes& all, uint32_t rank) {
    NixlLinkConfig config = Config(rank, 2, tcp_only);
    config.link.wait_timeout_ns = 2'000'000'000;
    const auto link = Connected(all, config);
    all.Meet();
    if (rank == 1) {  // it never progresses again
      all.AwaitWord(0, 3);
      return Result();
    }
    const Extent extents[] = {{kRowsAt, (kRegionBytes - kRowsAt) / 2}};
    all.word(0) = 1;
    if (kill) all.AwaitWord(0, 2);
    const uint64_t begin_ns = nixl::NowNs();
    uint32_t peer = 0;
    Status status;
    for (uint64_t i = 0; status.ok() && nixl::NowNs() - begin_ns < kDeadlineNs; ++i) {
      if (link->Idle()) link->Send(1, Route::kImageToRegion, extents, 0, i);
      link->Progress();
      status = link->Failure(&peer);
      // Over memory that is attached directly, a silent rank receives, and never sets a flag.
      if (!kill && i > 10 && link->Idle()) break;
    }
    if (!status.ok()) {
      EXPECT_EQ(peer, 1);
      EXPECT_THAT(status.text(), HasSubstr("send to rank 1: "));
      EXPECT_THAT(status.text(), HasSubstr("ended"));
      EXPECT_FALSE(link->Idle());
    }
    EXPECT_TRUE(!kill || !status.ok());
    all.word(0) = 3;
    return Result();
  });
  const uint64_t begin_ns = nixl::NowNs();
  while (processes.word(0) != 1 && nixl::NowNs() - begin_ns < kDeadlineNs) sched_yield();
  if (kill) {
    processes.Kill(1);
    EXPECT_EQ(processes.Await(1), 128 + SIGKILL);
    processes.word(0) = 2;
  }
  EXPECT_EQ(processes.Await(0), 0);
}

TEST(NixlLink, NamesAPeerThatIsKilled) { ExpectFailureOfRank1(false, true); }
TEST(NixlLink, NamesAPeerThatIsKilledOverTcp) { ExpectFailureOfRank1(true, true); }
TEST(NixlLink, DoesNotWaitForEverForASilentPeer) { ExpectFailureOfRank1(false, false); }
TEST(NixlLink, DoesNotWaitForEverForASilentPeerOverTcp) { ExpectFailureOfRank1(true, false); }

TEST(NixlLink, NamesAPeerThatDoesNotConnect) {
  Processes processes(2, [&](Processes& all, uint32_t rank) {
    NixlLinkConfig config = Config(rank, 2, false);
    config.link.wait_timeout_ns = 500'000'000;
    const auto link = MakeLink(all, config);
    if (rank == 0) {
      const Status status = link->Connect(Blobs(all, 2));
      EXPECT_EQ(status.code(), Code::kTimeout);
      EXPECT_THAT(status.text(), HasSubstr("no answer within 500 ms from ranks 1"));
    }
    all.Meet();
    return Result();
  });
  EXPECT_TRUE(processes.AllSucceed());
}

TEST(NixlLink, NamesAPeerThatHasEndedBeforeItConnects) {
  Processes processes(2, [&](Processes& all, uint32_t rank) {
    const auto link = MakeLink(all, Config(rank, 2, false));
    if (rank == 1) return 0;
    all.AwaitWord(0, 1);
    const Status status = link->Connect(Blobs(all, 2));
    EXPECT_THAT(status.text(), HasSubstr("connect to rank 1 over NIXL: "));
    EXPECT_THAT(status.text(), HasSubstr("has it ended"));
    return Result();
  });
  EXPECT_EQ(processes.Await(1), 0);
  processes.word(0) = 1;
  EXPECT_EQ(processes.Await(0), 0);
}

TEST(NixlLink, RefusesBlobsThatAreNone) {
  Processes processes(1, [&](Processes& all, uint32_t) {
    const auto link = MakeLink(all, Config(0, 2, false));
    const std::vector<uint8_t> own = link->Blob();
    const std::vector<uint8_t> garbage(200, 3);
    std::vector<uint8_t> cut(own.begin(), own.begin() + sizeof(NixlBlob));
    EXPECT_EQ(link->Connect({own}).code(), Code::kInvalid);
    EXPECT_EQ(link->Connect({own, garbage}).code(), Code::kInvalid);
    EXPECT_EQ(link->Connect({own, cut}).code(), Code::kInvalid);
    const Status status = link->Connect({own, own});
    EXPECT_EQ(status.code(), Code::kProtocol);
    EXPECT_THAT(status.text(), HasSubstr("do all ranks run the same plan?"));
    return Result();
  });
  EXPECT_TRUE(processes.AllSucceed());
}

// An agent that speaks as rank 0's link, and says what a link never would.
void SpeakAsRank0(Processes& all, const std::function<void(nixl::Agent&, std::string)>& speak) {
  std::shared_ptr<const nixl::Library> library;
  Require(
      nixl::Library::Load({.root = nixl::TestRoot(), .candidates = {}, .settings = {}}, &library));
  const std::string name = "epperf-test-0";
  std::unique_ptr<nixl::Agent> agent;
  Require(nixl::Agent::Create(
      library, {.name = name, .parameters = {{"ucx_error_handling_mode", "none"}}}, &agent));
  Mapping memory;
  Require(Mapping::Private(4096, "a test's memory", &memory));
  const nixl::Range range[] = {{reinterpret_cast<uintptr_t>(memory.data()), 4096}};
  Require(agent->Register(range));
  NixlBlob blob = {.version = NixlBlob::kVersion,
                   .rank = 0,
                   .ranks = 2,
                   .region_bytes = kRegionBytes,
                   .region = 0,
                   .images = 0,
                   .words = range[0].address,
                   .name_bytes = name.size()};
  std::vector<uint8_t> bytes(BytesOf(blob).begin(), BytesOf(blob).end());
  bytes.insert(bytes.end(), name.begin(), name.end());
  std::vector<uint8_t> metadata;
  Require(agent->Metadata(&metadata));
  bytes.insert(bytes.end(), metadata.begin(), metadata.end());
  all.Publish(0, bytes);

  const std::span<const uint8_t> theirs = all.BlobOf(1);
  if (!ReadFrom(theirs, &blob)) _exit(97);
  std::string peer;
  Require(agent->LoadPeer(theirs.subspan(sizeof(blob) + blob.name_bytes), &peer));
  Require(agent->Connect(peer));
  Require(agent->Notify(peer, BytesOf(NixlNotification{0, NixlNotification::kGreeting, 0})));
  speak(*agent, peer);
  const uint64_t begin_ns = nixl::NowNs();
  while (all.word(0) == 0 && nixl::NowNs() - begin_ns < kDeadlineNs) {
    Require(agent->Notifications([](std::string_view, std::span<const uint8_t>) {}));
  }
}

// Rank 1's failure once rank 0 has said `said`, which may come while rank 1 still connects.
void ExpectRefusal(std::span<const uint8_t> said, const std::string& text) {
  Processes processes(2, [&](Processes& all, uint32_t rank) {
    if (rank == 0) {
      SpeakAsRank0(all, [&](nixl::Agent& agent, const std::string& peer) {
        Require(agent.Notify(peer, said));
      });
      return Result();
    }
    const auto link = MakeLink(all, Config(1, 2, false));
    Status status = link->Connect(Blobs(all, 2));
    const uint64_t begin_ns = nixl::NowNs();
    while (status.ok() && nixl::NowNs() - begin_ns < kDeadlineNs) {
      link->Progress();
      uint32_t peer = 9;
      status = link->Failure(&peer);
    }
    EXPECT_EQ(status.code(), Code::kProtocol);
    EXPECT_THAT(status.text(), HasSubstr(text));
    all.word(0) = 1;
    return Result();
  });
  EXPECT_TRUE(processes.AllSucceed());
}

TEST(NixlLink, SetsNoWordThatIsNone) {
  const std::string where = "a message of rank 0 wants to set a flag at ";
  ExpectRefusal(BytesOf(NixlNotification{0, kRegionBytes, 1}), where);
  ExpectRefusal(BytesOf(NixlNotification{0, kRegionBytes - 4, 1}), where);
  ExpectRefusal(BytesOf(NixlNotification{0, 4, 1}), where + "4 of");
  ExpectRefusal(BytesOf(NixlNotification{0, ~uint64_t{7}, 1}), where);
}

TEST(NixlLink, ReadsNoNotificationThatIsNone) {
  const std::string whose = " bytes from epperf-test-0, which is no rank's";
  ExpectRefusal(BytesOf(NixlNotification{1, 0, 1}), whose);
  ExpectRefusal(BytesOf(NixlNotification{2, 0, 1}), whose);
  ExpectRefusal(std::vector<uint8_t>{1, 2, 3}, "3" + whose);
}

TEST(NixlLink, RefusesToSendWhatIsNoMessage) {
  struct Wrong {
    uint32_t peer;
    Extent extent;
    uint64_t flag;
    Code code;
  };
  const Wrong wrongs[] = {
      {0, {kRowsAt, 8}, 0, Code::kInvalid},                      // itself
      {2, {kRowsAt, 8}, 0, Code::kInvalid},                      // nobody
      {1, {kRegionBytes - 8, 16}, 0, Code::kInvalid},            // beyond
      {1, {kRegionBytes + 8, ~uint64_t{0}}, 0, Code::kInvalid},  // wraps
      {1, {kRowsAt, 8}, kRegionBytes, Code::kInvalid},           // no flag
      {1, {kRowsAt, 8}, 12, Code::kInvalid},                     // not aligned
      {1, {kRowsAt - 64, 8}, 0, Code::kSystem},                  // not registered
  };
  for (const Wrong& wrong : wrongs) {
    Processes processes(2, [&](Processes& all, uint32_t rank) {
      const auto link = Connected(all, Config(rank, 2, false));
      if (rank == 0) {
        link->Send(wrong.peer, Route::kImageToRegion, {&wrong.extent, 1}, wrong.flag, 1);
        uint32_t peer = 9;
        EXPECT_EQ(link->Failure(&peer).code(), wrong.code) << link->Failure(&peer).text();
        EXPECT_EQ(peer, wrong.peer);
        EXPECT_FALSE(link->Idle());
      }
      all.Meet();
      return Result();
    });
    EXPECT_TRUE(processes.AllSucceed());
  }
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

TEST(NixlLink, RefusesASecondMessageOfARoute) {
  Processes processes(2, [&](Processes& all, uint32_t rank) {
    const auto link = Connected(all, Config(rank, 2, true));
    if (rank == 0) {
      const Extent extents[] = {{kRowsAt, (kRegionBytes - kRowsAt) / 2}};
      link->Send(1, Route::kImageToRegion, extents, 0, 1);
      EXPECT_FALSE(link->Idle());
      link->Send(1, Route::kImageToRegion, extents, 0, 2);
      uint32_t peer = 0;
      EXPECT_EQ(link->Failure(&peer).code(), Code::kState);
    }
    all.Meet();
    return Result();
  });
  EXPECT_TRUE(processes.AllSucceed());
}

}  // namespace
}  // namespace ep
