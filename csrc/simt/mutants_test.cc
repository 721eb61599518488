// The schedules bite: every planted fault of order and of meeting is found, by the check, a rank's
// error or the machine. csrc/simt/words_mutants_test.cc has those of words, banks and pieces.
//
// Faults come in through a device that breaks one rule.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "csrc/simt/mutants_test_util.h"
#include "csrc/simt/world_test_util.h"

namespace ep::simt {
namespace {

using ::testing::AnyOf;
using ::testing::HasSubstr;

// Of six tiles, two for each worker.
SimtConfig Tiled() {
  SimtConfig config = kThreeRanks;
  config.world.shape.tokens = 12;
  config.tile_tokens = 3;
  return config;
}

TEST(Mutants, NoneIsFoundWhereNoneIs) {
  for (const SimtConfig& config : {kThreeRanks, Together(), Tiled(), In(kFlat), In(kByExpert)}) {
    SimtWorld<> world(config);
    for (const uint64_t seed : Seeds(1, 20)) EXPECT_EQ(world.Run(seed, "DCDDC").text, "");
  }
}

// ---- Order of memory. Without the store buffer these would all pass.

class NoRelease : public SimtDevice {
 public:
  using SimtDevice::SimtDevice;
  void Release() { lane().Yield(); }
};

TEST(Mutants, WordsDoNotReleaseTheRows) {
  ExpectHarm(Find<NoRelease>(kDispatches));
  ExpectHarm(Find<NoRelease>(kDispatches, Together()));
}
TEST(Mutants, WordsDoNotReleaseThePartials) { ExpectHarm(Find<NoRelease>(kCombines)); }
TEST(Mutants, WordsDoNotReleaseTheCounts) {
  ExpectHarm(FindFromTheFirst<NoRelease>("D"));
  ExpectHarm(FindFromTheFirst<NoRelease>("D", Tiled()));
}
// The same where rows are copied to where homes read them, and not summed.
TEST(Mutants, WordsDoNotReleaseRowsKeptOnce) {
  ExpectHarm(Find<NoRelease>(kDispatches, In(kFlat)));
}
TEST(Mutants, WordsDoNotReleaseCopiedRows) {
  ExpectHarm(Find<NoRelease>(kCombines, In(kFlat)));
  ExpectHarm(Find<NoRelease>(kCombines, In(kByExpert)));
}

// Who adds does not pass on what the crew did before.
class RelaxedAdd : public SimtDevice {
 public:
  using SimtDevice::SimtDevice;
  void Add(uint32_t* counter, uint32_t value, Site site = Site::current()) {
    lane().MeetCrew("Add", site, 0, true);
    if (Lane() == 0) lane().AddRelaxed(counter, value);
  }
};

TEST(Mutants, CountersDoNotPassOnWhatCrewsDid) {
  ExpectHarm(Find<RelaxedAdd>(kDispatches, Together()));
  ExpectHarm(Find<RelaxedAdd>(kCombines));
  ExpectHarm(Find<RelaxedAdd>(kCombines, In(kByExpert)));
}

// Who looks does not take it on.
class RelaxedLook : public SimtDevice {
 public:
  using SimtDevice::SimtDevice;
  uint32_t LoadFast(const uint32_t* word) {
    lane().YieldAfterMiss();
    return *word;
  }
};

TEST(Mutants, TheSignalCrewDoesNotTakeOnWhatCrewsDid) {
  ExpectHarm(Find<RelaxedLook>(kDispatches, Together()));
  ExpectHarm(Find<RelaxedLook>(kCombines));
}

class RelaxedTicket : public SimtDevice {
 public:
  using SimtDevice::SimtDevice;
  bool ArriveLast(uint32_t* ticket) {
    Sync();
    bool last = false;
    if (Thread() == 0) {
      last = lane().AddRelaxed(ticket, 1) + 1 == Workers();
      if (last) *ticket = 0;
    }
    return Any(last);
  }
};

TEST(Mutants, TicketsDoNotPassOnWhatOtherWorkersCounted) {
  ExpectHarm(FindFromTheFirst<RelaxedTicket>("D", Tiled()));
}

class UnorderedSync : public SimtDevice {
 public:
  using SimtDevice::SimtDevice;
  void SyncCrew(Site site = Site::current()) { lane().MeetCrew("SyncCrew", site, 0, false); }
};

TEST(Mutants, ACrewsBarrierDoesNotOrder) { ExpectHarm(FindFromTheFirst<UnorderedSync>("D")); }

// ---- Who waits for whom.

class EarlyTicket : public SimtDevice {
 public:
  using SimtDevice::SimtDevice;
  bool ArriveLast(uint32_t* ticket) {
    bool last = false;
    if (Thread() == 0) {
      last = lane().AddAcquireRelease(ticket, 1) + 1 == Workers();
      if (last) *ticket = 0;
      if (last) lane().Release();
    }
    return Any(last);
  }
};

TEST(Mutants, AWorkerArrivesBeforeItsLanes) {
  ExpectHarm(FindFromTheFirst<EarlyTicket>("D", Tiled()));
}

class EarlyAdd : public SimtDevice {
 public:
  using SimtDevice::SimtDevice;
  void Add(uint32_t* counter, uint32_t value) {
    if (Lane() == 0) lane().AddAcquireRelease(counter, value);
  }
};

TEST(Mutants, ACrewCountsBeforeItsLanes) {
  ExpectHarm(Find<EarlyAdd>(kDispatches, Together()));
  ExpectHarm(Find<EarlyAdd>(kCombines));
}

class NoBarrier : public SimtDevice {
 public:
  using SimtDevice::SimtDevice;
  void Sync() {}
};

TEST(Mutants, LanesDoNotWaitWithinTheirBlock) { ExpectHarm(Find<NoBarrier>(kDispatches)); }

// ---- Lanes.

class LostLane : public SimtDevice {
 public:
  using SimtDevice::SimtDevice;
  uint32_t OrCrew(uint32_t value) { return SimtDevice::OrCrew(Lane() == 0 ? 0 : value); }
};

TEST(Mutants, ALanesRankIsLost) { ExpectHarm(Find<LostLane>(kDispatches)); }

class NextBit : public SimtDevice {
 public:
  using SimtDevice::SimtDevice;
  void OrShared(uint32_t* word, uint32_t bits) { SimtDevice::OrShared(word, bits << 1); }
};

TEST(Mutants, ATokenSetsTheNextOnesBit) { ExpectHarm(Find<NextBit>(kDispatches)); }

class SkipsACrewBarrier : public SimtDevice {
 public:
  using SimtDevice::SimtDevice;
  void SyncCrew(Site site = Site::current()) {
    if (Lane() != 31) SimtDevice::SyncCrew(site);
  }
};

// In a combine, where none reads what another of its crew has not yet written, and so leads it out
// of its memory.
TEST(Mutants, ALaneSkipsItsCrewsBarrier) {
  const std::string text = Find<SkipsACrewBarrier>(kCombines).machine.text();
  EXPECT_THAT(text, HasSubstr("SyncCrew at signal.h"));
}

class SkipsABlockBarrier : public SimtDevice {
 public:
  using SimtDevice::SimtDevice;
  bool Any(bool mine, Site site = Site::current()) {
    return Thread() == 37 ? false : SimtDevice::Any(mine, site);
  }
};

TEST(Mutants, ALaneSkipsItsBlocksBarrier) {
  const std::string text = Find<SkipsABlockBarrier>(kDispatches).machine.text();
  EXPECT_THAT(text, HasSubstr("37"));
  EXPECT_THAT(text, HasSubstr("Any at "));
}

class LanesLeadThemselves : public SimtDevice {
 public:
  using SimtDevice::SimtDevice;
  uint32_t Leading(bool mine) { return mine ? kLanes : Lane(); }
};

TEST(Mutants, LanesGoOnWhenTheirOwnWordIsThere) {
  EXPECT_NE(Find<LanesLeadThemselves>(kDispatches).machine.text(), "");
}

struct LeavesEarly : Bodies<> {
  static void Combine(SimtDevice& device, const RankContext& context, const Handle& handle,
                      const Working& working, const Bf16* expert_rows, Bf16* combined) {
    if (device.Thread() == 7) return;
    ep::Combine(device, context, handle, working, expert_rows, combined);
  }
};

TEST(Mutants, ALaneReturnsWhileOthersWait) {
  const std::string text = FirstFound<LeavesEarly>(kCombines, kThreeRanks).machine.text();
  EXPECT_THAT(text, AnyOf(HasSubstr("returned: lanes 7"), HasSubstr("lane 7 returns")));
}

}  // namespace
}  // namespace ep::simt
