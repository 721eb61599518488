// The machine itself: what barriers, releases and tickets promise is kept under every schedule,
// what they do not promise fails under some, and what GPUs forbid is reported.
#include "csrc/simt/machine.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

#include "csrc/simt/device.h"

namespace ep::simt {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr uint64_t kSeeds = 300;

// A message: words that one rank writes and, after the flag, another reads.
struct Mail {
  uint32_t words[64] = {};
  uint64_t flag = 0;
  uint32_t ticket = 0;
  uint32_t lost = 0;  // words that were not there
};

using Body = std::function<void(SimtDevice&, Mail&)>;

// Rank 1 waits for the flag and looks for all of `count` words.
void Receive(SimtDevice& device, Mail& mail, uint32_t count) {
  if (device.Thread() == 0) {
    while (device.LoadAcquire(&mail.flag) == 0) device.Relax(1);
  }
  device.Sync();
  if (device.Thread() < count) mail.lost += mail.words[device.Thread()] == 0;
}

// Seeds for which rank 1 misses something that rank 0's `send`, of two blocks of two crews, should
// have told it.
uint32_t Losses(uint32_t count, const Body& send) {
  Machine machine(3 * 64);
  const bool aborted = false;
  uint32_t losses = 0;
  for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
    Mail mail;
    machine.Enqueue({0, 2, 2, 0, [&](Lane& lane) {
                       SimtDevice device(lane, &aborted);
                       send(device, mail);
                     }});
    machine.Enqueue({1, 1, 2, 0, [&](Lane& lane) {
                       SimtDevice device(lane, &aborted);
                       Receive(device, mail, count);
                     }});
    const Status status = machine.Run(seed);
    EXPECT_TRUE(status.ok()) << "seed " << seed << ": " << status.text();
    losses += mail.lost > 0;
  }
  return losses;
}

void Write(SimtDevice& device, Mail& mail, uint32_t word) {
  device.Store(&mail.words[word], uint32_t{1});
}

TEST(Order, AReleaseCarriesTheLanesOwnStores) {
  EXPECT_EQ(Losses(1,
                   [](SimtDevice& device, Mail& mail) {
                     if (device.Crew() != 0 || device.Lane() != 5) return;
                     Write(device, mail, 0);
                     device.StoreRelease(&mail.flag, 1);
                   }),
            0u);
}

TEST(Order, AReleaseDoesNotCarryWhatItsLaneDoesNotKnowOf) {
  // Lane 0 flags after the others have stored, but nothing orders them.
  EXPECT_GT(Losses(32,
                   [](SimtDevice& device, Mail& mail) {
                     if (device.Crew() != 0) return;
                     Write(device, mail, device.Lane());
                     device.AnyOfCrew(true);
                     if (device.Lane() == 0) device.StoreRelease(&mail.flag, 1);
                   }),
            0u);
}

TEST(Order, ACrewsBarrierOrders) {
  EXPECT_EQ(Losses(32,
                   [](SimtDevice& device, Mail& mail) {
                     if (device.Crew() != 0) return;
                     Write(device, mail, device.Lane());
                     device.SyncCrew();
                     if (device.Lane() == 0) device.StoreRelease(&mail.flag, 1);
                   }),
            0u);
}

TEST(Order, ACrewsBarrierDoesNotOrderOtherCrews) {
  EXPECT_GT(Losses(64,
                   [](SimtDevice& device, Mail& mail) {
                     if (device.Worker() != 0) return;
                     Write(device, mail, device.Thread());
                     device.SyncCrew();
                     if (device.Thread() == 0) device.StoreRelease(&mail.flag, 1);
                   }),
            0u);
}

TEST(Order, ABlocksBarrierOrders) {
  EXPECT_EQ(Losses(64,
                   [](SimtDevice& device, Mail& mail) {
                     if (device.Worker() != 0) return;
                     Write(device, mail, device.Thread());
                     device.Sync();
                     if (device.Thread() == 40) device.StoreRelease(&mail.flag, 1);
                   }),
            0u);
}

TEST(Order, ATicketOrdersBlocks) {
  EXPECT_EQ(Losses(64,
                   [](SimtDevice& device, Mail& mail) {
                     if (device.Thread() < 32)
                       Write(device, mail, device.Worker() * 32 + device.Lane());
                     const bool last = device.ArriveLast(&mail.ticket);
                     if (last && device.Thread() == 63) device.StoreRelease(&mail.flag, 1);
                   }),
            0u);
}

TEST(Order, ARelaxedTicketDoesNot) {
  EXPECT_GT(Losses(64,
                   [](SimtDevice& device, Mail& mail) {
                     if (device.Thread() < 32)
                       Write(device, mail, device.Worker() * 32 + device.Lane());
                     device.Sync();
                     if (device.Thread() != 0) return;
                     // Read and write in one step: no other lane runs in between.
                     if (++mail.ticket == device.Workers()) device.StoreRelease(&mail.flag, 1);
                   }),
            0u);
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
  const bool aborted = false;
  machine.Enqueue({4, 2, 2, 0, [&](Lane& lane) {
                     SimtDevice device(lane, &aborted);
                     body(device);
                   }});
  return machine.Run(seed).text();
}

// Outside of the expectations: all that stands in a macro's arguments stands in one place.
void LeavesItsBlock(SimtDevice& device) {
  if (device.Crew() == 3 && device.Lane() == 9) return;
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
