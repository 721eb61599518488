// The sections of a region tile it without gap or overlap, on lines of their own.
#include "csrc/protocol/layout.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <map>
#include <set>
#include <utility>
#include <vector>

namespace ep {
namespace {

constexpr Shape kSeed = {8, 128, 7168, 36, 8, Dtype::kFp8};
constexpr Layout kSeedLayout(kSeed);

// The last entry of a section ends where the next section begins, but for padding to a line.
static_assert(kSeedLayout.CountsWord(0, 0) == 4096);
static_assert(kSeedLayout.CountsWord(1, 7) + 128 == kSeedLayout.SumWord(0, 0, 0));
static_assert(kSeedLayout.SumWord(1, 7, 0) + 128 == kSeedLayout.PairArea(0));
static_assert(kSeedLayout.PairArea(7) + kSeedLayout.PairBytes() == kSeedLayout.SizeBytes());
// And of a bank of a pair area.
static_assert(kSeedLayout.PostedWords(Op::kDispatch, 0) == 0);
static_assert(kSeedLayout.PostedWords(Op::kDispatch, 1) + 128 == kSeedLayout.Counts(1));
static_assert(kSeedLayout.Counts(1) + 128 == kSeedLayout.Meta(1, 0));
static_assert(kSeedLayout.Meta(1, 127) + 80 == kSeedLayout.Scales(1, 0));
static_assert(kSeedLayout.Scales(1, 127) + 224 == kSeedLayout.Row(1, 0));
static_assert(kSeedLayout.Row(1, 127) + 7168 == kSeedLayout.PostedWords(Op::kCombine, 1));
static_assert(kSeedLayout.PostedWords(Op::kCombine, 1) + 128 == kSeedLayout.Partial(1, 0));
static_assert(kSeedLayout.Partial(0, 127) + 14336 == kSeedLayout.BankBytes());
static_assert(kSeedLayout.Partial(1, 127) + 14336 == kSeedLayout.PairBytes());

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
  EXPECT_EQ(layout.Partial(0, 0), kSeedLayout.Partial(0, 0));
  EXPECT_EQ(layout.Partial(0, 0, 7) + 2 * shape.hidden, layout.Partial(0, 1));
  EXPECT_EQ(layout.Partial(1, 127, 7) + 2 * shape.hidden, layout.PairBytes());
  shape.experts_per_rank = 3;  // a token has no more here
  EXPECT_EQ(Layout(shape).Partial(0, 0, 2) + 2 * shape.hidden, Layout(shape).Partial(0, 1));
}

constexpr Shape WithPackets(Shape shape) {
  shape.packets = true;
  return shape;
}
constexpr Layout kPackets(WithPackets(kSeed));

// Behind all else of a bank, and only where they are wanted: one, as many as six counts each make,
// and of each row its description (72 bytes), and of 14 pieces 512 codes and 4 scales, or a sum.
static_assert(kSeedLayout.PacketBegun(0) == kSeedLayout.BankBytes());
static_assert(kPackets.PacketBegun(1) == kSeedLayout.BankBytes() + kPackets.Bank(1));
static_assert(kPackets.PacketBegun(0) + 128 == kPackets.PacketCount(0, 0));
static_assert(kPackets.Packets().counts == 7 && kPackets.Packets().meta == 6);
static_assert(kPackets.PacketCount(0, 0) + 128 == kPackets.PacketRow(0, 0));
static_assert(kPackets.PacketPiece(1, 5, 0) == kPackets.PacketRow(1, 5) + 6 * 16);
static_assert(kPackets.PacketPiece(1, 5, 13) + 44 * 16 <= kPackets.PacketRow(1, 6));
static_assert(kPackets.PacketSum(1, 5, 13) + 86 * 16 <= kPackets.PacketSum(1, 6, 0));
static_assert(kPackets.PacketSum(1, 127, 13) + 86 * 16 <= kPackets.PairBytes());

TEST(Layout, OfPacketsIsNotThatOfWords) {
  EXPECT_NE(kPackets.Hash(), kSeedLayout.Hash());
  EXPECT_EQ(kPackets.PacketRow(0, 1) % 128, 0u);
  EXPECT_EQ(kPackets.PacketSum(0, 1, 0) % 128, 0u);
}

TEST(Packets, AreReadyOrOfTheNextFewOrNotYetThere) {
  EXPECT_EQ(JudgePacket(7, 7), Verdict::kReady);
  EXPECT_EQ(JudgePacket(9, 7), Verdict::kViolation);
  EXPECT_EQ(JudgePacket(2, 0xFFFFFFFE), Verdict::kViolation) << "which follows in the bank";
  for (const Epoch old : {0u, 1u, 5u, 0xFFFFFFF0u}) {
    EXPECT_EQ(JudgePacket(old, 7), Verdict::kNotYet) << old;
  }
  EXPECT_EQ(JudgePacket(0, 0xFFFFFFFE), Verdict::kNotYet) << "nothing yet";
}

TEST(Packets, CarryFewTokensToFewRanks) {
  EXPECT_TRUE(CanPacket(kSeed));
  Shape shape = WithPackets(kSeed);
  EXPECT_EQ(Problem(shape), nullptr);
  shape.tokens = kMaxPacketTokens + 1;
  EXPECT_NE(Problem(shape), nullptr);
  shape = WithPackets({9, 128, 7168, 36, 9, Dtype::kFp8});
  EXPECT_NE(Problem(shape), nullptr) << "nine ranks per token";
  shape = WithPackets(kSeed);
  shape.sum = CombineSum::kExpert;
  EXPECT_NE(Problem(shape), nullptr);
}

TEST(Divisors, Divide) {
  for (const uint32_t by : {1u, 2u, 3u, 7u, 14u, 36u, 128u, 1980u}) {
    const Divisor divisor(by);
    for (uint32_t n = 0; n < 70'000; n += n < 10'000 ? 1 : 97) ASSERT_EQ(divisor.Of(n), n / by);
  }
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
        EXPECT_EQ(layout.PairArea(slot % 3) % 128, 0u);
        EXPECT_EQ(layout.Row(1, slot) % 128, 0u);
        EXPECT_EQ(layout.Partial(1, slot) % 128, 0u);
        EXPECT_EQ(layout.Scales(1, slot) % 16, 0u);
        EXPECT_EQ(layout.Meta(1, slot) % 16, 0u);
      }
    }
  }
}

// The words of a region, each with whose it is and how far it lies behind that rank's first.
struct Words {
  struct Word {
    uint64_t offset;
    uint32_t bank;
    uint32_t writer;
    bool combine;
  };

  explicit Words(const Shape& shape) {
    const Layout layout(shape);
    for (uint32_t bank = 0; bank < kBanks; ++bank) {
      for (uint32_t peer = 0; peer < shape.ranks; ++peer) {
        all.push_back({layout.CountsWord(bank, peer), bank, peer, false});
        for (uint32_t chunk = 0; chunk < shape.Chunks(); ++chunk) {
          all.push_back({layout.ChunkWord(bank, peer, chunk), bank, peer, false});
          all.push_back({layout.SumWord(bank, peer, chunk), bank, peer, true});
        }
      }
    }
  }
  std::vector<Word> all;
};

Shape Chunked(uint32_t tokens, uint32_t chunk_tokens) {
  Shape shape = {3, tokens, 256, 3, 2, Dtype::kFp8};
  shape.chunk_tokens = chunk_tokens;
  return shape;
}

const Shape kChunked[] = {Chunked(1, 1),  Chunked(15, 1),  Chunked(16, 1),
                          Chunked(17, 1), Chunked(100, 3), Chunked(100, kMaxTokens)};

TEST(Words, TileTheirSectionsBetweenHeaderAndPairAreas) {
  for (const Shape& shape : kChunked) {
    const Layout layout(shape);
    std::set<uint64_t> offsets;
    for (const Words::Word& word : Words(shape).all) {
      EXPECT_EQ(word.offset % sizeof(uint64_t), 0u);
      EXPECT_GE(word.offset, layout.CountsWord(0, 0));
      EXPECT_LE(word.offset + sizeof(uint64_t), layout.PairArea(0));
      EXPECT_TRUE(offsets.insert(word.offset).second) << "two words in one place";
    }
    EXPECT_EQ(offsets.size(), kBanks * shape.ranks * (1 + 2 * shape.Chunks()));
  }
}

TEST(Words, OfAnEntryLieOneBehindTheOther) {
  for (const Shape& shape : kChunked) {
    const Layout layout(shape);
    for (uint32_t chunk = 0; chunk < shape.Chunks(); ++chunk) {
      EXPECT_EQ(layout.ChunkWord(1, 2, chunk), layout.CountsWord(1, 2) + 8 * (1 + chunk));
      EXPECT_EQ(layout.SumWord(1, 2, chunk), layout.SumWord(1, 2, 0) + 8 * chunk);
    }
  }
}

TEST(Words, ShareNoLineWithAnotherEntrys) {
  constexpr uint64_t kLine = 128;
  for (const Shape& shape : kChunked) {
    std::map<uint64_t, Words::Word> of_line;
    for (const Words::Word& word : Words(shape).all) {
      const Words::Word& first = of_line.try_emplace(word.offset / kLine, word).first->second;
      EXPECT_EQ(first.writer, word.writer);
      EXPECT_EQ(first.bank, word.bank);
      EXPECT_EQ(first.combine, word.combine);
    }
  }
}

TEST(Layout, CountsBeyond32Bits) {
  const Layout layout({64, 65535, 7168, 4, 8, Dtype::kBf16});
  EXPECT_GT(layout.SizeBytes(), uint64_t{1} << 37);
  EXPECT_GT(layout.PairArea(63) + layout.Partial(1, 65534), uint64_t{1} << 37);
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
  // Neither does any where a word for 127 tokens leaves a chunk of one.
  Shape two_chunks = kSeed;
  two_chunks.chunk_tokens = 127;
  Shape other_two = kSeed;
  other_two.chunk_tokens = 126;
  EXPECT_EQ(Layout(two_chunks).SizeBytes(), Layout(other_two).SizeBytes());
  EXPECT_NE(Layout(two_chunks).Hash(), Layout(other_two).Hash());
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
      {kMaxRanks + 1, 1, 128, 1, 1, Dtype::kFp8},
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
  EXPECT_NE(Problem(Chunked(4, 0)), nullptr);
  EXPECT_NE(Problem(Chunked(4, kMaxTokens + 1)), nullptr);
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
