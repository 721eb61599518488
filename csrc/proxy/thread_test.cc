// A thread steps a proxy over a wire that does what a test says. Every wait has a deadline, and
// none depends on how fast the machine is.
#include "csrc/proxy/thread.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "csrc/protocol/flag.h"

namespace ep {
namespace {

using ::testing::HasSubstr;

// How long a test waits for what must come.
constexpr uint64_t kLongNs = 30'000'000'000;

struct SlowWire : Wire {
  Status Post(uint32_t, uint32_t, std::span<const PairExtent>, const Notice&, bool* done) override {
    *done = false;
    ++posted;
    return {};
  }
  Status Poll(uint32_t, uint32_t, bool* done) override {
    if (breaks) return {Code::kSystem, "the cable is cut"};
    *done = over;
    return {};
  }
  Status Arrivals(const std::function<Status(uint32_t, const Notice&)>& each) override {
    while (hangs) std::this_thread::yield();
    if (const uint64_t flag = arrives.exchange(0)) {
      return each(1, {static_cast<uint32_t>(Op::kDispatch), 1, flag});
    }
    return {};
  }

  std::atomic<int> posted = 0;
  std::atomic<bool> over = false;
  std::atomic<bool> breaks = false;
  std::atomic<bool> hangs = false;
  std::atomic<uint64_t> arrives = 0;
};

// Rank 0 of two that do not map each other.
class ProxyThreadTest : public ::testing::Test {
 protected:
  static constexpr Shape kShape = {2, 4, 128, 2, 2, Dtype::kFp8};

  ProxyThreadTest()
      : words_(2 * Post::Words(2)),
        context_{.shape = kShape,
                 .layout = Layout(kShape),
                 .rank = 0,
                 .wait_timeout_ns = kLongNs,
                 .epochs = nullptr,
                 .error = nullptr,
                 .tickets = nullptr,
                 .region = nullptr,
                 .there = {}} {
    context_.proxied[0] = 2;
    context_.post.ranks = 2;
    context_.post.bells = words_.data();
    context_.post.mail = words_.data() + Post::Words(2);
  }

  void Start(const ProxyThreadConfig& config = {}) {
    const Status status = ProxyThread::Start(context_, &wire_, &stop_, config, &thread_);
    ASSERT_TRUE(status.ok()) << status.text();
  }
  void Ring(Epoch epoch, uint32_t rows) {
    std::atomic_ref<uint64_t>(*context_.post.Bell(Op::kDispatch, BankOf(epoch), 1))
        .store(MakeFlag(epoch, rows), std::memory_order_release);
  }
  template <class Condition>
  static bool Await(Condition condition) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::nanoseconds(kLongNs);
    while (!condition()) {
      if (std::chrono::steady_clock::now() > end) return false;
      std::this_thread::yield();
    }
    return true;
  }

  SlowWire wire_;
  uint64_t stop_ = 0;
  std::vector<uint64_t> words_;
  RankContext context_;
  std::unique_ptr<ProxyThread> thread_;
};

TEST_F(ProxyThreadTest, SendsAndReceivesWhileTheRankWorksAndWhileItRests) {
  Start({.linger_ns = 0, .nap_ns = 1000});
  const uint64_t* mail = context_.post.Mail(Op::kDispatch, 1, 1);
  Ring(1, 3);
  EXPECT_TRUE(Await([&] { return wire_.posted == 1; }));
  thread_->Work();
  wire_.arrives = MakeFlag(1, 2);
  EXPECT_TRUE(Await([&] {
    return std::atomic_ref<uint64_t>(*const_cast<uint64_t*>(mail)).load() == MakeFlag(1, 2);
  }));
  thread_->Rest();
  wire_.over = true;
  EXPECT_TRUE(thread_->End(kLongNs));
}

TEST_F(ProxyThreadTest, EndsWhenAllThatWasRungForIsOver) {
  Start();
  Ring(1, 3);
  wire_.over = true;
  EXPECT_TRUE(thread_->End(kLongNs));
  EXPECT_EQ(wire_.posted, 1) << "the bell was rung before the end";
}

TEST_F(ProxyThreadTest, SaysThatTheNetworkMayStillUseMemory) {
  Start();
  Ring(1, 3);
  ASSERT_TRUE(Await([&] { return wire_.posted == 1; }));
  EXPECT_FALSE(thread_->End(1));
}

TEST_F(ProxyThreadTest, AFailureEndsItAndHasItsPeer) {
  Start();
  wire_.breaks = true;
  Ring(1, 3);
  uint32_t peer = 0;
  ASSERT_TRUE(Await([&] { return !thread_->Failure(&peer).ok(); }));
  EXPECT_EQ(peer, 1u);
  EXPECT_EQ(thread_->Failure(&peer).text(),
            "send dispatch epoch 1 with 3 rows to rank 1: the cable is cut");
  EXPECT_EQ(std::atomic_ref<uint64_t>(stop_).load(), MakeStop(ErrorKind::kNetwork, 1));
  EXPECT_FALSE(thread_->End(kLongNs)) << "at once";
}

TEST_F(ProxyThreadTest, ARankThatIsStoppedDoesNotWaitForWhatWasNotPosted) {
  Start();
  std::atomic_ref<uint64_t>(stop_).store(MakeStop(ErrorKind::kAborted, 0));
  Ring(1, 3);
  EXPECT_TRUE(thread_->End(kLongNs));
  EXPECT_EQ(wire_.posted, 0);
}

TEST_F(ProxyThreadTest, OneThatHangsInTheNetworkIsLeftBehind) {
  Start();
  wire_.hangs = true;
  Ring(1, 3);
  EXPECT_FALSE(thread_->End(1));
  wire_.hangs = false;
  wire_.over = true;
  EXPECT_TRUE(thread_->End(kLongNs) || wire_.posted == 1) << "and ends when it is let go";
}

TEST_F(ProxyThreadTest, RunsWhereWhoStartsItMay) {
  cpu_set_t all;
  ASSERT_EQ(sched_getaffinity(0, sizeof(all), &all), 0);
  cpu_set_t one;
  CPU_ZERO(&one);
  int cpu = 0;
  while (!CPU_ISSET(cpu, &all)) ++cpu;
  CPU_SET(cpu, &one);
  ASSERT_EQ(sched_setaffinity(0, sizeof(one), &one), 0);
  Start();
  EXPECT_EQ(thread_->cpus(), std::to_string(cpu));
  ASSERT_EQ(sched_setaffinity(0, sizeof(all), &all), 0);
}

TEST_F(ProxyThreadTest, WhatCannotBeginSaysWhy) {
  const Status status =
      ProxyThread::Start(context_, &wire_, &stop_,
                         {.begin = [] { return Status(Code::kSystem, "no such GPU"); }}, &thread_);
  EXPECT_EQ(status.text(), "start the proxy of rank 0: no such GPU");
  EXPECT_EQ(thread_, nullptr);
}

}  // namespace
}  // namespace ep
