// No schedule hangs: a rank that is not there, one that dies and a host that wants an end all end
// every kernel, and the error names who was missing.
#include <gtest/gtest.h>

#include "csrc/simt/world_test_util.h"

namespace ep::simt {
namespace {

constexpr SimtConfig kFourRanks = {.world = {.shape = {4, 6, 256, 3, 3, Dtype::kBf16}},
                                   .dispatch_blocks = 3,
                                   .timeout_steps = 300'000};
constexpr uint64_t kSeeds = 40;

SimtConfig WithPackets(bool packets) {
  SimtConfig config = kFourRanks;
  config.world.shape.packets = packets;
  return config;
}

// Whether rows travel in packets.
class Deadlines : public ::testing::TestWithParam<bool> {};
INSTANTIATE_TEST_SUITE_P(Packets, Deadlines, ::testing::Bool());

TEST_P(Deadlines, ARankThatNeverStartsIsNamedByAll) {
  SimtWorld<> world(WithPackets(GetParam()));
  for (const uint64_t seed : Seeds(1, kSeeds)) {
    const uint32_t absent = static_cast<uint32_t>(seed % 4);
    const Outcome outcome = world.Run(seed, "DCDC", Machine::Death{absent, 0});
    ASSERT_TRUE(outcome.machine.ok()) << "seed " << seed << ": " << outcome.text;
    for (uint32_t rank = 0; rank < 4; ++rank) {
      const ErrorRecord& error = outcome.errors[rank];
      if (rank == absent) continue;
      ASSERT_EQ(error.kind, ErrorKind::kTimeout) << "seed " << seed << ", rank " << rank;
      EXPECT_EQ(error.op, Op::kDispatch);
      EXPECT_EQ(error.epoch, 1u);
      EXPECT_EQ(error.peer, absent);
      EXPECT_GT(error.waited_ns, kFourRanks.timeout_steps);
      EXPECT_EQ(error.seen, 0u);
    }
  }
}

TEST_P(Deadlines, ARankThatDiesAnywhereEndsTheOthers) {
  SimtWorld<> world(WithPackets(GetParam()));
  for (const uint64_t seed : Seeds(1, 3 * kSeeds)) {
    ASSERT_EQ(world.Run(seed, "DCDC").text, "");
    const Machine::Death death = {static_cast<uint32_t>(seed % 4),
                                  Random(seed).Below(static_cast<uint32_t>(world.Steps()))};
    const Outcome outcome = world.Run(seed, "DCDC", death);
    ASSERT_TRUE(outcome.machine.ok()) << "seed " << seed << ": " << outcome.text;
    EXPECT_EQ(outcome.findings.wrong, 0u) << "what did end is right";
    // Others may name a rank that the dead one has kept waiting.
    bool failed = false;
    bool named = false;
    for (const ErrorRecord& error : outcome.errors) {
      if (error.kind == ErrorKind::kNone) continue;
      EXPECT_EQ(error.kind, ErrorKind::kTimeout) << "seed " << seed;
      failed = true;
      named |= error.peer == death.rank;
    }
    EXPECT_EQ(named, failed) << "seed " << seed << ": nobody waited for rank " << death.rank;
  }
}

TEST_P(Deadlines, AHostEndsItsRanksWait) {
  SimtWorld<> world(WithPackets(GetParam()));
  world.host.aborted = true;
  for (const uint64_t seed : Seeds(1, kSeeds)) {
    const Outcome outcome = world.Run(seed, "DC", Machine::Death{2, 0});
    ASSERT_TRUE(outcome.machine.ok()) << "seed " << seed << ": " << outcome.text;
    for (const uint32_t rank : {0, 1, 3}) {
      ASSERT_EQ(outcome.errors[rank].kind, ErrorKind::kAborted) << "seed " << seed;
    }
    EXPECT_LT(world.Steps(), kFourRanks.timeout_steps) << "long before the deadline";
  }
}

}  // namespace
}  // namespace ep::simt
