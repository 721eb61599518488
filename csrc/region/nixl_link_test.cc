// Ranks whose memory is apart exchange messages: every byte arrives before the words do.
#include "csrc/region/nixl_link.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>

#include <algorithm>
#include <atomic>
#include <functional>
#include <iterator>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "csrc/region/nixl_link_test_util.h"

namespace ep {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Not;

// The first of the words of `source`, and of the bytes that it sends.
constexpr uint64_t WordsAt(uint64_t epoch, uint32_t source) {
  return (epoch % 2 * kMostRanks + source) * kWordsShare;
}
constexpr uint64_t ShareAt(uint64_t epoch, uint32_t source) {
  return kRowsAt + (epoch % 2 * kMostRanks + source) * kShare;
}

// Progresses until `condition` holds, the link fails, or the time is up.
bool Await(NixlLink& link, const std::function<bool()>& condition) {
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

uint64_t WordAt(NixlLink& link, uint64_t offset) {
  return std::atomic_ref<uint64_t>(*reinterpret_cast<uint64_t*>(link.data() + offset))
      .load(std::memory_order_acquire);
}

// What a rank sends another in an epoch, as both know it.
struct Sent {
  std::vector<Extent> extents;    // none, one or several
  std::vector<RaisedWord> words;  // in no order of their offsets
};
Sent Message(uint64_t epoch, uint32_t from, uint32_t to) {
  std::mt19937_64 random((epoch * 16 + from) * 16 + to);
  Sent sent;
  uint64_t at = ShareAt(epoch, from);
  for (uint64_t i = random() % 4; i > 0; --i) {
    at += random() % 1000;
    const uint64_t bytes = random() % 5 == 0 ? kShare / 4 : random() % 5000;
    sent.extents.push_back({at, bytes});
    at += bytes;
  }
  const uint64_t counts[] = {1, 2, 1 + random() % Link::kMostWords, Link::kMostWords};
  const uint64_t count = counts[random() % std::size(counts)];
  for (uint64_t i = 0; i < count; ++i) {
    sent.words.push_back({WordsAt(epoch, from) + 8 * i, epoch << 32 | i});
  }
  std::ranges::shuffle(sent.words, random);
  return sent;
}

uint8_t Byte(uint64_t epoch, uint32_t from, uint64_t offset) {
  return static_cast<uint8_t>((offset * 31 + epoch * 7 + from * 3) ^ (offset >> 8));
}

// Awaits a message, and that nothing of it comes out of order.
void ExpectMessage(NixlLink& link, uint64_t epoch, uint32_t from, uint32_t to) {
  const Sent sent = Message(epoch, from, to);
  const RaisedWord first = sent.words.front();
  const RaisedWord last = sent.words.back();
  ASSERT_TRUE(Await(link, [&] { return WordAt(link, first.offset) == first.value; }));
  uint64_t wrong = 0;
  for (const Extent& extent : sent.extents) {
    for (uint64_t i = extent.offset; i < extent.offset + extent.bytes; ++i) {
      wrong += link.data()[i] != Byte(epoch, from, i);
    }
  }
  EXPECT_EQ(wrong, 0) << "bytes from " << from << " in epoch " << epoch;
  ASSERT_TRUE(Await(link, [&] { return WordAt(link, last.offset) == last.value; }));
  wrong = 0;
  for (const RaisedWord& word : sent.words) wrong += WordAt(link, word.offset) != word.value;
  EXPECT_EQ(wrong, 0) << "of " << sent.words.size() << " words from " << from << " in epoch "
                      << epoch;
}

// One operation of an engine: a message to every peer, then one from every peer.
void Epoch(NixlLink& link, uint32_t rank, uint32_t ranks, uint64_t epoch) {
  ASSERT_TRUE(Await(link, [&] { return link.Idle(); }));
  for (uint32_t peer = 0; peer < ranks; ++peer) {
    if (peer == rank) continue;
    const Sent sent = Message(epoch, rank, peer);
    for (const Extent& extent : sent.extents) {
      for (uint64_t i = extent.offset; i < extent.offset + extent.bytes; ++i) {
        link.image(peer)[i] = Byte(epoch, rank, i);
      }
    }
    link.Send(peer, sent.extents, sent.words);
  }
  for (uint32_t peer = 0; peer < ranks; ++peer) {
    if (peer != rank) ExpectMessage(link, epoch, peer, rank);
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
    for (uint64_t epoch = 1; epoch <= 120 && !testing::Test::HasFailure(); ++epoch) {
      Epoch(*link, rank, ranks, epoch);
    }
    // Nobody needs another one's help now.
    EXPECT_TRUE(Await(*link, [&] { return link->Idle(); }));
    all.Meet();
    return ExitStatus();
  });
  EXPECT_TRUE(processes.AllSucceed());
}

// The engine's ranks meet elsewhere, and then nobody progresses: messages without bytes have
// arrived by the time that their sender is idle and theirs have come, too.
TEST_P(NixlLinkTest, SetsWordsWithoutBytes) {
  const auto [ranks, tcp_only] = GetParam();
  Processes processes(ranks, [&](Processes& all, uint32_t rank) {
    const auto link = Connected(all, Config(rank, ranks, tcp_only));
    for (uint64_t epoch = 1; epoch <= 100 && !testing::Test::HasFailure(); ++epoch) {
      std::vector<RaisedWord> words(epoch % 2 == 0 ? 1 : Link::kMostWords);
      for (size_t i = 0; i < words.size(); ++i) words[i] = {WordsAt(epoch, rank) + 8 * i, epoch};
      for (uint32_t peer = 0; peer < ranks; ++peer) {
        if (peer != rank) link->Send(peer, {}, words);
      }
      for (uint32_t peer = 0; peer < ranks; ++peer) {
        const uint64_t last = WordsAt(epoch, peer) + 8 * (words.size() - 1);
        EXPECT_TRUE(peer == rank || Await(*link, [&] { return WordAt(*link, last) == epoch; }));
      }
      EXPECT_TRUE(Await(*link, [&] { return link->Idle(); }));
      all.Meet();
    }
    return ExitStatus();
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
    return ExitStatus();
  });
  EXPECT_TRUE(processes.AllSucceed());
}

TEST_P(NixlLinkTest, TakesTheTransportsItIsTold) {
  const auto [ranks, tcp_only] = GetParam();
  Processes processes(ranks, [&](Processes& all, uint32_t rank) {
    const auto link = Connected(all, Config(rank, ranks, tcp_only));
    const std::vector<std::string> transports = link->network()->transports;
    EXPECT_THAT(transports, Contains(HasSubstr(tcp_only ? "tcp/" : "cma")));
    EXPECT_THAT(transports, Not(Contains(HasSubstr(tcp_only ? "cma" : "tcp/"))));
    all.Meet();
    return ExitStatus();
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
    for (uint64_t epoch = 1; epoch <= 60 && !testing::Test::HasFailure(); ++epoch) {
      Epoch(*link, rank, 2, epoch);
    }
    EXPECT_TRUE(Await(*link, [&] { return link->Idle(); }));
    all.Meet();
    ended = true;
    for (std::thread& thread : threads) thread.join();
    return ExitStatus();
  });
  EXPECT_TRUE(processes.AllSucceed());
}

}  // namespace
}  // namespace ep
