// The check bites: every planted fault ends in a finding that names the row it harmed.
//
// Rank 1 is the culprit where a sender errs, rank 0 where a receiver does; the bodies under test
// are the shipped ones, and the faults come in through the device policy.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>
#include <numeric>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "csrc/rank/cpu_engine.h"
#include "csrc/rank/hooked_device_test_util.h"
#include "csrc/rank/world_test_util.h"

namespace ep {
namespace {

using ::testing::AnyOf;
using ::testing::HasSubstr;

constexpr Shape kShape = {.ranks = 3,
                          .tokens = 12,
                          .hidden = 256,
                          .experts_per_rank = 3,
                          .topk = 4,
                          .dtype = Dtype::kFp8};
constexpr Layout kLayout(kShape);

class Mutants : public ::testing::Test {
 protected:
  Mutants() : world_({.shape = kShape}) {
    world_.Begin();
    // Both banks hold rows of an earlier epoch.
    for (int i = 0; i < 3; ++i) EXPECT_EQ(WrongRows(world_.RunChecked(kBoth)), 0u);
    dispatch_bank_ = BankOf(Next(world_.engine(0).epochs().dispatch));
    combine_bank_ = BankOf(Next(world_.engine(0).epochs().combine));
  }

  HookedDevice& device(uint32_t rank) { return world_.engine(rank).device(); }

  template <class T>
  T* In(uint32_t rank, uint64_t offset) {
    return reinterpret_cast<T*>(world_.engine(rank).region() + offset);
  }

  // Of what rank 1 writes at rank 0.
  template <class T>
  T* From1(uint64_t offset) {
    return In<T>(0, kLayout.PairArea(1) + offset);
  }

  // What rank 1 sends to rank 0 in the next dispatch.
  RowMeta* Meta(uint32_t slot) { return From1<RowMeta>(kLayout.Meta(dispatch_bank_, slot)); }
  uint8_t* Row(uint32_t slot) { return From1<uint8_t>(kLayout.Row(dispatch_bank_, slot)); }
  float* Scales(uint32_t slot) { return From1<float>(kLayout.Scales(dispatch_bank_, slot)); }
  // Rank 1's words at rank 0: of its counts, of all its rows, and of what it sums for rank 0.
  const uint64_t* CountsWord() { return In<uint64_t>(0, kLayout.CountsWord(dispatch_bank_, 1)); }
  const uint64_t* RowsWord() { return In<uint64_t>(0, kLayout.ChunkWord(dispatch_bank_, 1, 0)); }
  const uint64_t* SumsWord() { return In<uint64_t>(0, kLayout.SumWord(combine_bank_, 1, 0)); }

  // Rank 1 does `harm` to what lies at rank 0, after all else that a word announces.
  void BeforeRank1Raises(const uint64_t* word, std::function<void()> harm) {
    device(1).before_word = [word, harm = std::move(harm)](const uint64_t* raised) {
      if (raised == word) harm();
    };
  }

  // The token in a slot is the same in every epoch, as the routing is.
  uint32_t TokenOfSlot(uint32_t slot) { return Meta(slot)->token; }

  World<HookedDevice> world_;
  uint32_t dispatch_bank_;
  uint32_t combine_bank_;
};

void ExpectDispatched(const Findings& found, WrongKind kind, uint32_t token) {
  EXPECT_GT(found.wrong, 0u);
  EXPECT_EQ(found.kind, kind);
  EXPECT_EQ(found.source_rank, 1u);
  EXPECT_EQ(found.token, token);
  EXPECT_LT(found.expert, 3) << "an expert of rank 0";
}

void ExpectCombined(const Findings& found, uint32_t rank, uint32_t token) {
  EXPECT_GT(found.wrong, 0u);
  EXPECT_EQ(found.kind, WrongKind::kCombineRow);
  EXPECT_EQ(found.source_rank, rank);
  EXPECT_EQ(found.token, token);
}

TEST_F(Mutants, SkipsARow) {
  const uint32_t token = TokenOfSlot(2);
  device(1).swallow_row = [row = Row(2)](const uint8_t* payload) { return payload == row; };
  const Findings found = world_.RunChecked(kBoth)[0];
  EXPECT_THAT(found.kind, AnyOf(WrongKind::kDispatchRow, WrongKind::kDispatchScale));
  ExpectDispatched(found, found.kind, token);
}

TEST_F(Mutants, RaisesAWordBeforeTheDataIsThere) {
  const uint32_t token = TokenOfSlot(0);
  const uint32_t rows = FlagRows(*CountsWord());
  // All of rank 1's rows for rank 0 arrive only after rank 0 has read.
  device(1).swallow_row = [this, rows](const uint8_t* payload) {
    return payload >= Row(0) && payload < Row(rows);
  };
  const Findings found = world_.RunChecked(kDispatch)[0];
  EXPECT_EQ(found.source_rank, 1u);
  EXPECT_GE(found.wrong, rows) << "every row of rank 1 is stale";
  // The first in the receiver's order, which goes by expert, is one of rank 1's.
  EXPECT_GE(found.token, token);
  device(1).swallow_row = nullptr;
  EXPECT_EQ(WrongRows(world_.RunChecked(kBoth)), 0u) << "and the next epoch is right again";
}

TEST_F(Mutants, SkipsAWaitInDispatch) {
  const Epoch epoch = Next(world_.engine(0).epochs().dispatch);
  // Rank 0 takes rank 1's rows for granted; rank 1 sends nothing until rank 0 is through.
  device(0).pretend = [this, epoch](const uint64_t* word) -> std::optional<uint64_t> {
    if (word != RowsWord()) return std::nullopt;
    return MakeRange(epoch, FlagRange(*word));
  };
  std::promise<void> through;
  device(1).swallow_row = [done = through.get_future().share()](const uint8_t*) {
    done.wait();
    return false;
  };
  EXPECT_TRUE(world_.engine(0).Poison().ok());
  std::vector<std::thread> others;
  for (uint32_t rank : {1, 2}) {
    others.emplace_back(
        [this, rank] { EXPECT_TRUE(world_.engine(rank).Run(kDispatch, 1, nullptr).ok()); });
  }
  EXPECT_TRUE(world_.engine(0).Run(kDispatch, 1, nullptr).ok());
  Findings found;
  EXPECT_TRUE(world_.engine(0).Check(kDispatch, &found).ok());
  through.set_value();
  for (std::thread& other : others) other.join();
  EXPECT_GT(found.wrong, 0u);
  EXPECT_EQ(found.source_rank, 1u);
}

TEST_F(Mutants, SkipsAWaitInCombine) {
  const Epoch epoch = Next(world_.engine(0).epochs().combine);
  device(0).pretend = [this, epoch](const uint64_t* word) -> std::optional<uint64_t> {
    if (word != SumsWord()) return std::nullopt;
    return MakeRange(epoch, FlagRange(*word));
  };
  std::promise<void> through;
  device(1).before_sum = [done = through.get_future().share()] { done.wait(); };
  EXPECT_TRUE(world_.engine(0).Poison().ok());
  std::vector<std::thread> others;
  for (uint32_t rank : {1, 2}) {
    others.emplace_back(
        [this, rank] { EXPECT_TRUE(world_.engine(rank).Run(kCombine, 1, nullptr).ok()); });
  }
  EXPECT_TRUE(world_.engine(0).Run(kCombine, 1, nullptr).ok());
  Findings found;
  EXPECT_TRUE(world_.engine(0).Check(kCombine, &found).ok());
  through.set_value();
  for (std::thread& other : others) other.join();
  EXPECT_GT(found.wrong, 0u);
  EXPECT_EQ(found.kind, WrongKind::kCombineRow);
}

TEST_F(Mutants, SwapsTwoExperts) {
  // Two rows of different experts change places.
  uint32_t other = 1;
  while (Meta(other)->Placements()[0].expert == Meta(0)->Placements()[0].expert) ++other;
  const uint32_t tokens[] = {TokenOfSlot(0), TokenOfSlot(other)};
  BeforeRank1Raises(RowsWord(), [this, other] {
    std::swap(Meta(0)->Placements()[0], Meta(other)->Placements()[0]);
  });
  const Findings found = world_.RunChecked(kDispatch)[0];
  EXPECT_EQ(found.wrong, 2u);
  EXPECT_THAT(found.token, AnyOf(tokens[0], tokens[1]));
  ExpectDispatched(found, WrongKind::kDispatchSource, found.token);
}

TEST_F(Mutants, SwapsTwoSources) {
  const uint32_t tokens[] = {TokenOfSlot(0), TokenOfSlot(1)};
  BeforeRank1Raises(RowsWord(), [this] { std::swap(Meta(0)->token, Meta(1)->token); });
  const Findings found = world_.RunChecked(kDispatch)[0];
  EXPECT_THAT(found.token, AnyOf(tokens[0], tokens[1]));
  ExpectDispatched(found, WrongKind::kDispatchSource, found.token);
  EXPECT_EQ(found.want, uint64_t{1} << 32 | found.token);
}

TEST_F(Mutants, DropsAWeight) {
  const uint32_t token = TokenOfSlot(3);
  BeforeRank1Raises(RowsWord(), [this] { Meta(3)->Weights(Meta(3)->selections)[0] = 0.0f; });
  const std::vector<Findings> found = world_.RunChecked(kBoth);
  EXPECT_EQ(found[1].wrong, 1u);
  ExpectCombined(found[1], 1, token);
}

TEST_F(Mutants, SendsAWrongScale) {
  const uint32_t token = TokenOfSlot(1);
  BeforeRank1Raises(RowsWord(), [this] { Scales(1)[1] *= 2.0f; });
  const Findings found = world_.RunChecked(kDispatch)[0];
  ExpectDispatched(found, WrongKind::kDispatchScale, token);
  EXPECT_EQ(found.channel, kChannelsPerScale);
}

TEST_F(Mutants, FlipsTheLastBitOfOneChannel) {
  const uint32_t token = TokenOfSlot(1);
  BeforeRank1Raises(RowsWord(), [this] { Row(1)[201] ^= 1; });
  const Findings found = world_.RunChecked(kDispatch)[0];
  ExpectDispatched(found, WrongKind::kDispatchRow, token);
  EXPECT_EQ(found.channel, 201u);
  EXPECT_EQ(found.got ^ found.want, 1u);
}

TEST_F(Mutants, SendsARowFromTheOtherBank) {
  const uint32_t token = TokenOfSlot(2);
  BeforeRank1Raises(RowsWord(), [this] {
    const uint32_t stale = 1 - dispatch_bank_;
    std::memcpy(Row(2), From1<uint8_t>(kLayout.Row(stale, 2)), kLayout.RowBytes());
    std::memcpy(Scales(2), From1<float>(kLayout.Scales(stale, 2)), 4 * kShape.ScalesPerRow());
  });
  const Findings found = world_.RunChecked(kDispatch)[0];
  EXPECT_THAT(found.kind, AnyOf(WrongKind::kDispatchRow, WrongKind::kDispatchScale));
  ExpectDispatched(found, found.kind, token);
}

TEST_F(Mutants, ReturnsAPartialSumFromTheOtherBank) {
  BeforeRank1Raises(SumsWord(), [this] {
    std::memcpy(From1<uint8_t>(kLayout.Partial(combine_bank_, 0)),
                From1<uint8_t>(kLayout.Partial(1 - combine_bank_, 0)), 2 * kShape.hidden);
  });
  const std::vector<Findings> found = world_.RunChecked(kCombine);
  EXPECT_EQ(found[0].wrong, 1u);
  EXPECT_EQ(found[0].kind, WrongKind::kCombineRow);
}

TEST_F(Mutants, MiscountsTheRowsOfAnExpert) {
  uint16_t* sent = From1<uint16_t>(kLayout.Counts(dispatch_bank_));
  BeforeRank1Raises(CountsWord(), [sent] { ++sent[0]; });
  const Findings found = world_.RunChecked(kDispatch)[0];
  EXPECT_EQ(found.kind, WrongKind::kDispatchCount);
  EXPECT_EQ(found.expert, 0);
  EXPECT_EQ(found.got, found.want + 1);
}

TEST_F(Mutants, WritesBeyondItsRows) {
  const Tensors& tensors = world_.engine(0).tensors();
  device(0).after_write = [&tensors](uint8_t* to, size_t bytes) {
    const size_t row = static_cast<size_t>(to - tensors.received.Row(0)) / bytes;
    const size_t expert = row / tensors.ExpertStride();
    if (row % tensors.ExpertStride() + 1 == tensors.counts()[expert]) to[bytes] = 0;
  };
  const Findings found = world_.RunChecked(kDispatch)[0];
  EXPECT_EQ(found.wrong, kShape.experts_per_rank) << "one guard row behind each expert";
  EXPECT_EQ(found.kind, WrongKind::kGuard);
  EXPECT_EQ(found.expert, 0);
}

TEST_F(Mutants, LeavesOutASelection) {
  // Where a rank sums two or more, the last is lost.
  device(1).order_of = [](uint32_t count) {
    std::vector<uint32_t> order(count > 1 ? count - 1 : count);
    std::iota(order.begin(), order.end(), 0);
    return order;
  };
  EXPECT_GT(WrongRows(world_.RunChecked(kCombine)), 0u);
}

TEST(Mutant, SumsSelectionsInAnotherOrder) {
  // Another order changes an fp32 sum's last bits, and one BF16 result in some 2^15: it takes a
  // good million channels to see it.
  World<HookedDevice> world({.shape = {1, 150, 8192, 8, 8, Dtype::kBf16}});
  world.Begin();
  world.engine(0).device().order_of = [](uint32_t count) {
    std::vector<uint32_t> order(count);
    std::iota(order.rbegin(), order.rend(), 0);
    return order;
  };
  EXPECT_GT(WrongRows(world.RunChecked(kCombine)), 0u) << "the order is part of the protocol";
}

TEST_F(Mutants, SkipsATokenAtHome) {
  device(2).sums_to_skip = 1;
  const std::vector<Findings> found = world_.RunChecked(kCombine);
  EXPECT_EQ(found[2].wrong, 1u);
  ExpectCombined(found[2], 2, 0);
}

TEST_F(Mutants, ForgetsWhatItsOwnExpertsMade) {
  device(2).own_sums_to_skip = 1;
  const std::vector<Findings> found = world_.RunChecked(kCombine);
  EXPECT_EQ(found[2].wrong, 1u);
  ExpectCombined(found[2], 2, found[2].token);
}

// What rank 0 makes of it if rank 1, whose three workers have a chunk each, says something else of
// its second chunk for rank 0.
class ChunkMutants : public ::testing::Test {
 protected:
  ChunkMutants() : world_({.shape = kShape, .wait_timeout_ns = 1'000'000'000, .threads = 3}) {
    world_.Begin();
    // Both banks hold rows of an earlier epoch, so what is read too early is an old row.
    for (int i = 0; i < 2; ++i) EXPECT_EQ(WrongRows(world_.RunChecked(kBoth)), 0u);
  }

  void SayInstead(Op op, std::function<SlotRange(SlotRange)> instead) {
    for (uint32_t worker = 0; worker < 3; ++worker) {
      world_.engine(1).device(worker).says_instead = [op, instead](Message message) {
        if (message.op == op && message.peer == 0 && message.chunk == 1) {
          message.slots = instead(message.slots);
        }
        return message;
      };
    }
  }
  void ExpectViolation(Operations operations) {
    const Status status = world_.Run(operations)[0];
    EXPECT_EQ(status.code(), Code::kProtocol);
    EXPECT_THAT(status.text(), HasSubstr("rank 1 wrote what it must not"));
  }

  World<HookedDevice> world_;
};

TEST_F(ChunkMutants, AreNone) { EXPECT_EQ(WrongRows(world_.RunChecked(kBoth)), 0u); }

TEST_F(ChunkMutants, AnnouncesTheChunkBefore) {
  SayInstead(Op::kDispatch, [](SlotRange slots) { return SlotRange{0, slots.begin}; });
  const Findings found = world_.RunChecked(kDispatch)[0];
  EXPECT_GT(found.wrong, 0u);
  EXPECT_EQ(found.source_rank, 1u);
}

TEST_F(ChunkMutants, AnnouncesAChunkWithoutItsLastRow) {
  SayInstead(Op::kDispatch, [](SlotRange slots) { return SlotRange{slots.begin, slots.end - 1}; });
  const Findings found = world_.RunChecked(kDispatch)[0];
  EXPECT_GT(found.wrong, 0u);
  EXPECT_EQ(found.source_rank, 1u);
}

TEST_F(ChunkMutants, AnnouncesMoreThanAChunk) {
  SayInstead(Op::kDispatch, [](SlotRange slots) {
    return SlotRange{slots.begin, slots.begin + kShape.tokens / 3 + 1};
  });
  ExpectViolation(kDispatch);
}

TEST_F(ChunkMutants, AnnouncesAChunkThatEndsBeforeItBegins) {
  SayInstead(Op::kDispatch, [](SlotRange slots) { return SlotRange{slots.end, slots.begin}; });
  ExpectViolation(kDispatch);
}

TEST_F(ChunkMutants, AnnouncesSlotsThatItHasNotCounted) {
  SayInstead(Op::kDispatch, [](SlotRange) { return SlotRange{kShape.tokens - 1, kShape.tokens}; });
  ExpectViolation(kDispatch);
}

TEST_F(ChunkMutants, AnnouncesSumsOfOtherSlots) {
  SayInstead(Op::kCombine, [](SlotRange slots) { return SlotRange{0, slots.begin}; });
  ExpectViolation(kCombine);
}

TEST_F(Mutants, PointsARowOutOfTheOutput) {
  BeforeRank1Raises(RowsWord(), [this] { Meta(0)->Placements()[0].index = 60000; });
  const std::vector<Status> statuses = world_.Run(kDispatch);
  EXPECT_EQ(statuses[0].code(), Code::kProtocol);
  EXPECT_THAT(statuses[0].text(), HasSubstr("rank 1 wrote what it must not"));
}

TEST_F(Mutants, CountsMoreRowsThanItCanHave) {
  uint16_t* sent = From1<uint16_t>(kLayout.Counts(dispatch_bank_));
  BeforeRank1Raises(CountsWord(), [sent] { sent[0] = kShape.tokens + 1; });
  const std::vector<Status> statuses = world_.Run(kDispatch);
  EXPECT_EQ(statuses[0].code(), Code::kProtocol);
  EXPECT_THAT(statuses[0].text(), HasSubstr("rank 1 wrote what it must not"));
}

TEST_F(Mutants, LosesAWord) {
  device(1).lose_word = [word = RowsWord()](const uint64_t* raised) { return raised == word; };
  // Once all else that rank 0 awaits has come, and for it alone, each look at the clock but the
  // first finds a minute passed.
  const auto has_come = [this, epoch = Next(world_.engine(0).epochs().dispatch)](uint64_t offset) {
    return FlagEpoch(device(0).LoadAcquire(In<uint64_t>(0, offset))) == epoch;
  };
  device(0).now = [this, has_come, minutes = uint64_t{0}]() mutable {
    const bool all_but_one = has_come(kLayout.CountsWord(dispatch_bank_, 1)) &&
                             has_come(kLayout.ChunkWord(dispatch_bank_, 2, 0));
    return all_but_one ? 60'000'000'000 * minutes++ : uint64_t{0};
  };
  const std::vector<Status> statuses = world_.Run(kDispatch);
  EXPECT_EQ(statuses[0].code(), Code::kTimeout);
  EXPECT_THAT(statuses[0].text(), HasSubstr("nothing from rank 1 for 60.0 s"));
  EXPECT_TRUE(statuses[2].ok());
}

}  // namespace
}  // namespace ep
