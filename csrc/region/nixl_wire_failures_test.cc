// Who is gone or silent is named, and what is no message is refused, sent or received.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "csrc/region/nixl_message.h"
#include "csrc/region/nixl_wire.h"
#include "csrc/region/nixl_wire_test_util.h"

namespace ep {
namespace {

using ::testing::HasSubstr;

Status TakeAny(uint32_t, const Notice&) { return {}; }

TEST(NixlPeers, NamesAPeerThatDoesNotConnect) {
  Processes processes(2, [&](Processes& all, uint32_t rank) {
    NixlHostRegionConfig config = Config(rank, 2, false);
    config.region.wait_timeout_ns = 500'000'000;
    Connected rank_of(all, config);
    if (rank == 0) {
      const Status status = rank_of.Connect(Blobs(all, 2));
      EXPECT_EQ(status.code(), Code::kTimeout);
      EXPECT_THAT(status.text(), HasSubstr("no answer within 500 ms from ranks 1"));
    }
    all.Meet();
    return ExitStatus();
  });
  EXPECT_TRUE(processes.AllSucceed());
}

TEST(NixlPeers, NamesAPeerThatHasEndedBeforeItConnects) {
  Processes processes(2, [&](Processes& all, uint32_t rank) {
    Connected rank_of(all, Config(rank, 2, false));
    if (rank == 1) return 0;
    all.AwaitWord(0, 1);
    const Status status = rank_of.Connect(Blobs(all, 2));
    EXPECT_THAT(status.text(), HasSubstr("connect to rank 1 over NIXL: "));
    EXPECT_THAT(status.text(), HasSubstr("has it ended"));
    return ExitStatus();
  });
  EXPECT_EQ(processes.Await(1), 0);
  processes.word(0) = 1;
  EXPECT_EQ(processes.Await(0), 0);
}

TEST(NixlHostRegion, RefusesBlobsThatAreNone) {
  Processes processes(1, [&](Processes& all, uint32_t) {
    Connected rank_of(all, Config(0, 2, false));
    const std::vector<uint8_t> own = rank_of.region->Blob();
    const std::vector<uint8_t> garbage(200, 3);
    std::vector<uint8_t> cut(own.begin(), own.begin() + 64);
    EXPECT_EQ(rank_of.Connect({own}).code(), Code::kInvalid);
    EXPECT_EQ(rank_of.Connect({own, garbage}).code(), Code::kProtocol);
    EXPECT_FALSE(rank_of.Connect({own, cut}).ok());
    const Status status = rank_of.Connect({own, own});
    EXPECT_EQ(status.code(), Code::kProtocol);
    EXPECT_THAT(status.text(), HasSubstr("do all ranks run the same plan?"));
    return ExitStatus();
  });
  EXPECT_TRUE(processes.AllSucceed());
}

TEST(NixlHostRegion, RefusesAreasThatItHasNoRoomFor) {
  Processes processes(1, [&](Processes&, uint32_t) {
    for (const PairAreas pairs : {PairAreas{0, 0}, PairAreas{4096, kPairs.bytes + 1},
                                  PairAreas{~uint64_t{0}, 8}, PairAreas{0, ~uint64_t{0}}}) {
      NixlHostRegionConfig config = Config(0, 2, false);
      config.region.pairs = pairs;
      EXPECT_EQ(NixlHostRegion::Create(config).status().code(), Code::kInvalid);
    }
    return ExitStatus();
  });
  EXPECT_TRUE(processes.AllSucceed());
}

// Rank 1's failure while rank 0 says `said`, which may come while rank 1 still connects.
void ExpectRefusal(std::vector<uint8_t> said, const std::string& text) {
  Processes processes(2, [&](Processes& all, uint32_t rank) {
    const NixlHostRegionConfig config = Config(rank, 2, false);
    Result<std::unique_ptr<NixlPeers>> made = NixlPeers::Create(config.region, config.nixl);
    Require(made.status());
    NixlPeers& peers = **made;
    std::vector<uint8_t> blob;
    Require(peers.MakeBlob(&blob));
    all.Publish(rank, blob);
    Status status = peers.Connect(Blobs(all, 2));
    if (rank == 0) {
      Require(status);
      // A wire would never say so.
      Mapping memory;
      Require(Mapping::Private(4096, "a test's memory", &memory));
      const nixl::Range from[] = {{reinterpret_cast<uintptr_t>(memory.data()), kWordBytes}};
      Require(peers.agent().Register(from));
      NixlBlob theirs;
      if (!ReadFrom(all.BlobOf(1), &theirs)) _exit(97);
      const nixl::Range to[] = {{theirs.fillers, kWordBytes}};
      nixl::Write write;
      Require(peers.agent().MakeWrite(from, peers.agent_name(1), to, &write));
      bool done = false;
      Require(peers.agent().Post(write, said, &done));
      const uint64_t begin_ns = nixl::NowNs();
      while (all.word(0) == 0 && nixl::NowNs() - begin_ns < kDeadlineNs) {
        if (!done) Require(peers.agent().Poll(write, &done));
        Require(peers.Arrivals(TakeAny));
      }
      return ExitStatus();
    }
    const uint64_t begin_ns = nixl::NowNs();
    while (status.ok() && nixl::NowNs() - begin_ns < kDeadlineNs) status = peers.Arrivals(TakeAny);
    EXPECT_EQ(status.code(), Code::kProtocol);
    EXPECT_THAT(status.text(), HasSubstr(text));
    all.word(0) = 1;
    return ExitStatus();
  });
  EXPECT_TRUE(processes.AllSucceed());
}

TEST(NixlPeers, ReadNoNotificationThatIsNone) {
  const std::string whose = " bytes from epperf-test-0, which is no rank's";
  const auto bytes = [](const Notice& notice) {
    return std::vector<uint8_t>(BytesOf(notice).begin(), BytesOf(notice).end());
  };
  ExpectRefusal(bytes({1, 1, 1}), "16" + whose);
  ExpectRefusal(bytes({1, 2, 1}), "16" + whose);
  ExpectRefusal({1, 2, 3}, "3" + whose);
  std::vector<uint8_t> longer = bytes({1, 0, 1});
  longer.push_back(0);
  ExpectRefusal(longer, "17" + whose);
}

TEST(NixlWire, RefusesToSendWhatIsNoMessage) {
  Processes processes(2, [&](Processes& all, uint32_t rank) {
    const auto connected = ConnectAll(all, Config(rank, 2, true));
    if (rank == 0) {
      const struct {
        uint32_t peer, request;
        PairExtent extent;
      } wrongs[] = {
          {0, 0, {0, 8}},                            // itself
          {2, 0, {0, 8}},                            // nobody
          {1, Wire::kRequests, {0, 8}},              // no request
          {1, 0, {kPairs.bytes - 8, 16}},            // beyond
          {1, 0, {kPairs.bytes + 8, ~uint64_t{0}}},  // wraps
      };
      bool done = false;
      for (const auto& wrong : wrongs) {
        EXPECT_EQ(connected->wire()
                      .Post(wrong.peer, wrong.request, {&wrong.extent, 1}, {1, 0, 1}, &done)
                      .code(),
                  Code::kInvalid);
      }
      // A request that is under way.
      const PairExtent all_of_it[] = {{0, kPairs.bytes}};
      EXPECT_TRUE(connected->wire().Post(1, 0, all_of_it, {1, 0, 1}, &done).ok());
      EXPECT_FALSE(done);
      EXPECT_EQ(connected->wire().Post(1, 0, all_of_it, {1, 0, 1}, &done).code(), Code::kState);
    }
    all.Meet();
    return ExitStatus();
  });
  EXPECT_TRUE(processes.AllSucceed());
}

}  // namespace
}  // namespace ep
