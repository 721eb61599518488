// A message leaves once, whole, and only when all that it announces is there.
#include "csrc/rank/outbox.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <span>
#include <thread>
#include <vector>

namespace ep {
namespace {

constexpr uint32_t kRank = 1;
constexpr Epoch kEpoch = 7;
constexpr Shape kShape = {.ranks = 3,
                          .tokens = 10,
                          .hidden = 128,
                          .experts_per_rank = 2,
                          .topk = 2,
                          .dtype = Dtype::kFp8,
                          .chunk_tokens = 3};  // 4 chunks
const Layout kLayout(kShape);

// A link that keeps what it is given, and looks at what the sender has stored.
class KeptLink : public Link {
 public:
  struct Sent {
    uint32_t peer;
    std::vector<Extent> extents;
    std::vector<RaisedWord> words;
    std::vector<int> stored;
  };

  void Send(uint32_t peer, std::span<const Extent> extents,
            std::span<const RaisedWord> words) override {
    sent.push_back({peer, {extents.begin(), extents.end()}, {words.begin(), words.end()}, stored});
  }
  void Progress() override {}
  bool Idle() override { return true; }
  Status Failure(uint32_t*) override { return {}; }

  std::vector<Sent> sent;
  std::vector<int> stored = std::vector<int>(kShape.Chunks());  // by workers, without any order
};

class OutboxTest : public testing::Test {
 protected:
  static Message Dispatch(uint32_t peer, uint32_t chunk, SlotRange slots) {
    return {Op::kDispatch, kEpoch, peer, chunk, slots};
  }
  static Message Combine(uint32_t peer, uint32_t chunk, SlotRange slots) {
    return {Op::kCombine, kEpoch, peer, chunk, slots};
  }
  static RaisedWord WordOf(const Message& message) {
    return {message.Offset(kLayout, kRank), message.Value()};
  }

  KeptLink link_;
  RankContext context_ = {.shape = kShape,
                          .layout = kLayout,
                          .rank = kRank,
                          .wait_timeout_ns = 0,
                          .epochs = nullptr,
                          .error = nullptr,
                          .tickets = nullptr,
                          .region = nullptr,
                          .there = {}};
  Outbox outbox_{&context_, &link_};
};

TEST_F(OutboxTest, SendsADispatchWithItsCountsAndAllChunks) {
  const Message all[] = {
      Dispatch(2, Message::kCounts, {0, 5}),
      Dispatch(2, 0, {0, 2}),
      Dispatch(2, 1, {2, 5}),
      Dispatch(2, 2, {0, 0}),
      Dispatch(2, 3, {0, 0}),
  };
  for (const size_t i : {3, 1, 0, 4}) outbox_.Add(all[i]);
  EXPECT_TRUE(link_.sent.empty());
  outbox_.Add(all[2]);
  ASSERT_EQ(link_.sent.size(), 1u);
  EXPECT_EQ(link_.sent[0].peer, 2u);
  EXPECT_EQ(link_.sent[0].extents, DispatchExtents(kShape, kLayout, BankOf(kEpoch), kRank, 5));
  std::vector<RaisedWord> words;
  for (const Message& message : all) words.push_back(WordOf(message));
  EXPECT_EQ(link_.sent[0].words, words);
}

TEST_F(OutboxTest, SendsACombineWithAllChunks) {
  const Message all[] = {Combine(0, 0, {0, 3}), Combine(0, 1, {3, 4}), Combine(0, 2, {4, 4}),
                         Combine(0, 3, {4, 4})};
  for (const size_t i : {3, 2, 0}) outbox_.Add(all[i]);
  EXPECT_TRUE(link_.sent.empty());
  outbox_.Add(all[1]);
  ASSERT_EQ(link_.sent.size(), 1u);
  EXPECT_EQ(link_.sent[0].peer, 0u);
  EXPECT_EQ(link_.sent[0].extents, CombineExtents(kLayout, BankOf(kEpoch), kRank, 4));
  std::vector<RaisedWord> words;
  for (const Message& message : all) words.push_back(WordOf(message));
  EXPECT_EQ(link_.sent[0].words, words);
}

TEST_F(OutboxTest, BeginsAnewWithEachMessage) {
  for (const uint32_t rows : {9u, 0u}) {
    for (const uint32_t peer : {0u, 2u}) {
      for (uint32_t chunk = 0; chunk < kShape.Chunks(); ++chunk) {
        outbox_.Add(Combine(peer, chunk, {rows, rows}));
      }
    }
  }
  ASSERT_EQ(link_.sent.size(), 4u);
  for (size_t i = 0; i < 4; ++i) {
    EXPECT_EQ(link_.sent[i].peer, i % 2 == 0 ? 0u : 2u);
    EXPECT_EQ(link_.sent[i].extents, CombineExtents(kLayout, BankOf(kEpoch), kRank, i < 2 ? 9 : 0));
  }
}

// ThreadSanitizer sees that it is ordered, too.
TEST_F(OutboxTest, SendsWhatAllWorkersHaveStored) {
  for (int round = 1; round <= 200; ++round) {
    std::vector<std::thread> workers;
    for (uint32_t chunk = 0; chunk < kShape.Chunks(); ++chunk) {
      workers.emplace_back([this, chunk, round] {
        link_.stored[chunk] = round;
        outbox_.Add(Combine(2, chunk, {0, 1}));
      });
    }
    for (std::thread& worker : workers) worker.join();
    ASSERT_EQ(link_.sent.size(), static_cast<size_t>(round));
    EXPECT_EQ(link_.sent.back().stored, std::vector<int>(kShape.Chunks(), round));
  }
}

}  // namespace
}  // namespace ep
