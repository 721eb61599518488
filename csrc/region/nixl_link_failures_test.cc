// Who is gone or silent is named, and what is no message is refused, sent or received.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <signal.h>

#include <iterator>
#include <string>

#include "csrc/region/nixl_link.h"
#include "csrc/region/nixl_link_test_util.h"
#include "csrc/region/nixl_message.h"

namespace ep {
namespace {

using ::testing::HasSubstr;

// Rank 1 is killed, or merely silent, while rank 0 sends to it until that fails.
void ExpectFailureOfRank1(bool tcp_only, bool kill) {
  Processes processes(2, [&](Processes& all, uint32_t rank) {
    NixlLinkConfig config = Config(rank, 2, tcp_only);
    config.region.wait_timeout_ns = 2'000'000'000;
    const auto link = Connected(all, config);
    all.Meet();
    if (rank == 1) {  // it never progresses again
      all.AwaitWord(0, 3);
      return ExitStatus();
    }
    const Extent extents[] = {{kRowsAt, (kRegionBytes - kRowsAt) / 2}};
    const RaisedWord words[] = {{0, 1}};
    all.word(0) = 1;
    if (kill) all.AwaitWord(0, 2);
    const uint64_t begin_ns = nixl::NowNs();
    uint32_t peer = 0;
    Status status;
    for (uint64_t i = 0; status.ok() && nixl::NowNs() - begin_ns < kDeadlineNs; ++i) {
      if (link->Idle()) link->Send(1, extents, words);
      link->Progress();
      status = link->Failure(&peer);
      // Over memory that is attached directly, a silent rank receives, and never sets a word.
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
    return ExitStatus();
  });
  if (kill) {
    const uint64_t begin_ns = nixl::NowNs();
    while (processes.word(0) != 1 && nixl::NowNs() - begin_ns < kDeadlineNs) sched_yield();
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
    config.region.wait_timeout_ns = 500'000'000;
    const auto link = MakeLink(all, config);
    if (rank == 0) {
      const Status status = Connect(*link, Blobs(all, 2));
      EXPECT_EQ(status.code(), Code::kTimeout);
      EXPECT_THAT(status.text(), HasSubstr("no answer within 500 ms from ranks 1"));
    }
    all.Meet();
    return ExitStatus();
  });
  EXPECT_TRUE(processes.AllSucceed());
}

TEST(NixlLink, NamesAPeerThatHasEndedBeforeItConnects) {
  Processes processes(2, [&](Processes& all, uint32_t rank) {
    const auto link = MakeLink(all, Config(rank, 2, false));
    if (rank == 1) return 0;
    all.AwaitWord(0, 1);
    const Status status = Connect(*link, Blobs(all, 2));
    EXPECT_THAT(status.text(), HasSubstr("connect to rank 1 over NIXL: "));
    EXPECT_THAT(status.text(), HasSubstr("has it ended"));
    return ExitStatus();
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
    EXPECT_EQ(Connect(*link, {own}).code(), Code::kInvalid);
    EXPECT_EQ(Connect(*link, {own, garbage}).code(), Code::kInvalid);
    EXPECT_EQ(Connect(*link, {own, cut}).code(), Code::kInvalid);
    const Status status = Connect(*link, {own, own});
    EXPECT_EQ(status.code(), Code::kProtocol);
    EXPECT_THAT(status.text(), HasSubstr("do all ranks run the same plan?"));
    return ExitStatus();
  });
  EXPECT_TRUE(processes.AllSucceed());
}

std::vector<uint8_t> Notification(uint32_t rank, const std::vector<RaisedWord>& words) {
  std::vector<uint8_t> bytes;
  EncodeNotification(rank, words, &bytes);
  return bytes;
}

// An agent that speaks as rank 0's link, and says `said`, which a link never would.
void SpeakAsRank0(Processes& all, std::span<const uint8_t> said) {
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
                   .fillers = range[0].address,
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
  const nixl::Range filler[] = {{blob.fillers, kWordBytes}};
  const nixl::Range word[] = {{range[0].address, kWordBytes}};
  nixl::Write write;
  Require(agent->MakeWrite(word, peer, filler, &write));
  const std::vector<uint8_t> greeting = Notification(0, {});
  const std::span<const uint8_t> messages[] = {greeting, said};
  size_t sent = 0;
  bool done = true;  // the last of them
  const uint64_t begin_ns = nixl::NowNs();
  while (all.word(0) == 0 && nixl::NowNs() - begin_ns < kDeadlineNs) {
    if (!done) {
      Require(agent->Poll(write, &done));
    } else if (sent < std::size(messages)) {
      Require(agent->Post(write, messages[sent++], &done));
    }
    Require(agent->Notifications([](std::string_view, std::span<const uint8_t>) {}));
  }
}

// Rank 1's failure once rank 0 has said `said`, which may come while rank 1 still connects.
void ExpectRefusal(std::span<const uint8_t> said, const std::string& text) {
  Processes processes(2, [&](Processes& all, uint32_t rank) {
    if (rank == 0) {
      SpeakAsRank0(all, said);
      return ExitStatus();
    }
    const auto link = MakeLink(all, Config(1, 2, false));
    Status status = Connect(*link, Blobs(all, 2), 1);
    const uint64_t begin_ns = nixl::NowNs();
    while (status.ok() && nixl::NowNs() - begin_ns < kDeadlineNs) {
      link->Progress();
      uint32_t peer = 9;
      status = link->Failure(&peer);
    }
    EXPECT_EQ(status.code(), Code::kProtocol);
    EXPECT_THAT(status.text(), HasSubstr(text));
    // A message of which one word is wrong sets none.
    EXPECT_EQ(*reinterpret_cast<const uint64_t*>(link->data()), 0);
    all.word(0) = 1;
    return ExitStatus();
  });
  EXPECT_TRUE(processes.AllSucceed());
}

TEST(NixlLink, SetsNoWordThatIsNone) {
  const std::string where = "a message of rank 0 wants to set a word at ";
  ExpectRefusal(Notification(0, {{kRegionBytes, 1}}), where);
  ExpectRefusal(Notification(0, {{kRegionBytes - 4, 1}}), where);
  ExpectRefusal(Notification(0, {{0, 1}, {4, 1}}), where + "4 of");
  ExpectRefusal(Notification(0, {{0, 1}, {~uint64_t{7}, 1}}), where);
}

TEST(NixlLink, ReadsNoNotificationThatIsNone) {
  const std::string whose = " bytes from epperf-test-0, which is no rank's";
  ExpectRefusal(Notification(1, {{0, 1}}), whose);
  ExpectRefusal(Notification(2, {{0, 1}}), whose);
  ExpectRefusal(std::vector<uint8_t>{1, 2, 3}, "3" + whose);
}

TEST(NixlLink, SetsNoWordsOfANotificationOfAnotherLength) {
  const std::vector<uint8_t> two = Notification(0, {{0, 1}, {8, 1}});
  std::vector<uint8_t> cut(two.begin(), two.end() - 1);
  ExpectRefusal(cut, "a message of rank 0 with 39 bytes that are no 2 words");
  cut.resize(8);
  ExpectRefusal(cut, "with 8 bytes that are no 2 words");
  std::vector<uint8_t> longer = two;
  longer.push_back(0);
  ExpectRefusal(longer, "with 41 bytes that are no 2 words");
  const std::vector<RaisedWord> many(Link::kMostWords + 1, {0, 1});
  ExpectRefusal(Notification(0, many), "that are no 514 words, of at most 513");
  ExpectRefusal(BytesOf(NixlNotification{0, 0xFFFFFFFF}), "that are no 4294967295 words");
}

TEST(NixlLink, RefusesToSendWhatIsNoMessage) {
  struct Wrong {
    uint32_t peer;
    Extent extent;
    std::vector<RaisedWord> words;
    Code code;
  };
  const std::vector<RaisedWord> good = {{0, 1}};
  const std::vector<RaisedWord> many(Link::kMostWords + 1, {0, 1});
  const Wrong wrongs[] = {
      {0, {kRowsAt, 8}, good, Code::kInvalid},                         // itself
      {2, {kRowsAt, 8}, good, Code::kInvalid},                         // nobody
      {1, {kRegionBytes - 8, 16}, good, Code::kInvalid},               // beyond
      {1, {kRegionBytes + 8, ~uint64_t{0}}, good, Code::kInvalid},     // wraps
      {1, {kRowsAt, 8}, {{0, 1}, {kRegionBytes, 1}}, Code::kInvalid},  // no word
      {1, {kRowsAt, 8}, {{0, 1}, {12, 1}}, Code::kInvalid},            // not aligned
      {1, {kRowsAt, 8}, {}, Code::kInvalid},                           // would be a greeting
      {1, {kRowsAt, 8}, many, Code::kInvalid},
      {1, {kRowsAt - 64, 8}, good, Code::kSystem},  // not registered
  };
  for (const Wrong& wrong : wrongs) {
    Processes processes(2, [&](Processes& all, uint32_t rank) {
      const auto link = Connected(all, Config(rank, 2, false));
      if (rank == 0) {
        link->Send(wrong.peer, {&wrong.extent, 1}, wrong.words);
        uint32_t peer = 9;
        EXPECT_EQ(link->Failure(&peer).code(), wrong.code) << link->Failure(&peer).text();
        EXPECT_EQ(peer, wrong.peer);
        EXPECT_FALSE(link->Idle());
      }
      all.Meet();
      return ExitStatus();
    });
    EXPECT_TRUE(processes.AllSucceed());
  }
}

TEST(NixlLink, RefusesASecondMessageToAPeer) {
  Processes processes(2, [&](Processes& all, uint32_t rank) {
    const auto link = Connected(all, Config(rank, 2, true));
    if (rank == 0) {
      const Extent extents[] = {{kRowsAt, (kRegionBytes - kRowsAt) / 2}};
      const RaisedWord words[] = {{0, 1}};
      link->Send(1, extents, words);
      EXPECT_FALSE(link->Idle());
      link->Send(1, extents, words);
      uint32_t peer = 0;
      EXPECT_EQ(link->Failure(&peer).code(), Code::kState);
    }
    all.Meet();
    return ExitStatus();
  });
  EXPECT_TRUE(processes.AllSucceed());
}

}  // namespace
}  // namespace ep
