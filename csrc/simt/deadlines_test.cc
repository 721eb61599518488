// No schedule hangs: a rank that is not there and a host that wants an end both end every kernel,
// and the error names who was missing.
#include <gtest/gtest.h>

#include "csrc/simt/world_test_util.h"

namespace ep::simt {
namespace {

constexpr SimtConfig kFourRanks = {.world = {.shape = {4, 6, 256, 3, 3, Dtype::kBf16}},
                                   .dispatch_blocks = 3,
                                   .timeout_steps = 300'000};
constexpr uint64_t kSeeds = 40;

TEST(Deadlines, ARankThatNeverStartsIsNamedByAll) {
  SimtWorld<> world(kFourRanks);
  for (const uint64_t seed : Seeds(1, kSeeds)) {
    const uint32_t absent = static_cast<uint32_t>(seed % 4);
    const Outcome outcome = world.Run(seed, "DCDC", absent);
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

TEST(Deadlines, AHostEndsItsRanksWait) {
  SimtWorld<> world(kFourRanks);
  world.aborted = true;
  for (const uint64_t seed : Seeds(1, kSeeds)) {
    const Outcome outcome = world.Run(seed, "DC", 2);
    ASSERT_TRUE(outcome.machine.ok()) << "seed " << seed << ": " << outcome.text;
    for (const uint32_t rank : {0, 1, 3}) {
      ASSERT_EQ(outcome.errors[rank].kind, ErrorKind::kAborted) << "seed " << seed;
    }
    EXPECT_LT(world.Steps(), kFourRanks.timeout_steps) << "long before the deadline";
  }
}

}  // namespace
}  // namespace ep::simt
