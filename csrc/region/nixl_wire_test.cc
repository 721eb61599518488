// Ranks whose memory is apart exchange messages: every byte arrives before the notice does.
#include "csrc/region/nixl_wire.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>

#include <algorithm>
#include <functional>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "csrc/region/nixl_wire_test_util.h"

namespace ep {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Not;

// One end, which remembers what has come.
class End {
 public:
  End(Processes& all, const NixlHostRegionConfig& config)
      : connected_(ConnectAll(all, config)),
        ranks_(config.region.ranks),
        come_(ranks_),
        under_way_(ranks_ * Wire::kRequests) {}

  // Moves on until `condition` holds, the wire fails, or the time is up.
  bool Await(const std::function<bool()>& condition) {
    const uint64_t begin_ns = nixl::NowNs();
    while (!condition()) {
      Status status = wire().Arrivals([this](uint32_t peer, const Notice& notice) -> Status {
        EXPECT_EQ(notice.sender, peer);
        EXPECT_EQ(notice.operation, 1u);
        come_[peer].insert(notice.flag);
        return {};
      });
      for (uint32_t i = 0; i < under_way_.size() && status.ok(); ++i) {
        if (!under_way_[i]) continue;
        bool done = false;
        status = wire().Poll(i / Wire::kRequests, i % Wire::kRequests, &done);
        under_way_[i] = !done;
      }
      if (!status.ok() || nixl::NowNs() - begin_ns > kDeadlineNs) {
        ADD_FAILURE() << (status.ok() ? "time is up" : status.text());
        return false;
      }
      sched_yield();
    }
    return true;
  }
  bool IsIdle() const { return std::ranges::find(under_way_, true) == under_way_.end(); }
  bool HasCome(uint32_t peer, uint64_t epoch) const { return come_[peer].contains(epoch); }

  void Post(uint32_t peer, uint64_t epoch, const std::vector<PairExtent>& extents) {
    const uint32_t request = epoch % Wire::kRequests;
    ASSERT_TRUE(Await([&] { return !under_way_[peer * Wire::kRequests + request]; }));
    bool done = false;
    const Status status = wire().Post(peer, request, extents, {1, rank(), epoch}, &done);
    ASSERT_TRUE(status.ok()) << status.text();
    under_way_[peer * Wire::kRequests + request] = !done;
  }

  Wire& wire() { return connected_->wire(); }
  uint32_t rank() const { return connected_->rank; }
  uint32_t ranks() const { return ranks_; }
  Connected& connected() { return *connected_; }

 private:
  std::unique_ptr<Connected> connected_;
  const uint32_t ranks_;
  std::vector<std::set<uint64_t>> come_;  // epochs, by peer: requests end in any order
  std::vector<bool> under_way_;           // [peer, request]
};

// What a rank sends another in an epoch, as both know it: one extent or several.
std::vector<PairExtent> Message(uint64_t epoch, uint32_t from, uint32_t to) {
  std::mt19937_64 random((epoch * 16 + from) * 16 + to);
  std::vector<PairExtent> extents;
  uint64_t at = epoch % 2 * kHalfArea;
  for (uint64_t i = 1 + random() % 3; i > 0; --i) {
    at += random() % 1000;
    const uint64_t bytes = 1 + (random() % 5 == 0 ? kHalfArea / 4 : random() % 5000);
    extents.push_back({at, bytes});
    at += bytes;
  }
  return extents;
}

uint8_t Byte(uint64_t epoch, uint32_t from, uint64_t offset) {
  return static_cast<uint8_t>((offset * 31 + epoch * 7 + from * 3) ^ (offset >> 8));
}

// One operation of an engine: a message to every peer, then one from every peer.
void Epoch(End& end, uint64_t epoch) {
  for (uint32_t peer = 0; peer < end.ranks(); ++peer) {
    if (peer == end.rank()) continue;
    const std::vector<PairExtent> extents = Message(epoch, end.rank(), peer);
    for (const PairExtent& extent : extents) {
      for (uint64_t i = extent.offset; i < extent.offset + extent.bytes; ++i) {
        end.connected().image(peer)[i] = Byte(epoch, end.rank(), i);
      }
    }
    end.Post(peer, epoch, extents);
  }
  for (uint32_t peer = 0; peer < end.ranks(); ++peer) {
    if (peer == end.rank()) continue;
    ASSERT_TRUE(end.Await([&] { return end.HasCome(peer, epoch); }));
    uint64_t wrong = 0;
    for (const PairExtent& extent : Message(epoch, peer, end.rank())) {
      for (uint64_t i = extent.offset; i < extent.offset + extent.bytes; ++i) {
        wrong += end.connected().area(peer)[i] != Byte(epoch, peer, i);
      }
    }
    EXPECT_EQ(wrong, 0) << "bytes from " << peer << " in epoch " << epoch;
  }
}

struct World {
  uint32_t ranks;
  bool tcp_only;
};

class NixlWireTest : public testing::TestWithParam<World> {};

INSTANTIATE_TEST_SUITE_P(, NixlWireTest,
                         testing::Values(World{2, false}, World{2, true}, World{4, false},
                                         World{4, true}),
                         [](const auto& info) {
                           return std::string(info.param.tcp_only ? "Tcp" : "Default") +
                                  std::to_string(info.param.ranks);
                         });

TEST_P(NixlWireTest, MovesEveryByteOfManyEpochs) {
  const auto [ranks, tcp_only] = GetParam();
  Processes processes(ranks, [&](Processes& all, uint32_t rank) {
    End end(all, Config(rank, ranks, tcp_only));
    for (uint64_t epoch = 1; epoch <= 120 && !testing::Test::HasFailure(); ++epoch) {
      Epoch(end, epoch);
    }
    // Nobody needs another one's help now.
    EXPECT_TRUE(end.Await([&] { return end.IsIdle(); }));
    all.Meet();
    return ExitStatus();
  });
  EXPECT_TRUE(processes.AllSucceed());
}

// The engine's ranks meet elsewhere, and then nobody moves on: messages have arrived by the time
// that their sender is idle and theirs have come, too.
TEST_P(NixlWireTest, NeedsNobodyOnceAllIsOver) {
  const auto [ranks, tcp_only] = GetParam();
  Processes processes(ranks, [&](Processes& all, uint32_t rank) {
    End end(all, Config(rank, ranks, tcp_only));
    for (uint64_t epoch = 1; epoch <= 60 && !testing::Test::HasFailure(); ++epoch) {
      for (uint32_t peer = 0; peer < ranks; ++peer) {
        if (peer != rank) end.Post(peer, epoch, {{epoch % 2 * kHalfArea, 8}});
      }
      for (uint32_t peer = 0; peer < ranks; ++peer) {
        EXPECT_TRUE(peer == rank || end.Await([&] { return end.HasCome(peer, epoch); }));
      }
      EXPECT_TRUE(end.Await([&] { return end.IsIdle(); }));
      all.Meet();
    }
    return ExitStatus();
  });
  EXPECT_TRUE(processes.AllSucceed());
}

TEST_P(NixlWireTest, TakesTheTransportsItIsTold) {
  const auto [ranks, tcp_only] = GetParam();
  Processes processes(ranks, [&](Processes& all, uint32_t rank) {
    const auto connected = ConnectAll(all, Config(rank, ranks, tcp_only));
    const std::vector<std::string> transports = connected->region->network()->transports;
    EXPECT_THAT(transports, Contains(HasSubstr(tcp_only ? "tcp/" : "cma")));
    EXPECT_THAT(transports, Not(Contains(HasSubstr(tcp_only ? "cma" : "tcp/"))));
    all.Meet();
    return ExitStatus();
  });
  EXPECT_TRUE(processes.AllSucceed());
}

// Nobody leaves a meeting before all have come to it, however far ahead it is.
TEST(NixlPeers, MeetAsOftenAsAllDo) {
  Processes processes(3, [&](Processes& all, uint32_t rank) {
    const NixlHostRegionConfig config = Config(rank, 3, true);
    Result<std::unique_ptr<NixlPeers>> made = NixlPeers::Create(config.region, config.nixl);
    Require(made.status());
    NixlPeers& peers = **made;
    std::vector<uint8_t> blob;
    Require(peers.MakeBlob(&blob));
    all.Publish(rank, blob);
    Require(peers.Connect(Blobs(all, 3)));
    for (uint64_t meeting = 1; meeting <= 20 && !testing::Test::HasFailure(); ++meeting) {
      // One is late, and helps the others' greetings along meanwhile.
      for (uint32_t i = 0; meeting % 3 == rank && i < 300; ++i) {
        Require(peers.Arrivals([](uint32_t, const Notice&) -> Status { return {}; }));
        sched_yield();
      }
      all.word(rank) = meeting;
      const Status status = peers.Meet();
      EXPECT_TRUE(status.ok()) << status.text();
      for (uint32_t peer = 0; peer < 3; ++peer) EXPECT_GE(all.word(peer), meeting);
    }
    all.Meet();
    return ExitStatus();
  });
  EXPECT_TRUE(processes.AllSucceed());
}

// Ranks 0 and 1 are on one host, rank 2 on another: those map each other, and post to that.
TEST(NixlHostRegion, MapsWithinAHostAndPostsBetween) {
  Processes processes(3, [&](Processes& all, uint32_t rank) {
    NixlHostRegionConfig config = Config(rank, 3, true);
    config.host = rank < 2 ? "here" : "there";
    const auto connected = ConnectAll(all, config);
    for (uint32_t peer = 0; peer < 3; ++peer) {
      const Reach& reach = connected->reached[peer];
      const bool own = peer == rank;
      const bool mapped = !own && peer < 2 && rank < 2;
      EXPECT_EQ(reach.how, own ? Reached::kOwn : mapped ? Reached::kMapped : Reached::kProxied);
      EXPECT_EQ(reach.region != nullptr, own || mapped);
      EXPECT_EQ(reach.image != nullptr, !own && !mapped);
      EXPECT_THAT(reach.why, HasSubstr(own ? "" : mapped ? "same host" : "another host"));
      if (mapped) reach.region[100 + rank] = static_cast<uint8_t>(10 + rank);
    }
    all.Meet();
    EXPECT_TRUE(rank == 2 || connected->region->data()[100 + (1 - rank)] == 11 - rank);
    bool done = false;
    const PairExtent extents[] = {{0, 8}};
    if (rank == 0) {
      EXPECT_EQ(connected->wire().Post(1, 0, extents, {1, 0, 1}, &done).code(), Code::kInvalid);
    }
    all.Meet();
    return ExitStatus();
  });
  EXPECT_TRUE(processes.AllSucceed());
}

TEST(NixlHostRegion, NeedsNobodyWhereAllAreMapped) {
  Processes processes(2, [&](Processes& all, uint32_t rank) {
    NixlHostRegionConfig config = Config(rank, 2, true);
    config.host = "here";
    const auto connected = ConnectAll(all, config);
    EXPECT_EQ(connected->reached[1 - rank].how, Reached::kMapped);
    EXPECT_THAT(connected->region->network()->transports, Not(Contains(HasSubstr("-node "))));
    all.Meet();
    return ExitStatus();
  });
  EXPECT_TRUE(processes.AllSucceed());
}

}  // namespace
}  // namespace ep
