// The schedules bite: every planted fault is found, by the check, a rank's error or the machine.
//
// Faults come in through a device that breaks one rule or through a copy of a step that leaves one
// line out. Most do so from the third epoch on: both banks hold good rows of an earlier one by
// then, and what is stale looks right but for its contents.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "csrc/simt/mutants_test_util.h"
#include "csrc/simt/world_test_util.h"

namespace ep::simt {
namespace {

using ::testing::HasSubstr;

constexpr SimtConfig kThreeRanks = {.world = {.shape = {3, 6, 256, 3, 3, Dtype::kFp8}},
                                    .dispatch_blocks = 3,
                                    .combine_blocks = 3,
                                    .timeout_steps = 200'000};

constexpr char kDispatches[] = "DDDD";
constexpr char kCombines[] = "DCCCC";

template <class Kernels>
Outcome FindFromTheFirst(const char* kernels, const SimtConfig& config = kThreeRanks) {
  return FirstFound<Kernels>(kernels, config);
}

template <class Kernels>
Outcome Find(const char* kernels, const SimtConfig& config = kThreeRanks) {
  return FirstFound<Later<Kernels>>(kernels, config);
}

template <class Device>
Outcome FindDevice(const char* kernels) {
  return Find<Bodies<Device>>(kernels);
}

TEST(Mutants, NoneIsFoundWhereNoneIs) {
  SimtWorld<> world(kThreeRanks);
  for (const uint64_t seed : Seeds(1, 50)) EXPECT_EQ(world.Run(seed, "DCDDC").text, "");
}

// ---- Order of memory. Without the store buffer these would all pass.

class RelaxedFlag : public SimtDevice {
 public:
  using SimtDevice::SimtDevice;
  void StoreRelease(uint64_t* flag, uint64_t value) {
    lane().Yield();
    *flag = value;
  }
};

TEST(Mutants, FlagsDoNotReleaseTheRows) { ExpectHarm(FindDevice<RelaxedFlag>(kDispatches)); }
TEST(Mutants, FlagsDoNotReleaseThePartials) { ExpectHarm(FindDevice<RelaxedFlag>(kCombines)); }

// The same where rows are copied to where homes read them, and not summed.
constexpr SimtConfig In(const Way& way) {
  SimtConfig config = kThreeRanks;
  config.world.shape = With(way, config.world.shape);
  return config;
}
constexpr Way kFlat = kWays[2];
constexpr Way kByExpert = kWays[4];

TEST(Mutants, FlagsDoNotReleaseRowsKeptOnce) {
  ExpectHarm(Find<Bodies<RelaxedFlag>>(kDispatches, In(kFlat)));
}
TEST(Mutants, FlagsDoNotReleaseCopiedRows) {
  ExpectHarm(Find<Bodies<RelaxedFlag>>(kCombines, In(kFlat)));
  ExpectHarm(Find<Bodies<RelaxedFlag>>(kCombines, In(kByExpert)));
}

TEST(Mutants, TicketsDoNotPassOnWhatOtherWorkersDid) {
  ExpectHarm(FindDevice<RelaxedTicket<SimtDevice>>(kDispatches));
}

TEST(Mutants, CountersDoNotPassOnWhatOtherCrewsSummed) {
  ExpectHarm(FindDevice<RelaxedCounter<SimtDevice>>(kCombines));
  ExpectHarm(Find<Bodies<RelaxedCounter<SimtDevice>>>(kCombines, In(kByExpert)));
}

// ---- Who waits for whom.

class EarlyTicket : public SimtDevice {
 public:
  using SimtDevice::SimtDevice;
  bool ArriveLast(uint32_t* ticket) {
    bool last = false;
    if (Thread() == 0) {
      last = lane().AddAcquireRelease(ticket, 1) + 1 == Workers();
      if (last) *ticket = 0;
    }
    return Any(last);
  }
};

// Three faults that reach the counts alone, and those are the same in every epoch of a routing:
// they show where no epoch was before. In a dispatch some other barrier stands in for all else.
TEST(Mutants, AWorkerArrivesBeforeItsLanes) {
  ExpectHarm(FindFromTheFirst<Bodies<EarlyTicket>>(kDispatches));
}

class EarlyCounter : public SimtDevice {
 public:
  using SimtDevice::SimtDevice;
  bool AddLast(uint32_t* counter, uint32_t mine, uint32_t all) {
    if (mine == 0 || Lane() != 0) return false;
    if (lane().AddAcquireRelease(counter, mine) + mine != all) return false;
    *counter = 0;
    return true;
  }
};

TEST(Mutants, ACrewCountsBeforeItsLanes) { ExpectHarm(FindDevice<EarlyCounter>(kCombines)); }

class LastingTicket : public SimtDevice {
 public:
  using SimtDevice::SimtDevice;
  bool ArriveLast(uint32_t* ticket) {
    Sync();
    return Any(Thread() == 0 && lane().AddAcquireRelease(ticket, 1) + 1 == Workers());
  }
};

TEST(Mutants, ATicketIsNotPutBack) {
  const Outcome outcome = FindDevice<LastingTicket>(kDispatches);
  EXPECT_EQ(outcome.errors[0].kind, ErrorKind::kTimeout);
  EXPECT_EQ(outcome.errors[0].epoch, 4u);
}

class NoBarrier : public SimtDevice {
 public:
  using SimtDevice::SimtDevice;
  void Sync() {}
};

TEST(Mutants, LanesDoNotWaitWithinTheirBlock) { ExpectHarm(FindDevice<NoBarrier>(kDispatches)); }

// The steps of ep::Dispatch, to leave out or move one.
struct Moved {
  enum Fault {
    kNone,
    kFlagsWithoutTheOtherWorkers,
    kFlagsBeforeTheCounts,
    kAwaitsAlone,
    kOneBank,
    kSkipsAnEmptyPeer,
  };
  static constexpr uint32_t kEmptyRank = 1;

  template <Fault kFault, class Device>
  static void Dispatch(Device& device, const RankContext& context, const DispatchInput& input,
                       BitmapPlan& plan, const Places& places, const DispatchOutput& output,
                       const Handle& handle) {
    const Epoch epoch = Next(context.epochs->dispatch);
    const dispatch::Step flags = {context, epoch, BankOf(epoch), input, output, handle};
    const uint32_t bank = kFault == kOneBank ? 0 : flags.bank;
    const dispatch::Step rows = {context, epoch, bank, input, output, handle};
    dispatch::PushRows(device, rows, plan);
    device.Sync();
    if (kFault != kFlagsBeforeTheCounts) PutCounts(device, rows, plan);
    bool last = device.ArriveLast(&context.tickets->pushed);
    if (last && device.Thread() == 0) context.epochs->dispatch = epoch;
    if (kFault == kFlagsWithoutTheOtherWorkers) last = device.Worker() == 0;
    if (last) dispatch::RaiseFlags(device, flags, plan);
    if (kFault == kFlagsBeforeTheCounts) PutCounts(device, rows, plan);
    if (!Await<kFault>(device, context, epoch, places)) return;
    if (!dispatch::PlaceSources(device, rows, places)) return;
    dispatch::KeepPlaces(device, context.shape, places, handle.places);
    dispatch::FanOut(device, rows, places);
  }

 private:
  template <class Device>
  static void PutCounts(Device& device, const dispatch::Step& step, const BitmapPlan& plan) {
    if (device.Worker() == 0) dispatch::PutCounts(device, step, plan);
  }

  template <Fault kFault, class Device>
  static bool Await(Device& device, const RankContext& context, Epoch epoch, const Places& places) {
    Waiting waiting = {Op::kDispatch, epoch, Waiting::kNotYet};
    const uint32_t bank = BankOf(epoch);
    bool good = true;
    for (uint32_t peer = device.Thread(); peer < context.shape.ranks; peer += device.Threads()) {
      if (kFault == kSkipsAnEmptyPeer && peer == kEmptyRank) {
        // All that its flag would have stood for.
        places.rows_from[peer] = 0;
        std::memset(context.In<uint16_t>(context.rank, context.layout.Counts(bank, peer)), 0,
                    sizeof(uint16_t) * context.shape.experts_per_rank);
        continue;
      }
      const uint64_t flag = context.layout.DispatchFlag(bank, peer);
      good &= AwaitFlag(device, context, waiting, peer,
                        context.In<const uint64_t>(context.rank, flag), &places.rows_from[peer]);
    }
    return kFault == kAwaitsAlone || !device.Any(!good);
  }
};

template <Moved::Fault kFault>
struct MovedBodies : Bodies<> {
  static void Dispatch(SimtDevice& device, const RankContext& context, const DispatchInput& input,
                       BitmapPlan& plan, const Places& places, const DispatchOutput& output,
                       const Handle& handle) {
    Moved::Dispatch<kFault>(device, context, input, plan, places, output, handle);
  }
};

TEST(Mutants, TheCopyOfTheStepsIsRight) {
  SimtWorld<MovedBodies<Moved::kNone>> world(kThreeRanks);
  for (const uint64_t seed : Seeds(1, 50)) EXPECT_EQ(world.Run(seed, "DCDDC").text, "");
}

TEST(Mutants, AWorkerFlagsWithoutTheOthers) {
  ExpectHarm(Find<MovedBodies<Moved::kFlagsWithoutTheOtherWorkers>>(kDispatches));
}

TEST(Mutants, CountsComeAfterTheFlags) {
  ExpectHarm(FindFromTheFirst<MovedBodies<Moved::kFlagsBeforeTheCounts>>(kDispatches));
}

TEST(Mutants, LanesGoOnWhenTheirOwnPeerIsThere) {
  ExpectHarm(FindFromTheFirst<MovedBodies<Moved::kAwaitsAlone>>(kDispatches));
}

TEST(Mutants, ThereIsOneBank) { ExpectHarm(Find<MovedBodies<Moved::kOneBank>>(kDispatches)); }

TEST(Mutants, NobodyWaitsForAnEmptyPeer) {
  SimtConfig config = kThreeRanks;
  config.world.tokens_of_rank = {6, 0, 6};
  const Outcome outcome = Find<MovedBodies<Moved::kSkipsAnEmptyPeer>>(kDispatches, config);
  // The others overtake it and write where it still reads.
  ExpectHarm(outcome);
}

class SilentIfEmpty : public SimtDevice {
 public:
  using SimtDevice::SimtDevice;
  void StoreRelease(uint64_t* flag, uint64_t value) {
    if (FlagRows(value) > 0) SimtDevice::StoreRelease(flag, value);
  }
};

TEST(Mutants, EmptyPairsAreNotFlagged) {
  SimtConfig config = kThreeRanks;
  config.world.tokens_of_rank = {6, 0, 6};
  const Outcome outcome = Find<Bodies<SilentIfEmpty>>(kDispatches, config);
  EXPECT_EQ(outcome.errors[0].kind, ErrorKind::kTimeout);
  EXPECT_EQ(outcome.errors[0].peer, 1u);
}

struct HastyCombine : Bodies<> {
  static void Combine(SimtDevice& device, const RankContext& context, const Handle& handle,
                      uint32_t*, const Bf16* expert_rows, Bf16* combined) {
    const Epoch epoch = Next(context.epochs->combine);
    const combine::Step step = {context, epoch, BankOf(epoch), handle, expert_rows, combined};
    combine::SumForHomes(device, step);
    if (device.ArriveLast(&context.tickets->entered) && device.Thread() == 0) {
      context.epochs->combine = epoch;
    }
    combine::SumRanks(device, step);
  }
};

TEST(Mutants, HomesDoNotWait) {
  ExpectHarm(Find<HastyCombine>(kCombines));
  ExpectHarm(Find<HastyCombine>(kCombines, In(kByExpert)));
}

// Puts flags of odd epochs where they belong, though the step that raises them works in bank 0.
class FlagsInTheirBank : public SimtDevice {
 public:
  explicit FlagsInTheirBank(const SimtDevice& device) : SimtDevice(device) {}
  void StoreRelease(uint64_t* flag, uint64_t value) {
    constexpr Layout kLayout(kThreeRanks.world.shape);
    constexpr uint64_t kBank = kLayout.CombineFlag(1, 0) - kLayout.CombineFlag(0, 0);
    SimtDevice::StoreRelease(flag + BankOf(FlagEpoch(value)) * kBank / sizeof(*flag), value);
  }
};

struct OneBankOfPartials : Bodies<> {
  static void Combine(SimtDevice& device, const RankContext& context, const Handle& handle,
                      uint32_t* rows_from, const Bf16* expert_rows, Bf16* combined) {
    const Epoch epoch = Next(context.epochs->combine);
    const combine::Step step = {context, epoch, 0, handle, expert_rows, combined};
    FlagsInTheirBank flags(device);
    combine::SumForHomes(flags, step);
    if (device.ArriveLast(&context.tickets->entered) && device.Thread() == 0) {
      context.epochs->combine = epoch;
    }
    if (!AwaitAll(device, context, Op::kCombine, epoch, rows_from)) return;
    combine::SumRanks(device, step);
  }
};

TEST(Mutants, ThereIsOneBankOfPartials) { ExpectHarm(Find<OneBankOfPartials>(kCombines)); }

// ---- Lanes.

class LostLane : public SimtDevice {
 public:
  using SimtDevice::SimtDevice;
  uint32_t OrCrew(uint32_t value) { return SimtDevice::OrCrew(Lane() == 0 ? 0 : value); }
};

TEST(Mutants, ALanesRankIsLost) { ExpectHarm(FindDevice<LostLane>(kDispatches)); }

class NextBit : public SimtDevice {
 public:
  using SimtDevice::SimtDevice;
  void OrShared(uint32_t* word, uint32_t bits) { SimtDevice::OrShared(word, bits << 1); }
};

TEST(Mutants, ATokenSetsTheNextOnesBit) { ExpectHarm(FindDevice<NextBit>(kDispatches)); }

class OneWarpTooFew : public SimtDevice {
 public:
  using SimtDevice::SimtDevice;
  uint32_t Crews() const { return SimtDevice::Crews() - Workers(); }
};

TEST(Mutants, TheLastCrewOfEachBlockIsForgotten) {
  // In a combine too many pieces are counted, so that the last one is never seen.
  const Outcome outcome = FindDevice<OneWarpTooFew>(kCombines);
  EXPECT_TRUE(outcome.findings.wrong > 0 || outcome.errors[0].kind == ErrorKind::kTimeout);
}

class SkipsACrewBarrier : public SimtDevice {
 public:
  using SimtDevice::SimtDevice;
  void SyncCrew(Site site = Site::current()) {
    if (Lane() != 31) SimtDevice::SyncCrew(site);
  }
};

TEST(Mutants, ALaneSkipsItsCrewsBarrier) {
  const std::string text = FindDevice<SkipsACrewBarrier>(kDispatches).machine.text();
  EXPECT_THAT(text, HasSubstr("SyncCrew at bitmap_plan.h"));
}

class SkipsABlockBarrier : public SimtDevice {
 public:
  using SimtDevice::SimtDevice;
  bool Any(bool mine, Site site = Site::current()) {
    return Thread() == 37 ? false : SimtDevice::Any(mine, site);
  }
};

TEST(Mutants, ALaneSkipsItsBlocksBarrier) {
  const std::string text = FindDevice<SkipsABlockBarrier>(kDispatches).machine.text();
  EXPECT_THAT(text, HasSubstr("37"));
  EXPECT_THAT(text, HasSubstr("Any at dispatch.h"));
}

struct LeavesEarly : Bodies<> {
  static void Combine(SimtDevice& device, const RankContext& context, const Handle& handle,
                      uint32_t* rows_from, const Bf16* expert_rows, Bf16* combined) {
    if (device.Thread() == 7) return;
    ep::Combine(device, context, handle, rows_from, expert_rows, combined);
  }
};

TEST(Mutants, ALaneReturnsWhileOthersWait) {
  const std::string text = Find<LeavesEarly>(kCombines).machine.text();
  EXPECT_THAT(text, HasSubstr("combine.h"));
}

}  // namespace
}  // namespace ep::simt
