// What is foretold is what is allocated.
#include "csrc/rank/allocations.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <vector>

#include "csrc/rank/tensors.h"

namespace ep {
namespace {

constexpr Shape kShape = {.ranks = 3,
                          .tokens = 12,
                          .hidden = 256,
                          .experts_per_rank = 3,
                          .topk = 4,
                          .dtype = Dtype::kFp8};

// What the mapped tensors of a list take.
uint64_t MappedBytes(const Allocations& list) {
  uint64_t bytes = 0;
  for (const Item item : {Item::kTokenRows, Item::kTokenCodes, Item::kTokenScales, Item::kReceived,
                          Item::kReceivedScales, Item::kSources, Item::kDescriptions,
                          Item::kExpertRows, Item::kCombined}) {
    bytes += list.Of(item).sets * list.Of(item).Bytes();
  }
  return bytes;
}

uint64_t MappedBytes(const Tensors& tensors) {
  uint64_t bytes = 0;
  for (uint32_t set = 0; set < kSets; ++set) {
    bytes += tensors.token_rows[set].size() + tensors.token_codes[set].size() +
             tensors.token_scales[set].size() + tensors.expert_rows[set].size();
  }
  for (const GuardedRows* rows : {&tensors.received, &tensors.scales, &tensors.sources,
                                  &tensors.descriptions, &tensors.combined}) {
    bytes += rows->bytes();
  }
  return bytes;
}

TEST(Allocations, AreWhatTensorsTake) {
  for (const OutputLayout layout :
       {OutputLayout::kExpert, OutputLayout::kRank, OutputLayout::kFlat, OutputLayout::kContig}) {
    for (const uint32_t tokens : {0u, 7u, 12u}) {
      for (const Quantize quantize : {Quantize::kInside, Quantize::kOutside}) {
        Shape shape = kShape;
        shape.layout = layout;
        shape.quantize = quantize;
        const std::vector<int32_t> ids(uint64_t{shape.tokens} * shape.topk, -1);
        const std::vector<float> weights(uint64_t{kSets} * shape.tokens * shape.topk);
        Tensors tensors;
        ASSERT_TRUE(tensors.Allocate(shape, 1, tokens, ids.data(), weights.data()).ok());
        EXPECT_EQ(MappedBytes(tensors), MappedBytes(Allocations(shape, tokens)));
      }
    }
  }
}

TEST(Allocations, OfAHostAreThoseThatAreTouched) {
  const Allocations list(kShape, kShape.tokens);
  const uint64_t row = kShape.hidden + sizeof(float) * kShape.ScalesPerRow() + sizeof(Source) +
                       kSets * sizeof(Bf16) * kShape.hidden;
  EXPECT_EQ(list.HostBytes(10) - list.HostBytes(0), 10 * row);
  EXPECT_EQ(list.HostBytes(1u << 20), list.HostBytes(1u << 21)) << "no more than there are";
  Shape bf16 = kShape;
  bf16.dtype = Dtype::kBf16;
  const Allocations of_bf16(bf16, bf16.tokens);
  const uint64_t bf16_row = (1 + kSets) * sizeof(Bf16) * kShape.hidden + sizeof(Source);
  EXPECT_EQ(of_bf16.HostBytes(10) - of_bf16.HostBytes(0), 10 * bf16_row) << "without scales";
}

TEST(Allocations, OfAGpuAreAll) {
  const Allocations list(kShape, kShape.tokens);
  EXPECT_GT(list.GpuBytes(), list.OutputBytes());
  EXPECT_GE(list.GpuBytes(), list.HostBytes(1u << 20));
}

}  // namespace
}  // namespace ep
