// The check bites in every layout of received rows, and where selections come back one by one:
// a fault of each kind that a layout makes possible is found and named.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <numeric>
#include <utility>
#include <vector>

#include "csrc/rank/cpu_engine.h"
#include "csrc/rank/hooked_device_test_util.h"
#include "csrc/rank/world_test_util.h"

namespace ep {
namespace {

using ::testing::HasSubstr;

constexpr Way kContig = {"contig", OutputLayout::kContig, CombineSum::kRank};
constexpr Way kFlat = {"flat", OutputLayout::kFlat, CombineSum::kRank};
constexpr Way kRank = {"rank", OutputLayout::kRank, CombineSum::kRank};
constexpr Way kByExpert = {"by expert", OutputLayout::kExpert, CombineSum::kExpert};
constexpr Shape kShape = {.ranks = 3,
                          .tokens = 12,
                          .hidden = 256,
                          .experts_per_rank = 3,
                          .topk = 4,
                          .dtype = Dtype::kFp8};

// A world in which all has been right for two epochs: both banks hold rows of an earlier one.
class Ready {
 public:
  explicit Ready(const Way& way) : shape(With(way, kShape)), world({.shape = shape}) {
    world.Begin();
    for (int i = 0; i < 3; ++i) EXPECT_EQ(WrongRows(world.RunChecked(kBoth)), 0u);
  }

  HookedDevice& device(uint32_t rank) { return world.engine(rank).device(); }
  const Tensors& tensors() { return world.engine(0).tensors(); }
  // Rank 0 writes row `row` of its output to row `other`.
  void Move(uint64_t row, uint64_t other) {
    device(0).elsewhere = [this, row, other](uint8_t* to, size_t) {
      return to == tensors().received.Row(static_cast<int64_t>(row))
                 ? tensors().received.Row(static_cast<int64_t>(other))
                 : to;
    };
  }
  // Rank 1 does `harm` to what it has put to rank 0, before it announces it.
  void BeforeRank1Raises(std::function<void(RowMeta*)> harm) {
    const Layout layout(shape);
    const uint32_t bank = BankOf(Next(world.engine(0).epochs().dispatch));
    uint8_t* region = world.engine(0).region();
    const uint8_t* word = region + layout.ChunkWord(bank, 1, 0);
    auto* meta = reinterpret_cast<RowMeta*>(region + layout.PairArea(1) + layout.Meta(bank, 0));
    device(1).before_word = [word, meta, harm = std::move(harm)](const uint64_t* raised) {
      if (reinterpret_cast<const uint8_t*>(raised) == word) harm(meta);
    };
  }

  const Shape shape;
  World<HookedDevice> world;
};

TEST(ContigMutants, LeavesPaddingAsItWas) {
  Ready ready(kContig);
  ready.device(0).forgets_zeros = true;
  const Findings found = ready.world.RunChecked(kDispatch)[0];
  EXPECT_EQ(found.kind, WrongKind::kPadding);
  EXPECT_EQ(found.expert, 0);
  EXPECT_EQ(found.got, kPoison);
}

TEST(ContigMutants, PutsTheFirstRowOfAnExpertIntoThePaddingBefore) {
  Ready ready(kContig);
  const uint64_t first = ready.tensors().begin()[1];
  ASSERT_EQ(first % kContigRows, 0u);
  ready.Move(first, first - 1);
  const Findings found = ready.world.RunChecked(kDispatch)[0];
  EXPECT_GT(found.wrong, 0u);
  EXPECT_EQ(found.expert, 1) << "whose row is missing; zeros come over it where it went";
}

TEST(ContigMutants, WritesBeyondTheLastExpertsPadding) {
  Ready ready(kContig);
  const uint64_t end = ready.tensors().begin()[kShape.experts_per_rank];
  ready.Move(end - 1, end);
  const Findings found = ready.world.RunChecked(kDispatch)[0];
  EXPECT_EQ(found.wrong, 2u) << "a row of padding, and the guard";
  EXPECT_EQ(found.kind, WrongKind::kPadding);
}

TEST(ContigMutants, SaysThatAnExpertBeginsElsewhere) {
  Ready ready(kContig);
  EXPECT_TRUE(ready.world.engine(0).Poison().ok());
  ready.world.ExpectOk(ready.world.Run(kDispatch));
  const_cast<uint32_t*>(ready.tensors().begin())[2] += kContigRows;
  Findings found;
  EXPECT_TRUE(ready.world.engine(0).Check(kDispatch, &found).ok());
  EXPECT_EQ(found.kind, WrongKind::kDispatchBegin);
  EXPECT_EQ(found.expert, 2);
  EXPECT_EQ(found.got, found.want + kContigRows);
}

TEST(ContigMutants, ASourceCountsMoreThanTheOutputHolds) {
  const Shape shape = With(kContig, {2, 600, 128, 3, 1, Dtype::kBf16});
  World<HookedDevice> world({.shape = shape});
  const Layout layout(shape);
  const uint32_t bank = BankOf(Next(0));
  uint8_t* region = world.engine(0).region();
  world.engine(1).device().before_word = [&](const uint64_t* word) {
    if (reinterpret_cast<const uint8_t*>(word) != region + layout.CountsWord(bank, 1)) return;
    std::fill_n(reinterpret_cast<uint16_t*>(region + layout.PairArea(1) + layout.Counts(bank)), 3,
                shape.tokens);
  };
  const std::vector<Status> statuses = world.Run(kDispatch);
  EXPECT_EQ(statuses[0].code(), Code::kProtocol);
  EXPECT_THAT(statuses[0].text(), HasSubstr("rank 1 wrote what it must not"));
}

TEST(FlatMutants, PutsARowWhereTheNextSourceBegins) {
  Ready ready(kFlat);
  const uint64_t next = ready.tensors().begin()[1];
  ready.Move(next - 1, next);
  const Findings found = ready.world.RunChecked(kDispatch)[0];
  EXPECT_GT(found.wrong, 0u);
  EXPECT_EQ(found.source_rank, 0u);
}

TEST(FlatMutants, WritesBeyondTheLastSourcesRows) {
  Ready ready(kFlat);
  const uint64_t end = ready.tensors().begin()[kShape.ranks];
  ready.device(0).after_write = [&ready, end](uint8_t* to, size_t bytes) {
    if (to + bytes == ready.tensors().received.Row(static_cast<int64_t>(end))) to[bytes] = 0;
  };
  const Findings found = ready.world.RunChecked(kDispatch)[0];
  EXPECT_EQ(found.wrong, 1u);
  EXPECT_EQ(found.kind, WrongKind::kGuard);
}

TEST(FlatMutants, DescribesARowWithAWeightOfAnotherSet) {
  Ready ready(kFlat);
  ready.BeforeRank1Raises([](RowMeta* meta) { meta->Weights(meta->selections)[0] *= 0.5f; });
  const std::vector<Findings> found = ready.world.RunChecked(kBoth);
  EXPECT_EQ(found[0].wrong, 1u);
  EXPECT_EQ(found[0].kind, WrongKind::kDispatchDescription);
  EXPECT_EQ(found[0].source_rank, 1u);
  EXPECT_EQ(found[1].wrong, 0u) << "the experts' kernel weighs, not combine";
}

TEST(FlatMutants, DescribesARowWithAnotherExpert) {
  Ready ready(kFlat);
  ready.BeforeRank1Raises([](RowMeta* meta) {
    Placement* at = meta->Placements();
    at->expert = static_cast<uint16_t>((at->expert + 1) % kShape.experts_per_rank);
    at->index = 0;
  });
  const Findings found = ready.world.RunChecked(kDispatch)[0];
  EXPECT_EQ(found.wrong, 1u);
  EXPECT_EQ(found.kind, WrongKind::kDispatchDescription);
}

TEST(FlatMutants, DoesNotCopyARowBack) {
  Ready ready(kFlat);
  ready.device(1).writes_to_skip = 1;
  const std::vector<Findings> found = ready.world.RunChecked(kCombine);
  EXPECT_EQ(WrongRows(found), 1u);
}

TEST(RankMutants, PutsASourcesRowsBehindThoseOfTheOneBefore) {
  Ready ready(kRank);
  const uint64_t own = ready.tensors().begin()[1];
  ASSERT_EQ(own, kShape.tokens);
  ready.Move(own, own - 1);
  const Findings found = ready.world.RunChecked(kDispatch)[0];
  EXPECT_GT(found.wrong, 0u);
}

TEST(RankMutants, WritesBeyondASourcesRows) {
  Shape shape = With(kRank, kShape);
  World<HookedDevice> world({.shape = shape, .tokens_of_rank = {12, 5, 12}});
  world.Begin();
  const Tensors& tensors = world.engine(0).tensors();
  const auto end = static_cast<int64_t>(tensors.begin()[1] + tensors.rows_from()[1]);
  world.engine(0).device().after_write = [&tensors, end](uint8_t* to, size_t bytes) {
    if (to + bytes == tensors.received.Row(end)) to[bytes] = 0;
  };
  const Findings found = world.RunChecked(kDispatch)[0];
  EXPECT_EQ(found.wrong, 1u);
  EXPECT_EQ(found.kind, WrongKind::kGuard);
}

TEST(ByExpertMutants, DoesNotCopyASelectionsRowBack) {
  Ready ready(kByExpert);
  ready.device(1).writes_to_skip = 1;
  const std::vector<Findings> found = ready.world.RunChecked(kCombine);
  EXPECT_EQ(WrongRows(found), 1u);
}

TEST(ByExpertMutants, ForgetsTheLastSelectionAtHome) {
  Ready ready(kByExpert);
  ready.device(2).order_of = [](uint32_t count) {
    std::vector<uint32_t> order(count > 1 ? count - 1 : count);
    std::iota(order.begin(), order.end(), 0);
    return order;
  };
  const std::vector<Findings> found = ready.world.RunChecked(kCombine);
  EXPECT_EQ(found[0].wrong, 0u);
  EXPECT_EQ(found[2].wrong, kShape.tokens);
}

TEST(ByExpertMutants, ARankThatSumsFirstIsRefused) {
  World<HostDevice> one({.shape = With(kByExpert, kShape)});
  World<HostDevice> other({.shape = kShape});
  const std::vector<std::vector<uint8_t>> blobs = {one.engine(0).Blob(), other.engine(1).Blob(),
                                                   one.engine(2).Blob()};
  const Status status = one.engine(0).Connect({blobs.begin(), blobs.end()});
  EXPECT_EQ(status.code(), Code::kProtocol);
}

}  // namespace
}  // namespace ep
