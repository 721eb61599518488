// The machine itself: what barriers, releases and tickets promise is kept under every schedule,
// what they do not promise fails under some, and what GPUs forbid is reported.
#include "csrc/simt/machine.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

#include "csrc/device/simt.h"

namespace ep::simt {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr uint64_t kSeeds = 300;

// A letter: words that one rank writes and, after the flag, another reads.
struct Letter {
  uint32_t words[64] = {};
  uint64_t flag = 0;
  uint32_t ticket = 0;
  uint32_t fast = 0;
  uint32_t lost = 0;  // words that were not there
};

using Body = std::function<void(SimtDevice&, Letter&)>;

// Rank 1 waits for the flag and looks for all of `count` words.
void Receive(SimtDevice& device, Letter& letter, uint32_t count) {
  if (device.Thread() == 0) {
    while (device.LoadAcquire(&letter.flag) == 0) device.Relax(1);
  }
  device.Sync();
  if (device.Thread() < count) letter.lost += letter.words[device.Thread()] == 0;
}

// Seeds for which rank 1 misses something that rank 0's `send`, of two blocks of two crews, should
// have told it.
uint32_t Losses(uint32_t count, const Body& send) {
  Machine machine(3 * 64);
  Host host;
  uint32_t losses = 0;
  for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
    Letter letter;
    machine.Enqueue({0, 2, 2, 0, [&](Lane& lane) {
                       SimtDevice device(lane, &host);
                       send(device, letter);
                     }});
    machine.Enqueue({1, 1, 2, 0, [&](Lane& lane) {
                       SimtDevice device(lane, &host);
                       Receive(device, letter, count);
                     }});
    const Status status = machine.Run(seed);
    EXPECT_TRUE(status.ok()) << "seed " << seed << ": " << status.text();
    losses += letter.lost > 0;
  }
  return losses;
}

void Write(SimtDevice& device, Letter& letter, uint32_t word) {
  device.Store(&letter.words[word], uint32_t{1});
}

void Raise(SimtDevice& device, Letter& letter) {
  device.Release();
  letter.flag = 1;
}

TEST(Order, AReleaseCarriesTheLanesOwnStores) {
  EXPECT_EQ(Losses(1,
                   [](SimtDevice& device, Letter& letter) {
                     if (device.Worker() != 0 || device.Thread() != 5) return;
                     Write(device, letter, 0);
                     Raise(device, letter);
                   }),
            0u);
}

TEST(Order, AReleaseDoesNotCarryWhatItsLaneDoesNotKnowOf) {
  // Lane 0 flags after the others have stored, but nothing orders them.
  EXPECT_GT(Losses(32,
                   [](SimtDevice& device, Letter& letter) {
                     if (device.Worker() != 0 || device.Crew() != 0) return;
                     Write(device, letter, device.Lane());
                     device.AnyOfCrew(true);
                     if (device.Lane() == 0) Raise(device, letter);
                   }),
            0u);
}

TEST(Order, ACrewsBarrierOrders) {
  EXPECT_EQ(Losses(32,
                   [](SimtDevice& device, Letter& letter) {
                     if (device.Worker() != 0 || device.Crew() != 0) return;
                     Write(device, letter, device.Lane());
                     device.SyncCrew();
                     if (device.Lane() == 0) Raise(device, letter);
                   }),
            0u);
}

TEST(Order, ACrewsBarrierDoesNotOrderOtherCrews) {
  EXPECT_GT(Losses(64,
                   [](SimtDevice& device, Letter& letter) {
                     if (device.Worker() != 0) return;
                     Write(device, letter, device.Thread());
                     device.SyncCrew();
                     if (device.Thread() == 0) Raise(device, letter);
                   }),
            0u);
}

TEST(Order, ABlocksBarrierOrders) {
  EXPECT_EQ(Losses(64,
                   [](SimtDevice& device, Letter& letter) {
                     if (device.Worker() != 0) return;
                     Write(device, letter, device.Thread());
                     device.Sync();
                     if (device.Thread() == 40) Raise(device, letter);
                   }),
            0u);
}

TEST(Order, ATicketOrdersBlocks) {
  EXPECT_EQ(Losses(64,
                   [](SimtDevice& device, Letter& letter) {
                     if (device.Thread() < 32)
                       Write(device, letter, device.Worker() * 32 + device.Lane());
                     const bool last = device.ArriveLast(&letter.ticket);
                     if (last && device.Thread() == 63) Raise(device, letter);
                   }),
            0u);
}

TEST(Order, ARelaxedTicketDoesNot) {
  EXPECT_GT(Losses(64,
                   [](SimtDevice& device, Letter& letter) {
                     if (device.Thread() < 32)
                       Write(device, letter, device.Worker() * 32 + device.Lane());
                     device.Sync();
                     if (device.Thread() != 0) return;
                     // Read and write in one step: no other lane runs in between.
                     if (++letter.ticket == device.Workers()) Raise(device, letter);
                   }),
            0u);
}

// The second crew of a block writes and does `tell`; the first one awaits what it tells.
uint32_t LossesBetweenCrews(void (*tell)(SimtDevice&, uint32_t* word)) {
  return Losses(32, [tell](SimtDevice& device, Letter& letter) {
    if (device.Worker() != 0) return;
    if (device.Crew() == 1) {
      Write(device, letter, device.Lane());
      tell(device, &letter.fast);
      return;
    }
    while (device.SeeFast(&letter.fast) == 0) {
    }
    if (device.Lane() == 5) Raise(device, letter);
  });
}

TEST(Order, AnAdditionToFastMemoryOrders) {
  EXPECT_EQ(LossesBetweenCrews([](SimtDevice& device, uint32_t* word) { device.Add(word, 1); }),
            0u);
}

TEST(Order, AStoreToFastMemoryOrders) {
  EXPECT_EQ(LossesBetweenCrews([](SimtDevice& device, uint32_t* word) {
              device.SyncCrew();
              if (device.Lane() == 0) device.StoreFast(word, 1);
            }),
            0u);
}

TEST(Order, WhatTakesAPieceDoesNotOrder) {
  EXPECT_GT(LossesBetweenCrews([](SimtDevice& device, uint32_t* word) { device.Take(word); }), 0u);
}

TEST(Order, ATicketOfThoseWhoEnterDoesNotOrder) {
  EXPECT_GT(Losses(64,
                   [](SimtDevice& device, Letter& letter) {
                     if (device.Crew() == 0) {
                       Write(device, letter, device.Worker() * 32 + device.Lane());
                     }
                     device.Sync();
                     if (device.EnterLast(&letter.ticket)) Raise(device, letter);
                   }),
            0u);
}

TEST(Order, WhoSeesThatAllLanesAreReadyKnowsWhatTheyDid) {
  const auto losses = [](bool leading) {
    return Losses(32, [leading](SimtDevice& device, Letter& letter) {
      if (device.Thread() >= 32 || device.Worker() != 0) return;
      Write(device, letter, device.Lane());
      const uint32_t ready = leading ? device.Leading(true) : device.From(32, 3);
      if (device.Lane() == 3 && ready == 32) Raise(device, letter);
    });
  };
  EXPECT_EQ(losses(true), 0u);
  EXPECT_GT(losses(false), 0u);
}

TEST(FastMemory, GivesEachPieceToOneCrew) {
  Machine machine(4 * 32);
  for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
    Host host;
    uint32_t taken = 0;
    std::vector<uint32_t> times(40);
    machine.Enqueue({0, 1, 4, 0, [&](Lane& lane) {
                       SimtDevice device(lane, &host);
                       for (;;) {
                         const uint32_t piece = device.Take(&taken);
                         if (piece >= times.size()) return;
                         ++times[piece];
                       }
                     }});
    ASSERT_TRUE(machine.Run(seed).ok());
    ASSERT_EQ(times, std::vector<uint32_t>(times.size(), 32)) << "each by all lanes of a crew";
  }
}

TEST(Machine, RunsTheKernelsOfARankOneAfterAnother) {
  Machine machine(4 * 32);
  for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
    uint32_t running = 0;
    std::vector<uint32_t> order;
    for (uint32_t kernel = 0; kernel < 3; ++kernel) {
      machine.Enqueue({0, 2, 1, 0,
                       [&](Lane& lane) {
                         for (uint32_t i = 0; i < lane.Thread(); ++i) lane.Yield();
                         EXPECT_EQ(running, 1u);
                       },
                       [&] { ++running; },
                       [&, kernel] {
                         --running;
                         order.push_back(kernel);
                       }});
    }
    ASSERT_TRUE(machine.Run(seed).ok());
    ASSERT_EQ(order, (std::vector<uint32_t>{0, 1, 2}));
  }
}

TEST(Machine, RepeatsARunOfTheSameSeed) {
  Machine machine(2 * 64);
  const auto trace = [&](uint64_t seed) {
    std::vector<uint32_t> lanes;
    for (uint32_t rank = 0; rank < 2; ++rank) {
      machine.Enqueue({rank, 1, 2, 0, [&lanes](Lane& lane) {
                         lane.Yield();
                         lanes.push_back(lane.Rank() * 64 + lane.Thread());
                       }});
    }
    EXPECT_TRUE(machine.Run(seed).ok());
    return lanes;
  };
  EXPECT_EQ(trace(7), trace(7));
  EXPECT_NE(trace(7), trace(8));
}

// The report on two blocks of two crews that run `body`.
std::string Complaint(uint64_t seed, const std::function<void(SimtDevice&)>& body) {
  Machine machine(2 * 64);
  Host host;
  machine.Enqueue({4, 2, 2, 0, [&](Lane& lane) {
                     SimtDevice device(lane, &host);
                     body(device);
                   }});
  return machine.Run(seed).text();
}

// Outside of the expectations: all that stands in a macro's arguments stands in one place.
void LeavesItsBlock(SimtDevice& device) {
  if (device.Worker() == 1 && device.Crew() == 1 && device.Lane() == 9) return;
  device.Sync();
}

void MeetsItsCrewAlone(SimtDevice& device) {
  if (device.Lane() == 9) device.SyncCrew();
  device.Sync();
}

void MeetsElsewhere(SimtDevice& device) {
  if (device.Lane() == 9) {
    device.SyncCrew();
  } else {
    device.SyncCrew();
  }
}

TEST(Divergence, IsReportedWhateverTheOrder) {
  for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
    EXPECT_THAT(Complaint(seed, LeavesItsBlock), HasSubstr("rank 4 block 1: lane "));
    EXPECT_THAT(Complaint(seed, MeetsItsCrewAlone),
                AllOf(HasSubstr("Sync at machine_test.cc"), HasSubstr("SyncCrew at")));
    EXPECT_THAT(Complaint(seed, MeetsElsewhere), HasSubstr("comes to SyncCrew"));
  }
}

TEST(Divergence, IsNoneWhereCrewsDiffer) {
  EXPECT_EQ(Complaint(1,
                      [](SimtDevice& device) {
                        for (uint32_t i = 0; i < device.Crew(); ++i) device.SyncCrew();
                        device.Sync();
                      }),
            "");
}

}  // namespace
}  // namespace ep::simt
