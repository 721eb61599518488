// Faults planted where messages are put are found.
//
// As in mutants_test.cc most begin with the third epoch, when what is stale looks right but for its
// contents.
#include <gtest/gtest.h>

#include "csrc/protocol/put.h"
#include "csrc/simt/mutants_test_util.h"
#include "csrc/simt/world_test_util.h"

namespace ep::simt {
namespace {

// As shipped, for the copy of its steps.
using Right = PutDevice<SimtDevice>;

enum class Fault {
  kNone,
  kNoFence,
  kFenceComesFirst,
  kAddComesFirst,
  kAddsTheValue,
  kForgetsWhatItSent,
  kStoresInTheImage,
  // What it leaves out of a message, in the order of a dispatch's extents.
  kCounts,
  kMetas,
  kScales,
  kRows,
  kPartials,
};

template <Fault kFault>
class FaultyPut : public Right {
 public:
  using Right::Right;

  void StoreRelease(uint64_t* flag, uint64_t value) {
    const Word word = Find(flag);
    if (word.peer == context_.rank || kFault == Fault::kStoresInTheImage) {
      return SimtDevice::StoreRelease(flag, value);
    }
    if (kFault == Fault::kAddComesFirst) {
      FenceSystem();
      Add(word, flag, value);
    }
    if (kFault == Fault::kFenceComesFirst) FenceSystem();
    PutExtents(word, value);
    if (kFault != Fault::kNoFence && kFault != Fault::kFenceComesFirst) FenceSystem();
    if (kFault != Fault::kAddComesFirst) Add(word, flag, value);
  }

 private:
  void PutExtents(Word word, uint64_t value) {
    const bool combines = word.offset >= context_.layout.CombineFlag(0, 0);
    uint32_t section = static_cast<uint32_t>(combines ? Fault::kPartials : Fault::kCounts);
    ForEachExtent(word, value, [&](uint8_t* to, const uint8_t* from, uint64_t bytes) {
      if (section++ != static_cast<uint32_t>(kFault)) PutAlone(to, from, bytes);
    });
  }
  void Add(Word word, uint64_t* flag, uint64_t value) {
    const uint64_t last = *flag;
    if (kFault == Fault::kAddsTheValue) *flag = 0;
    AddDifference(word, flag, value);
    if (kFault == Fault::kForgetsWhatItSent) *flag = last;
  }
};

constexpr SimtConfig kThreeRanks = {.world = {.shape = {3, 6, 256, 3, 3, Dtype::kFp8}},
                                    .dispatch_blocks = 3,
                                    .combine_blocks = 3,
                                    .mapped_ranks = 1,
                                    .timeout_steps = 200'000};
constexpr SimtConfig kTwoHosts = {.world = {.shape = {4, 4, 256, 3, 4, Dtype::kFp8}},
                                  .mapped_ranks = 2,
                                  .timeout_steps = 200'000};

constexpr char kDispatches[] = "DDDD";
constexpr char kCombines[] = "DCCCC";

template <class Kernels>
void ExpectFound(const char* kernels, const SimtConfig& config = kThreeRanks) {
  ExpectHarm(FirstFound<Later<Kernels, Bodies<Right>>>(kernels, config));
}

template <Fault kFault>
void ExpectFound(const char* kernels, const SimtConfig& config = kThreeRanks) {
  ExpectFound<Bodies<FaultyPut<kFault>>>(kernels, config);
}

TEST(PutMutants, TheCopyOfTheStepsIsRight) {
  for (const SimtConfig& config : {kThreeRanks, kTwoHosts}) {
    SimtWorld<Bodies<FaultyPut<Fault::kNone>>> world(config);
    for (const uint64_t seed : Seeds(1, 50)) EXPECT_EQ(world.Run(seed, "DCDDC").text, "");
  }
}

TEST(PutMutants, NoFenceBeforeTheAdd) {
  ExpectFound<Fault::kNoFence>(kDispatches);
  ExpectFound<Fault::kNoFence>(kCombines);
  ExpectFound<Fault::kNoFence>(kDispatches, kTwoHosts);
}

TEST(PutMutants, TheFenceComesBeforeTheExtents) {
  ExpectFound<Fault::kFenceComesFirst>(kDispatches);
  ExpectFound<Fault::kFenceComesFirst>(kCombines);
}

TEST(PutMutants, TheAddComesBeforeTheExtents) {
  ExpectFound<Fault::kAddComesFirst>(kDispatches);
  ExpectFound<Fault::kAddComesFirst>(kCombines);
}

TEST(PutMutants, TheValueIsAddedItself) {
  ExpectFound<Fault::kAddsTheValue>(kDispatches);
  ExpectFound<Fault::kAddsTheValue>(kCombines);
}

TEST(PutMutants, WhatWasSentLastIsForgotten) {
  ExpectFound<Fault::kForgetsWhatItSent>("DDDDD");
  ExpectFound<Fault::kForgetsWhatItSent>("DCCCCC");
}

// Counts are the same in every epoch of a routing: they are missed where no epoch was before.
TEST(PutMutants, CountsAreLeftOut) {
  ExpectHarm(FirstFound<Bodies<FaultyPut<Fault::kCounts>>>(kDispatches, kThreeRanks));
}
// A combine needs the weights.
TEST(PutMutants, MetasAreLeftOut) { ExpectFound<Fault::kMetas>("DDDC"); }
TEST(PutMutants, ScalesAreLeftOut) { ExpectFound<Fault::kScales>(kDispatches); }
TEST(PutMutants, RowsAreLeftOut) { ExpectFound<Fault::kRows>(kDispatches); }
TEST(PutMutants, PartialsAreLeftOut) { ExpectFound<Fault::kPartials>(kCombines); }

TEST(PutMutants, AFlagStaysInTheImage) {
  const Outcome outcome =
      FirstFound<Bodies<FaultyPut<Fault::kStoresInTheImage>>>(kDispatches, kTwoHosts);
  for (uint32_t rank = 0; rank < kTwoHosts.world.shape.ranks; ++rank) {
    EXPECT_EQ(outcome.errors[rank].kind, ErrorKind::kTimeout);
    EXPECT_NE(outcome.errors[rank].peer / 2, rank / 2);
  }
}

// ---- What other lanes wrote is put only by who is ordered behind them.

TEST(PutMutants, TicketsDoNotPassOnWhatOtherWorkersDid) {
  ExpectFound<Bodies<RelaxedTicket<Right>>>(kDispatches);
}

TEST(PutMutants, CountersDoNotPassOnWhatOtherCrewsSummed) {
  ExpectFound<Bodies<RelaxedCounter<Right>>>(kCombines);
}

}  // namespace
}  // namespace ep::simt
