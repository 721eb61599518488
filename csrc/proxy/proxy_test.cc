// A proxy step by step, over a wire that does what a test says, by a clock that a test sets.
#include "csrc/proxy/proxy.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "csrc/protocol/flag.h"

namespace ep {
namespace {

using ::testing::HasSubstr;

constexpr uint64_t kDeadlineNs = 1000;

struct FakeWire : Wire {
  struct Posted {
    uint32_t peer;
    uint32_t request;
    std::vector<PairExtent> extents;
    Notice notice;
  };

  Status Post(uint32_t peer, uint32_t request, std::span<const PairExtent> extents,
              const Notice& notice, bool* done) override {
    posted.push_back({peer, request, {extents.begin(), extents.end()}, notice});
    *done = at_once;
    return {};
  }
  Status Poll(uint32_t, uint32_t, bool* done) override {
    *done = over;
    return poll;
  }
  Status Arrivals(const std::function<Status(uint32_t, const Notice&)>& each) override {
    for (const auto& [peer, notice] : std::exchange(inbox, {})) EP_TRY(each(peer, notice));
    return {};
  }

  std::vector<Posted> posted;
  std::vector<std::pair<uint32_t, Notice>> inbox;
  bool at_once = false;
  bool over = false;
  Status poll;
};

// Rank 0 of three, of which rank 1 is proxied.
class ProxyTest : public ::testing::Test {
 protected:
  static constexpr Shape kShape = {3, 4, 128, 2, 2, Dtype::kFp8};

  ProxyTest()
      : words_(2 * Post::Words(kShape.ranks)),
        context_{.shape = kShape,
                 .layout = Layout(kShape),
                 .rank = 0,
                 .wait_timeout_ns = kDeadlineNs,
                 .epochs = nullptr,
                 .error = nullptr,
                 .tickets = nullptr,
                 .region = nullptr,
                 .there = {},
                 .proxied = {1 << 1},
                 .post = {kShape.ranks, words_.data(), words_.data() + Post::Words(kShape.ranks),
                          &stop_, nullptr}} {}

  void Ring(Op op, Epoch epoch, uint32_t rows) {
    *context_.post.Bell(op, BankOf(epoch), 1) = MakeFlag(epoch, rows);
  }
  void Arrive(Op op, Epoch epoch, uint32_t rows, uint32_t peer = 1, uint32_t sender = 1) {
    wire_.inbox.push_back({peer, {static_cast<uint32_t>(op), sender, MakeFlag(epoch, rows)}});
  }
  uint64_t Mail(Op op, Epoch epoch) const { return *context_.post.Mail(op, BankOf(epoch), 1); }
  void ExpectFailure(const char* text) {
    EXPECT_THAT(proxy_.failure().text(), HasSubstr(text));
    EXPECT_EQ(stop_, MakeStop(ErrorKind::kNetwork, 1));
    EXPECT_FALSE(proxy_.Idle());
  }

  std::vector<uint64_t> words_;
  uint64_t stop_ = 0;
  RankContext context_;
  FakeWire wire_;
  int flushes_ = 0;
  bool mail_was_there_ = false;
  Status flushed_;
  Proxy proxy_{context_, &wire_, &stop_, [this]() -> Status {
                 ++flushes_;
                 for (const uint64_t word : words_) mail_was_there_ |= word != 0;
                 return flushed_;
               }};
};

TEST_F(ProxyTest, SendsWhatABellSaysAndItsWords) {
  proxy_.Step(0);
  EXPECT_TRUE(wire_.posted.empty());
  Ring(Op::kCombine, 1, 3);
  EXPECT_FALSE(proxy_.Idle());
  proxy_.Step(1);
  ASSERT_EQ(wire_.posted.size(), 1u);
  const FakeWire::Posted& sent = wire_.posted[0];
  const Layout& layout = context_.layout;
  EXPECT_EQ(sent.peer, 1u);
  EXPECT_EQ(sent.notice.sender, 0u);
  EXPECT_EQ(sent.notice.flag, MakeFlag(1, 3));
  const uint64_t words = layout.PostedWords(Op::kCombine, 1);
  EXPECT_EQ(sent.extents, (std::vector<PairExtent>{{words, layout.Partial(1, 3) - words}}));
  proxy_.Step(2);
  EXPECT_EQ(wire_.posted.size(), 1u) << "a bell is served once";
  EXPECT_FALSE(proxy_.Idle());
  EXPECT_EQ(proxy_.sent().messages, 0u);
  wire_.over = true;
  proxy_.Step(3);
  EXPECT_TRUE(proxy_.Idle());
  const Sent counted = proxy_.sent();
  EXPECT_EQ(counted.messages, 1u);
  EXPECT_EQ(counted.bytes, sent.extents[0].bytes);
  EXPECT_EQ(counted.slowest_ns, 2u);
  EXPECT_EQ(counted.steps, 4u);
}

TEST_F(ProxyTest, UsesARequestAnewOnlyWhenItIsOver) {
  Ring(Op::kDispatch, 1, 0);
  proxy_.Step(0);
  Ring(Op::kDispatch, 3, 1);
  proxy_.Step(1);
  EXPECT_EQ(wire_.posted.size(), 1u);
  Ring(Op::kDispatch, 2, 1);  // of the other bank, and so another request
  proxy_.Step(2);
  ASSERT_EQ(wire_.posted.size(), 2u);
  EXPECT_NE(wire_.posted[0].request, wire_.posted[1].request);
  wire_.over = true;
  proxy_.Step(3);
  EXPECT_EQ(wire_.posted.size(), 3u);
}

TEST_F(ProxyTest, LosesPatience) {
  Ring(Op::kDispatch, 1, 0);
  proxy_.Step(5);
  proxy_.Step(5 + kDeadlineNs);
  EXPECT_TRUE(proxy_.failure().ok());
  proxy_.Step(6 + kDeadlineNs);
  ExpectFailure("send dispatch epoch 1 with 0 rows to rank 1: not over after");
}

TEST_F(ProxyTest, KeepsTheFirstFailureAndSendsNothingMore) {
  Ring(Op::kDispatch, 1, 0);
  proxy_.Step(0);
  wire_.poll = {Code::kSystem, "the cable is cut"};
  proxy_.Step(1);
  ExpectFailure("rank 1: the cable is cut");
  wire_.poll = {Code::kSystem, "it is cut again"};
  Ring(Op::kCombine, 1, 0);
  proxy_.Step(2);
  ExpectFailure("rank 1: the cable is cut");
  EXPECT_EQ(wire_.posted.size(), 1u);
}

TEST_F(ProxyTest, SendsNothingOnceItsHostHasStopped) {
  stop_ = MakeStop(ErrorKind::kAborted, 0);
  Ring(Op::kDispatch, 1, 0);
  proxy_.Step(0);
  EXPECT_TRUE(wire_.posted.empty());
  EXPECT_TRUE(proxy_.failure().ok());
}

TEST_F(ProxyTest, RefusesABellOutOfTurn) {
  Ring(Op::kDispatch, 1, 0);
  proxy_.Step(0);
  wire_.over = true;
  Ring(Op::kDispatch, 5, 0);
  proxy_.Step(1);
  ExpectFailure("its bell was rung out of turn, after dispatch epoch 1");
}

TEST_F(ProxyTest, RefusesMoreRowsThanThereAre) {
  Ring(Op::kDispatch, 1, kShape.tokens + 1);
  proxy_.Step(0);
  ExpectFailure("out of turn");
}

TEST_F(ProxyTest, LeavesMailOnceWhatHasArrivedIsVisible) {
  proxy_.Step(0);
  EXPECT_EQ(flushes_, 0);
  Arrive(Op::kDispatch, 1, 2);
  Arrive(Op::kCombine, 1, 4);
  proxy_.Step(1);
  EXPECT_EQ(flushes_, 1) << "one is enough for all of a step";
  EXPECT_FALSE(mail_was_there_);
  EXPECT_EQ(Mail(Op::kDispatch, 1), MakeFlag(1, 2));
  EXPECT_EQ(Mail(Op::kCombine, 1), MakeFlag(1, 4));
  EXPECT_EQ(Mail(Op::kDispatch, 2), 0u);
}

TEST_F(ProxyTest, BelievesNoNoticeTwiceInAStep) {
  Arrive(Op::kDispatch, 1, 2);
  Arrive(Op::kDispatch, 1, 2);
  proxy_.Step(0);
  ExpectFailure("rank 1 sent what it must not");
}

TEST_F(ProxyTest, LeavesNoMailIfItCannotBeMadeVisible) {
  flushed_ = {Code::kSystem, "no GPU"};
  Arrive(Op::kDispatch, 1, 2);
  proxy_.Step(0);
  EXPECT_EQ(Mail(Op::kDispatch, 1), 0u);
  EXPECT_THAT(proxy_.failure().text(), HasSubstr("no GPU"));
}

TEST_F(ProxyTest, BelievesNoNoticeThatCannotBe) {
  const struct {
    const char* what;
    Op op;
    Epoch epoch;
    uint32_t rows, peer, sender;
  } wrong[] = {
      {"an epoch twice", Op::kDispatch, 1, 0, 1, 1},
      {"an epoch too far", Op::kDispatch, 5, 0, 1, 1},
      {"too many rows", Op::kDispatch, 3, kShape.tokens + 1, 1, 1},
      {"another's name", Op::kDispatch, 3, 0, 1, 2},
      {"an operation that is none", static_cast<Op>(7), 3, 0, 1, 1},
  };
  for (const auto& of : wrong) {
    words_.assign(words_.size(), 0);
    stop_ = 0;
    Proxy proxy(context_, &wire_, &stop_);
    Arrive(Op::kDispatch, 1, 0);
    proxy.Step(0);
    Arrive(of.op, of.epoch, of.rows, of.peer, of.sender);
    proxy.Step(1);
    EXPECT_THAT(proxy.failure().text(), HasSubstr("rank 1 sent what it must not")) << of.what;
    EXPECT_EQ(Mail(Op::kDispatch, 1), MakeFlag(1, 0)) << of.what;
  }
}

}  // namespace
}  // namespace ep
