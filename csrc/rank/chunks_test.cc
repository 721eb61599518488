// Which way rows travel between GPUs, where nobody chooses.
#include "csrc/rank/chunks.h"

#include <gtest/gtest.h>

namespace ep {
namespace {

constexpr Shape kShape = {2, 128, 7168, 128, 8, Dtype::kFp8};

bool InPackets(Shape shape, ep_choices choices = {}, bool mapped = true) {
  return ShapeForGpu(shape, choices, mapped).packets;
}

TEST(Packets, AreForFewTokensOfMappedPeers) {
  EXPECT_TRUE(InPackets(kShape));
  EXPECT_FALSE(InPackets(kShape, {}, false));
  Shape shape = kShape;
  shape.tokens = 292;
  EXPECT_TRUE(InPackets(shape));
  shape.tokens = 293;
  EXPECT_FALSE(InPackets(shape)) << "more than 4,096 pieces";
  shape.hidden = 4096;
  shape.tokens = 512;
  EXPECT_TRUE(InPackets(shape));
  shape.sum = CombineSum::kExpert;
  EXPECT_FALSE(InPackets(shape));
}

TEST(Packets, AreForFewerTokensOnFewMultiprocessors) {
  EXPECT_FALSE(InPackets(kShape, {.sms = 24, .kernel = EP_KERNEL_AUTO}));
  EXPECT_TRUE(InPackets(kShape, {.sms = 26, .kernel = EP_KERNEL_AUTO}));
}

TEST(Packets, AreWhatIsChosen) {
  Shape shape = kShape;
  shape.tokens = 512;
  EXPECT_TRUE(InPackets(shape, {.sms = 0, .kernel = EP_KERNEL_PACKETS}));
  EXPECT_FALSE(InPackets(kShape, {.sms = 0, .kernel = EP_KERNEL_LONG}));
}

// The plan of 512 tokens and 2,048 experts leaves a block no room to keep pieces.
TEST(Packets, FitIntoABlocksFastMemory) {
  Shape shape = {2, 512, 1024, 1024, 8, Dtype::kBf16};
  EXPECT_FALSE(InPackets(shape));
  EXPECT_FALSE(InPackets(shape, {.sms = 0, .kernel = EP_KERNEL_PACKETS}));
  shape.experts_per_rank = 128;
  EXPECT_TRUE(InPackets(shape));
}

}  // namespace
}  // namespace ep
