// Epochs alternate banks for ever, and a flag that must not be there is told from one that is late.
#include "csrc/protocol/epoch.h"

#include <gtest/gtest.h>

#include "csrc/protocol/flag.h"

namespace ep {
namespace {

TEST(Epoch, AlternatesBanksAcrossTheWrap) {
  Epoch epoch = 0xFFFFFFF8;
  for (int i = 0; i < 20; ++i) {
    const Epoch next = Next(epoch);
    EXPECT_NE(next, 0u);
    EXPECT_NE(BankOf(next), BankOf(epoch)) << epoch;
    epoch = next;
  }
  EXPECT_EQ(Next(0xFFFFFFFF), 2u);
  EXPECT_EQ(Next(0), 1u);
}

TEST(Flag, KeepsEpochAndRows) {
  const uint64_t flag = MakeFlag(0xFFFFFFFF, 65535);
  EXPECT_EQ(FlagEpoch(flag), 0xFFFFFFFFu);
  EXPECT_EQ(FlagRows(flag), 65535u);
}

TEST(Flag, KeepsARangeOfSlots) {
  for (const SlotRange slots : {SlotRange{0, 0}, {0, 65535}, {65535, 65535}, {3, 40000}}) {
    const uint64_t flag = MakeRange(0xFFFFFFFF, slots);
    EXPECT_EQ(FlagEpoch(flag), 0xFFFFFFFFu);
    EXPECT_EQ(FlagRange(flag).begin, slots.begin);
    EXPECT_EQ(FlagRange(flag).end, slots.end);
  }
}

TEST(Flag, IsJudgedByWhatUsedTheBankBefore) {
  EXPECT_EQ(Judge(0, 1), Verdict::kNotYet);
  EXPECT_EQ(Judge(MakeFlag(1, 0), 1), Verdict::kReady) << "no rows are a message too";
  EXPECT_EQ(Judge(MakeFlag(1, 9), 3), Verdict::kNotYet);
  EXPECT_EQ(Judge(MakeFlag(7, 9), 9), Verdict::kNotYet);
  EXPECT_EQ(Judge(MakeFlag(9, 9), 9), Verdict::kReady);
  EXPECT_EQ(Judge(MakeFlag(11, 9), 9), Verdict::kViolation) << "overrun";
  EXPECT_EQ(Judge(MakeFlag(8, 9), 9), Verdict::kViolation) << "another bank's epoch";
  EXPECT_EQ(Judge(MakeFlag(5, 9), 9), Verdict::kViolation) << "two epochs of the bank behind";
}

TEST(Flag, IsJudgedAcrossTheWrap) {
  EXPECT_EQ(Judge(MakeFlag(0xFFFFFFFE, 1), 2), Verdict::kNotYet);
  EXPECT_EQ(Judge(MakeFlag(0xFFFFFFFF, 1), 3), Verdict::kNotYet);
  EXPECT_EQ(Judge(MakeFlag(0xFFFFFFFF, 1), 2), Verdict::kViolation);
  EXPECT_EQ(Judge(MakeFlag(0xFFFFFFFE, 1), 4), Verdict::kViolation);
  EXPECT_EQ(Judge(MakeFlag(2, 1), 0xFFFFFFFE), Verdict::kViolation) << "overrun";
}

}  // namespace
}  // namespace ep
