// What a check finds does not depend on how many threads share it, nor on what it found before.
#include "csrc/check/checker.h"

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <string>
#include <vector>

#include "csrc/rank/world_test_util.h"

namespace ep {
namespace {

using HostWorld = World<HostDevice>;

// Enough rows that five threads get some.
constexpr Shape kShape = {.ranks = 2,
                          .tokens = 96,
                          .hidden = 8192,
                          .experts_per_rank = 4,
                          .topk = 2,
                          .dtype = Dtype::kFp8};
constexpr Way kThreeWays[] = {kWays[0], kWays[1], kWays[2]};

// A run whose rank 0 is going to be spoilt.
class Spoilt {
 public:
  Spoilt(const Way& way, uint32_t threads)
      : world_({.shape = With(way, kShape), .host_threads = threads}) {
    world_.Begin();
    for (auto& found : world_.RunChecked(kBoth)) EXPECT_EQ(found.wrong, 0u);
  }

  // Row i of the b-th block that has more.
  void FlipChannel(size_t b, uint32_t i, uint32_t channel) {
    tensors().received.Row(RowOf(b, i))[channel] ^= 1;
  }
  void FlipSum(uint32_t token, uint32_t channel) {
    reinterpret_cast<Bf16*>(tensors().combined.Row(token))[channel] ^= 1;
  }
  int64_t RowOf(size_t b, uint32_t i) {
    for (const Block& block : tensors().Blocks()) {
      if (block.rows > i && b-- == 0) return static_cast<int64_t>(block.first + i);
    }
    ADD_FAILURE() << "there is no such row";
    return 0;
  }
  Source SourceOf(int64_t row) { return tensors().sources.As<Source>()[row]; }
  Findings Check() {
    Findings found;
    EXPECT_TRUE(world_.engine(0).Check(kBoth, &found).ok());
    return found;
  }
  const Tensors& tensors() { return world_.engine(0).tensors(); }

 private:
  HostWorld world_;
};

void ExpectSame(const Findings& a, const Findings& b) {
  EXPECT_EQ(a.rows, b.rows);
  EXPECT_EQ(a.wrong, b.wrong);
  EXPECT_EQ(a.kind, b.kind);
  EXPECT_EQ(a.source_rank, b.source_rank);
  EXPECT_EQ(a.token, b.token);
  EXPECT_EQ(a.expert, b.expert);
  EXPECT_EQ(a.channel, b.channel);
  EXPECT_EQ(a.got, b.got);
  EXPECT_EQ(a.want, b.want);
}

TEST(Check, FindsTheSameFirstWrongRowWithAnyNumberOfThreads) {
  for (const Way& way : kThreeWays) {
    SCOPED_TRACE(way.name);
    std::vector<Findings> found;
    for (const uint32_t threads : {1, 2, 5}) {
      Spoilt spoilt(way, threads);
      // In an order of tokens that is not that of rows: the last token of the first block comes
      // after the first token of the second one.
      spoilt.FlipChannel(1, 0, 7);
      spoilt.FlipChannel(0, 40, 5000);
      spoilt.FlipChannel(0, 35, 8000);
      spoilt.FlipChannel(0, 35, 8001);
      spoilt.FlipSum(90, 1);
      spoilt.FlipSum(2, 9);
      found.push_back(spoilt.Check());
      const Source first = spoilt.SourceOf(spoilt.RowOf(0, 35));
      EXPECT_EQ(found.back().wrong, 5u);
      EXPECT_EQ(found.back().kind, WrongKind::kDispatchRow);
      EXPECT_EQ(found.back().source_rank, first.rank);
      EXPECT_EQ(found.back().token, first.token);
      EXPECT_EQ(found.back().channel, 8000u);
    }
    ExpectSame(found[0], found[1]);
    ExpectSame(found[0], found[2]);
  }
}

TEST(Check, FindsTheFirstWrongSumWithAnyNumberOfThreads) {
  for (const uint32_t threads : {1, 2, 5}) {
    Spoilt spoilt(kWays[0], threads);
    spoilt.FlipSum(90, 1);
    spoilt.FlipSum(31, 9);
    const Findings found = spoilt.Check();
    EXPECT_EQ(found.wrong, 2u);
    EXPECT_EQ(found.kind, WrongKind::kCombineRow);
    EXPECT_EQ(found.token, 31u);
    EXPECT_EQ(found.channel, 9u);
  }
}

TEST(Check, FindsTheFirstByteOfPaddingWithAnyNumberOfThreads) {
  for (const uint32_t threads : {1, 2, 5}) {
    Spoilt spoilt(kWays[1], threads);
    const Block block = spoilt.tensors().Blocks()[2];
    ASSERT_NE(block.rows % kContigRows, 0u);
    const auto padding = static_cast<int64_t>(block.first + block.rows);
    spoilt.tensors().received.Row(padding)[4000] = 3;
    spoilt.FlipChannel(3, 0, 0);
    const Findings found = spoilt.Check();
    EXPECT_EQ(found.wrong, 2u);
    EXPECT_EQ(found.kind, WrongKind::kPadding) << "before the rows of the block behind it";
    EXPECT_EQ(found.expert, 2);
    EXPECT_EQ(found.channel, 4000u);
    EXPECT_EQ(found.got, 3u);
  }
}

// The float64 sum is looked at once; what a row is compared with is not.
TEST(Check, FindsAWrongSumInWhatItFoundRightBefore) {
  Spoilt spoilt(kWays[0], 1);
  EXPECT_EQ(spoilt.Check().wrong, 0u);
  spoilt.FlipSum(50, 8191);
  const Findings found = spoilt.Check();
  EXPECT_EQ(found.wrong, 1u);
  EXPECT_EQ(found.token, 50u);
  EXPECT_EQ(found.got ^ found.want, 1u);
}

// Rows outside would be seen as guards; a byte inside that is left out, by nobody else.
TEST(Check, PoisonsEveryByteWithAnyNumberOfThreads) {
  for (const Way& way : kThreeWays) {
    for (const uint32_t threads : {1, 2, 5}) {
      HostWorld world({.shape = With(way, kShape), .host_threads = threads});
      world.Begin();
      ASSERT_TRUE(world.engine(0).Poison().ok());
      const Tensors& tensors = world.engine(0).tensors();
      const auto poisoned = [](const GuardedRows& rows, int64_t first, int64_t count) {
        const uint8_t* bytes = rows.Row(first);
        return std::all_of(bytes, bytes + static_cast<uint64_t>(count) * rows.row_bytes(),
                           [](uint8_t b) { return b == kPoison; });
      };
      for (const Block& block : tensors.Blocks()) {
        const auto first = static_cast<int64_t>(block.first) - 1;
        EXPECT_TRUE(poisoned(tensors.received, first, block.rows + 2));
        EXPECT_TRUE(poisoned(tensors.scales, first, block.rows + 2));
        EXPECT_TRUE(poisoned(tensors.sources, first, block.rows + 2));
      }
      EXPECT_TRUE(poisoned(tensors.combined, -1, kShape.tokens + 2));
    }
  }
}

// Bytes of memory behind [begin, begin + bytes) that are there.
uint64_t ResidentBytes(const uint8_t* begin, uint64_t bytes) {
  const auto page = static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
  std::vector<unsigned char> there((bytes + page - 1) / page);
  EXPECT_EQ(mincore(const_cast<uint8_t*>(begin), bytes, there.data()), 0);
  return page * static_cast<uint64_t>(
                    std::ranges::count_if(there, [](unsigned char flags) { return flags & 1; }));
}

TEST(Check, TouchesNoMoreOfWhatIsReservedThanIsReceived) {
  std::string huge_pages;
  std::getline(std::ifstream("/sys/kernel/mm/transparent_hugepage/enabled"), huge_pages);
  if (huge_pages.find("[always]") != std::string::npos) {
    GTEST_SKIP() << "this kernel rounds all that is touched to huge pages";
  }
  HostWorld world({.shape = kShape, .host_threads = 2});
  world.Begin();
  world.RunChecked(kBoth);
  const Tensors& tensors = world.engine(0).tensors();
  uint64_t rows = 0;
  for (const Block& block : tensors.Blocks()) rows += block.rows + 2;  // and the guards around it
  const uint64_t whole_pages =
      2 * tensors.Blocks().size() * static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
  const GuardedRows& received = tensors.received;
  EXPECT_LE(ResidentBytes(received.Row(-1), received.bytes()),
            rows * received.row_bytes() + whole_pages);
  for (const Mapping& outputs : tensors.expert_rows) {
    EXPECT_LE(ResidentBytes(outputs.data(), outputs.size()),
              rows * sizeof(Bf16) * kShape.hidden + whole_pages);
  }
  EXPECT_GT(received.bytes(), 3 * rows * received.row_bytes()) << "there is more to touch";
}

}  // namespace
}  // namespace ep
