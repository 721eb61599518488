// The schedules bite: every planted fault of words, chunks, banks and epochs is found, by the
// check, a rank's error or the machine.
//
// Faults come in through a device that breaks one rule, or one that knows which operation it runs.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <type_traits>
#include <utility>
#include <vector>

#include "csrc/simt/mutants_test_util.h"
#include "csrc/simt/world_test_util.h"

namespace ep::simt {
namespace {

constexpr uint32_t kEmptyRank = 1;
SimtConfig OneIsEmpty(SimtConfig config = kThreeRanks) { return TokensOf({6, 0, 6}, config); }

// ---- What a word stands for.

// A word is raised when a chunk lacks a piece; every full one has two.
class EarlyWord : public KnowingDevice {
 public:
  using KnowingDevice::KnowingDevice;
  uint32_t LoadFast(const uint32_t* word) {
    const uint32_t value = KnowingDevice::LoadFast(word);
    const uint32_t* pending = operation().mail.pending;
    return word >= pending && word < pending + 2 && value == 1 ? 2 : value;
  }
};

// In a dispatch where crews announce while others still push.
TEST(WordsMutants, AWordIsRaisedBeforeAllCrewsAreThrough) {
  SimtConfig config = Together();
  config.world.shape.chunk_tokens = 2;
  config.tile_tokens = 4;
  ExpectHarm(FindKnowing<EarlyWord>(kDispatches, config));
  ExpectHarm(FindKnowing<EarlyWord>(kCombines, AllToAll()));
}

// Counts are stored only after their word is raised.
class LateCounts : public SimtDevice {
 public:
  using SimtDevice::SimtDevice;
  template <class T>
  void Store(T* to, const T& value) {
    if constexpr (std::is_same_v<T, uint16_t>) {
      late_.emplace_back(to, value);
    } else {
      SimtDevice::Store(to, value);
    }
  }
  bool AnyOfCrew(bool mine, Site site = Site::current()) {
    for (const auto& [to, value] : late_) SimtDevice::Store(to, value);
    late_.clear();
    return SimtDevice::AnyOfCrew(mine, site);
  }

 private:
  std::vector<std::pair<uint16_t*, uint16_t>> late_;
};

TEST(WordsMutants, CountsComeAfterTheirWord) { ExpectHarm(FindFromTheFirst<LateCounts>("D")); }

class SaysTheChunkBefore : public SimtDevice {
 public:
  using SimtDevice::SimtDevice;
  void RaiseFlag(const RankContext& context, Message message) {
    const uint32_t count = message.slots.Count();
    if (message.chunk != Message::kCounts && message.slots.begin >= count) {
      message.slots = {message.slots.begin - count, message.slots.begin};
    }
    SimtDevice::RaiseFlag(context, message);
  }
};

TEST(WordsMutants, AWordHasTheSlotsOfTheChunkBefore) {
  ExpectHarm(Find<SaysTheChunkBefore>(kDispatches));
  ExpectHarm(Find<SaysTheChunkBefore>(kDispatches, Together()));
  ExpectHarm(Find<SaysTheChunkBefore>(kCombines));
}

class WordOfTheNextChunk : public SimtDevice {
 public:
  using SimtDevice::SimtDevice;
  void RaiseFlag(const RankContext& context, Message message) {
    if (message.chunk != Message::kCounts) {
      message.chunk = (message.chunk + 1) % context.shape.Chunks();
    }
    SimtDevice::RaiseFlag(context, message);
  }
};

// A dispatch would not mind: a word says itself which slots it announces.
TEST(WordsMutants, AWordIsRaisedInTheNextChunksPlace) {
  ExpectHarm(Find<WordOfTheNextChunk>(kCombines));
}

// ---- Who waits for whom.

// Takes all words of a kind for granted as they were in the epoch before.
enum class Kind { kCounts, kChunks, kSums };

template <Kind kKind>
class TakesForGranted : public KnowingDevice {
 public:
  using KnowingDevice::KnowingDevice;
  uint64_t LoadAcquire(const uint64_t* word) {
    const uint64_t value = KnowingDevice::LoadAcquire(word);
    if (operation().context == nullptr) return value;
    const bool dispatch = operation().op == Op::kDispatch;
    const bool counts = dispatch && IsOfCounts(word);
    const bool is_one = kKind == Kind::kCounts   ? counts
                        : kKind == Kind::kChunks ? dispatch && !counts
                                                 : !dispatch;
    return is_one ? MakeFlag(operation().epoch, FlagRows(value)) : value;
  }

 private:
  bool IsOfCounts(const uint64_t* word) const {
    for (uint32_t peer = 0; peer < operation().context->shape.ranks; ++peer) {
      if (OffsetOf(word) == layout().CountsWord(bank(), peer)) return true;
    }
    return false;
  }
};

TEST(WordsMutants, RowsArePlacedBeforeAllCountsAreThere) {
  const auto found = [](const SimtConfig& config) {
    return FirstFound<KnowingBodies<TakesForGranted<Kind::kCounts>>>("D", config);
  };
  ExpectHarm(found(kThreeRanks));
  ExpectHarm(found(Together()));
}
TEST(WordsMutants, ReceiversDoNotWait) {
  ExpectHarm(FindKnowing<TakesForGranted<Kind::kChunks>>(kDispatches));
  ExpectHarm(FindKnowing<TakesForGranted<Kind::kChunks>>(kDispatches, Together()));
}
TEST(WordsMutants, HomesDoNotWait) {
  ExpectHarm(FindKnowing<TakesForGranted<Kind::kSums>>(kCombines));
  ExpectHarm(FindKnowing<TakesForGranted<Kind::kSums>>(kCombines, In(kByExpert)));
}

// Nobody waits for a rank that has no tokens.
class SkipsAnEmptyPeer : public KnowingDevice {
 public:
  using KnowingDevice::KnowingDevice;
  uint64_t LoadAcquire(const uint64_t* word) {
    const uint64_t value = KnowingDevice::LoadAcquire(word);
    if (operation().op != Op::kDispatch) return value;
    const uint64_t offset = OffsetOf(word);
    const uint64_t first = layout().CountsWord(bank(), kEmptyRank);
    const uint64_t end = layout().CountsWord(bank(), kEmptyRank + 1);
    return offset >= first && offset < end ? MakeRange(operation().epoch, {0, 0}) : value;
  }
};

// The others overtake it and write where it still reads.
TEST(WordsMutants, NobodyWaitsForAnEmptyPeer) {
  ExpectHarm(FindKnowing<SkipsAnEmptyPeer>("DDDDDD", OneIsEmpty()));
}

// A rank without tokens, which gets nothing back, leaves a combine without a look at its peers.
class LeavesAtOnce : public KnowingDevice {
 public:
  using KnowingDevice::KnowingDevice;
  uint64_t LoadAcquire(const uint64_t* word) {
    const uint64_t value = KnowingDevice::LoadAcquire(word);
    const bool leaves = operation().op == Op::kCombine && operation().tokens == 0;
    return leaves ? MakeRange(operation().epoch, {0, 0}) : value;
  }
};

TEST(WordsMutants, ARankLeavesBeforeItsPeersHaveComeIn) {
  ExpectHarm(FindKnowing<LeavesAtOnce>("DCCCCCC", OneIsEmpty()));
}

template <Op kOp>
class SilentIfEmpty : public SimtDevice {
 public:
  using SimtDevice::SimtDevice;
  void RaiseFlag(const RankContext& context, const Message& message) {
    if (message.op != kOp || message.slots.Count() > 0) SimtDevice::RaiseFlag(context, message);
  }
};

TEST(WordsMutants, EmptyChunksAreNotAnnounced) {
  ExpectTimeout(Find<SilentIfEmpty<Op::kDispatch>>(kDispatches, OneIsEmpty()), kEmptyRank);
  // Rank 1 has no tokens for all but its first two chunks.
  ExpectTimeout(
      Find<SilentIfEmpty<Op::kDispatch>>(kDispatches, AllToAll(TokensOf({6, 2, 6}, Together()))),
      kEmptyRank);
  ExpectTimeout(Find<SilentIfEmpty<Op::kCombine>>(kCombines, TokensOf({0, 2, 6})), 1);
}

// What a rank makes of its own tokens comes once more through the bank.
class SumsOwnTwice : public SimtDevice {
 public:
  using SimtDevice::SimtDevice;
  template <class RowOf>
  void SumPartials(Bf16* out, uint32_t channels, uint32_t count, uint32_t own, const Bf16* fast,
                   RowOf row_of) {
    SimtDevice::SumPartials(out, channels, count + (own < count), own, fast,
                            [&](uint32_t i) { return i < count ? row_of(i) : fast; });
  }
};

TEST(WordsMutants, WhatARankMakesOfItsOwnTokensCountsTwice) {
  ExpectHarm(Find<SumsOwnTwice>(kCombines));
}

// Chunks are as many as a rank's own tokens make.
struct OwnChunks : Bodies<> {
  static void Dispatch(SimtDevice& device, const RankContext& context, const DispatchInput& input,
                       BitmapPlan& plan, const Working& working, const DispatchOutput& output,
                       const Handle& handle) {
    RankContext own = context;
    own.shape.tokens = std::max(1u, input.tokens);
    ep::Dispatch(device, own, input, plan, working, output, handle);
  }
};

TEST(WordsMutants, ChunksAreCountedByARanksOwnTokens) {
  const Outcome outcome = FirstFound<Later<OwnChunks>>(kDispatches, TokensOf({6, 2, 6}));
  EXPECT_TRUE(outcome.machine.ok());
  EXPECT_NE(outcome.errors[0].kind, ErrorKind::kNone);
  EXPECT_EQ(outcome.errors[0].peer, 1u);
}

// ---- Banks and epochs.

// Works in bank 0 alone; words are where they belong.
class OneBank : public KnowingDevice {
 public:
  using KnowingDevice::KnowingDevice;

  void PutRow(const Row& row, uint8_t* payload, float* scales) {
    KnowingDevice::PutRow(row, One(payload), One(scales));
  }
  Held Read(const uint8_t* from, size_t bytes) { return KnowingDevice::Read(One(from), bytes); }
  void Write(uint8_t* to, const Held& held) { KnowingDevice::Write(One(to), held); }
  HeldScales ReadScales(const float* from, uint32_t count) {
    return KnowingDevice::ReadScales(One(from), count);
  }
  void Load(uint8_t* fast, const uint8_t* from, size_t bytes) {
    KnowingDevice::Load(fast, One(from), bytes);
  }
  template <class T>
  void Store(T* to, const T& value) {
    KnowingDevice::Store(One(to), value);
  }
  template <class RowOf, class WeightOf>
  void SumWeighted(Bf16* out, uint32_t channels, uint32_t count, RowOf row_of, WeightOf weight_of) {
    KnowingDevice::SumWeighted(
        One(out), channels, count, [&](uint32_t i) { return One(row_of(i)); }, weight_of);
  }
  template <class RowOf>
  void SumPartials(Bf16* out, uint32_t channels, uint32_t count, uint32_t own, const Bf16* fast,
                   RowOf row_of) {
    KnowingDevice::SumPartials(out, channels, count, own, fast,
                               [&](uint32_t i) { return One(row_of(i)); });
  }

 private:
  // What lies in bank 1 of some region, in bank 0.
  template <class T>
  T* One(T* at) const {
    const RankContext* context = operation().context;
    if (context == nullptr) return at;
    const Layout& layout = context->layout;
    const auto address = reinterpret_cast<uintptr_t>(at);
    for (uint32_t rank = 0; rank < context->shape.ranks; ++rank) {
      const auto region =
          reinterpret_cast<uintptr_t>(context->At<uint8_t>(rank, layout.PairArea(0)));
      if (address < region || address >= region + context->shape.ranks * layout.PairBytes()) {
        continue;
      }
      const bool second = (address - region) % layout.PairBytes() >= layout.BankBytes();
      return second ? reinterpret_cast<T*>(address - layout.BankBytes()) : at;
    }
    return at;
  }
};

// Where rows leave only after all counts are there, one would do for them.
TEST(WordsMutants, ThereIsOneBank) { ExpectHarm(FindKnowing<OneBank>(kDispatches)); }
TEST(WordsMutants, ThereIsOneBankOfPartials) {
  ExpectHarm(FindKnowing<OneBank>(kCombines));
  ExpectHarm(FindKnowing<OneBank>(kCombines, In(kFlat)));
  ExpectHarm(FindKnowing<OneBank>(kCombines, In(kByExpert)));
}

class EveryoneEntersLast : public SimtDevice {
 public:
  using SimtDevice::SimtDevice;
  bool EnterLast(uint32_t*) { return Thread() == 0; }
};

TEST(WordsMutants, TheEpochIsStoredBeforeAllWorkersHaveReadIt) {
  const Outcome outcome = Find<EveryoneEntersLast>(kDispatches);
  EXPECT_TRUE(outcome.machine.ok()) << outcome.text;
}

class LastingTicket : public SimtDevice {
 public:
  using SimtDevice::SimtDevice;
  bool EnterLast(uint32_t* ticket) {
    return Thread() == 0 && lane().AddRelaxed(ticket, 1) + 1 == Workers();
  }
};

// The epoch after next is the next one's again, whose words are there.
TEST(WordsMutants, ATicketIsNotPutBack) {
  ExpectHarm(Find<LastingTicket>("DDDDDD"));
  ExpectHarm(Find<LastingTicket>("DCCCCCC"));
}

}  // namespace
}  // namespace ep::simt
