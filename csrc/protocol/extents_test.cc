// A message holds each byte of its rows once, and nothing of any other.
#include "csrc/protocol/extents.h"

#include <gtest/gtest.h>

#include <vector>

namespace ep {
namespace {

constexpr Shape kShapes[] = {
    {3, 5, 256, 3, 4, Dtype::kFp8},  // 6 bytes of counts
    {2, 4, 640, 4, 3, Dtype::kBf16},
    {2, 3, 128, 1, 2, Dtype::kFp8},
};

// How often the bytes of a pair area are in a message.
class Bytes {
 public:
  explicit Bytes(const Layout& layout) : times_(layout.PairBytes()) {}

  void Add(uint64_t offset, uint64_t bytes) {
    EXPECT_EQ(offset % 4, 0u);
    EXPECT_EQ(bytes % 4, 0u);
    EXPECT_GT(bytes, 0u);
    for (uint64_t i = 0; i < bytes; ++i) ++times_[offset + i];
  }
  // What begins a message, from its words up to what follows them.
  void TakeWords(const Layout& layout, Op op, uint32_t bank, uint64_t next) {
    const uint64_t words = layout.PostedWords(op, bank);
    EXPECT_GE(next - words, sizeof(uint64_t) * layout.Words(op));
    EXPECT_TRUE(Take(words, next - words));
  }
  // Whether all of these are there, once; and forgets them.
  bool Take(uint64_t offset, uint64_t bytes) {
    for (uint64_t i = 0; i < bytes; ++i) {
      if (times_[offset + i]-- != 1) return false;
    }
    return true;
  }
  uint64_t Left() const {
    uint64_t left = 0;
    for (const int times : times_) left += times != 0;
    return left;
  }

 private:
  std::vector<int> times_;
};

TEST(Extents, OfADispatchAreItsRowsAndWhatDescribesThem) {
  for (const Shape& shape : kShapes) {
    const Layout layout(shape);
    for (uint32_t rows = 0; rows <= shape.tokens; ++rows) {
      Bytes bytes(layout);
      ForEachDispatchExtent(shape, layout, 1, rows,
                            [&](uint64_t offset, uint64_t size) { bytes.Add(offset, size); });
      bytes.TakeWords(layout, Op::kDispatch, 1, layout.Counts(1));
      EXPECT_TRUE(bytes.Take(layout.Counts(1), 2 * shape.experts_per_rank));
      for (uint32_t slot = 0; slot < rows; ++slot) {
        EXPECT_TRUE(bytes.Take(layout.Meta(1, slot), layout.MetaStride()));
        EXPECT_TRUE(bytes.Take(layout.Row(1, slot), layout.RowBytes()));
        const uint64_t scales = layout.Scales(1, slot);
        EXPECT_TRUE(bytes.Take(scales, layout.Scales(1, slot + 1) - scales));
      }
      EXPECT_LT(bytes.Left(), 128u) << "but for the padding of counts";
    }
  }
}

TEST(Extents, OfACombineAreTheSumsOfItsRows) {
  for (Shape shape : kShapes) {
    for (const CombineSum sum : {CombineSum::kRank, CombineSum::kExpert}) {
      shape.sum = sum;
      const Layout layout(shape);
      for (uint32_t rows = 0; rows <= shape.tokens; ++rows) {
        Bytes bytes(layout);
        ForEachCombineExtent(layout, 0, rows,
                             [&](uint64_t offset, uint64_t size) { bytes.Add(offset, size); });
        const uint64_t words = layout.PostedWords(Op::kCombine, 0);
        bytes.TakeWords(layout, Op::kCombine, 0,
                        rows > 0 ? layout.Partial(0, 0) : words + 8 * layout.Words(Op::kCombine));
        for (uint32_t i = 0; i < rows * shape.PartialsPerRow(); ++i) {
          const uint32_t slot = i / shape.PartialsPerRow();
          EXPECT_TRUE(
              bytes.Take(layout.Partial(0, slot, i % shape.PartialsPerRow()), 2 * shape.hidden));
        }
        EXPECT_EQ(bytes.Left(), 0u);
      }
    }
  }
}

}  // namespace
}  // namespace ep
