// The sections of a region tile it without gap or overlap, on lines of their own.
#include "csrc/protocol/layout.h"

#include <gtest/gtest.h>

#include <utility>
#include <vector>

namespace ep {
namespace {

constexpr Shape kSeed = {8, 128, 7168, 36, 8, Dtype::kFp8};
constexpr Layout kSeedLayout(kSeed);

// The last entry of a section ends where the next section begins, but for padding to a line.
static_assert(kSeedLayout.DispatchFlag(0, 0) == 4096);
static_assert(kSeedLayout.DispatchFlag(1, 7) + 128 == kSeedLayout.CombineFlag(0, 0));
static_assert(kSeedLayout.CombineFlag(1, 7) + 128 == kSeedLayout.Counts(0, 0));
static_assert(kSeedLayout.Counts(1, 7) + 128 == kSeedLayout.Meta(0, 0, 0));
static_assert(kSeedLayout.Meta(1, 7, 127) + 80 == kSeedLayout.Scales(0, 0, 0));
static_assert(kSeedLayout.Scales(1, 7, 127) + 224 == kSeedLayout.Row(0, 0, 0));
static_assert(kSeedLayout.Row(1, 7, 127) + 7168 == kSeedLayout.Partial(0, 0, 0));
static_assert(kSeedLayout.Partial(1, 7, 127) + 14336 == kSeedLayout.SizeBytes());

TEST(Layout, TakesWhatItsTableSays) {
  // docs/architecture.md: 44.7 MB of FP8 and 59.3 MB of BF16 rows at the seed's shape.
  EXPECT_NEAR(static_cast<double>(kSeedLayout.SizeBytes()) / 1e6, 44.7, 0.1);
  Shape bf16 = kSeed;
  bf16.dtype = Dtype::kBf16;
  EXPECT_NEAR(static_cast<double>(Layout(bf16).SizeBytes()) / 1e6, 59.0, 0.4);
}

TEST(Layout, KeepsAPartialForEachSelectionWhereNoneIsSummed) {
  Shape shape = kSeed;
  shape.sum = CombineSum::kExpert;
  const Layout layout(shape);
  EXPECT_EQ(layout.Partial(0, 0, 0), kSeedLayout.Partial(0, 0, 0));
  EXPECT_EQ(layout.Partial(0, 0, 0, 7) + 2 * shape.hidden, layout.Partial(0, 0, 1));
  EXPECT_EQ(layout.Partial(1, 7, 127, 7) + 2 * shape.hidden, layout.SizeBytes());
  shape.experts_per_rank = 3;  // a token has no more here
  EXPECT_EQ(Layout(shape).Partial(0, 0, 0, 2) + 2 * shape.hidden, Layout(shape).Partial(0, 0, 1));
}

TEST(Shapes, RefuseRowsOfExpertsThatNobodyKeeps) {
  for (const OutputLayout layout : {OutputLayout::kRank, OutputLayout::kFlat}) {
    Shape shape = kSeed;
    shape.layout = layout;
    EXPECT_EQ(Problem(shape), nullptr);
    shape.sum = CombineSum::kExpert;
    EXPECT_NE(Problem(shape), nullptr);
  }
}

TEST(Shapes, AreQuantisedBeforeWhereTheyAreFp8Alone) {
  Shape shape = kSeed;
  shape.quantize = Quantize::kOutside;
  EXPECT_EQ(Problem(shape), nullptr);
  shape.dtype = Dtype::kBf16;
  EXPECT_NE(Problem(shape), nullptr);
  shape.quantize = static_cast<Quantize>(3);
  EXPECT_NE(Problem(shape), nullptr);
}

TEST(Layout, AlignsRowsToLines) {
  for (const uint32_t hidden : {128u, 256u, 384u, 7168u}) {
    for (const Dtype dtype : {Dtype::kFp8, Dtype::kBf16}) {
      const Layout layout({3, 5, hidden, 7, 3, dtype});
      for (uint32_t slot = 0; slot < 5; ++slot) {
        EXPECT_EQ(layout.Row(1, 2, slot) % 128, 0u);
        EXPECT_EQ(layout.Partial(1, 2, slot) % 128, 0u);
        EXPECT_EQ(layout.Scales(1, 2, slot) % 16, 0u);
        EXPECT_EQ(layout.Meta(1, 2, slot) % 16, 0u);
      }
    }
  }
}

TEST(Layout, CountsBeyond32Bits) {
  const Layout layout({64, 65535, 7168, 4, 8, Dtype::kBf16});
  EXPECT_GT(layout.SizeBytes(), uint64_t{1} << 37);
  EXPECT_GT(layout.Partial(1, 63, 65534), layout.Row(1, 63, 65534));
}

TEST(Layout, HashesEverythingThatMattersToPeers) {
  const std::vector<Shape> others = {
      {7, 128, 7168, 36, 8, Dtype::kFp8}, {8, 127, 7168, 36, 8, Dtype::kFp8},
      {8, 128, 7296, 36, 8, Dtype::kFp8}, {8, 128, 7168, 100, 8, Dtype::kFp8},
      {8, 128, 7168, 36, 6, Dtype::kFp8}, {8, 128, 7168, 36, 8, Dtype::kBf16},
  };
  for (const Shape& other : others) EXPECT_NE(Layout(other).Hash(), kSeedLayout.Hash());
  // What lies elsewhere, or is summed elsewhere, though no offset differs.
  Shape same = kSeed;
  same.layout = OutputLayout::kContig;
  EXPECT_NE(Layout(same).Hash(), kSeedLayout.Hash());
  Shape one_selection = kSeed;
  one_selection.topk = 1;
  Shape by_expert = one_selection;
  by_expert.sum = CombineSum::kExpert;
  EXPECT_EQ(Layout(by_expert).SizeBytes(), Layout(one_selection).SizeBytes());
  EXPECT_NE(Layout(by_expert).Hash(), Layout(one_selection).Hash());
  EXPECT_EQ(Layout(kSeed).Hash(), kSeedLayout.Hash());
}

TEST(Shape, NamesWhatIsWrong) {
  EXPECT_EQ(Problem(kSeed), nullptr);
  const std::vector<Shape> wrong = {
      {0, 1, 128, 1, 1, Dtype::kFp8},
      {65, 1, 128, 1, 1, Dtype::kFp8},
      {1, 0, 128, 1, 1, Dtype::kFp8},
      {1, 65536, 128, 1, 1, Dtype::kFp8},
      {1, 1, 0, 1, 1, Dtype::kFp8},
      {1, 1, 132, 1, 1, Dtype::kFp8},
      {1, 1, 128, 0, 1, Dtype::kFp8},
      {64, 1, 128, 1024, 1, Dtype::kFp8},
      {1, 1, 128, 4, 0, Dtype::kFp8},
      {1, 1, 128, 4, 5, Dtype::kFp8},
      {1, 1, 128, 40, 33, Dtype::kFp8},
      {1, 1, 65544, 1, 1, Dtype::kFp8},
      {1, 1, 128, 1, 1, static_cast<Dtype>(0)},
  };
  for (const Shape& shape : wrong) EXPECT_NE(Problem(shape), nullptr);
}

TEST(Shape, MayBeThatOfAnyModel) {
  for (const uint32_t hidden : {8u, 2880u, 65536u}) {
    EXPECT_EQ(Problem({1, 1, hidden, 40, 32, Dtype::kFp8}), nullptr) << hidden;
  }
  EXPECT_EQ((Shape{1, 1, 2880, 1, 1, Dtype::kFp8}.ScalesPerRow()), 23u);
  EXPECT_EQ((Shape{1, 1, 8, 1, 1, Dtype::kFp8}.ScalesPerRow()), 1u);
  EXPECT_EQ((Shape{1, 1, 7168, 1, 1, Dtype::kFp8}.ScalesPerRow()), 56u);
}

}  // namespace
}  // namespace ep
