// Two banks are enough: an exhaustive search over all interleavings of small runs. Faulty rules
// must be found out.
#include <gtest/gtest.h>

#include <cstdint>
#include <ostream>
#include <set>
#include <utility>
#include <vector>

#include "csrc/protocol/interleavings_model_test_util.h"

namespace ep {

// What GoogleTest prints of a failing run.
std::ostream& operator<<(std::ostream& out, const Run& run) { return out << run.operations; }

namespace {

class Interleavings : public ::testing::TestWithParam<Run> {};
class Faults : public ::testing::TestWithParam<Run> {};

TEST_P(Interleavings, AreAllRight) { EXPECT_EQ(Search(GetParam()).Explore(), "ok"); }
TEST_P(Faults, AreFound) { EXPECT_NE(Search(GetParam()).Explore(), "ok"); }

// Two ranks short of the wrap: five operations cross it.
constexpr Epoch kNearWrap = 0xFFFFFFFD;
const std::set<std::pair<uint32_t, uint32_t>> kEmptyPairs = {{0, 1}, {1, 0}, {2, 1}};
// Chunks that two ranks use of three in six operations.
const std::vector<std::vector<uint32_t>> kUneven = {{3, 1, 0, 3, 2, 3}, {1, 3, 3, 0, 3, 2}};

INSTANTIATE_TEST_SUITE_P(
    Runs, Interleavings,
    ::testing::Values(
        Run{"TwoBlocksDispatch", 2, "DDDD", 2, 2}, Run{"TwoBlocksCombine", 2, "CCCC", 2, 2},
        Run{"TwoBlocksAlternating", 2, "DCDC", 2, 2}, Run{"TwoBlocksOneDispatch", 2, "DCCC", 2, 2},
        Run{"TwoBlocksMoreChunks", 2, "DCD", 2, 3}, Run{"ThreeBlocks", 2, "DCD", 3, 3},
        Run{.name = "TwoBlocksPlacesFirst",
            .ranks = 2,
            .operations = "DDDD",
            .blocks = 2,
            .chunks = 3,
            .places_first = true},
        Run{.name = "TwoBlocksAcrossTheWrap",
            .ranks = 2,
            .operations = "DCDCDCDC",
            .blocks = 2,
            .chunks = 2,
            .before = kNearWrap},
        Run{.name = "UnevenChunksDispatch",
            .ranks = 2,
            .operations = "DDDDDD",
            .blocks = 2,
            .chunks = 3,
            .used = kUneven},
        Run{.name = "UnevenChunksCombine",
            .ranks = 2,
            .operations = "CCCCCC",
            .blocks = 2,
            .chunks = 3,
            .used = kUneven},
        Run{"ThreeRanksDispatch", 3, "DDDD"}, Run{"ThreeRanksCombine", 3, "CCCC"},
        Run{"ThreeRanksMixed", 3, "DDCD"}, Run{"ThreeRanksTwoChunks", 3, "DCD", 1, 2},
        Run{.name = "EmptyPairs", .ranks = 3, .operations = "DDDD", .empty_pairs = kEmptyPairs},
        Run{.name = "EmptyPairsCombine",
            .ranks = 3,
            .operations = "CCCC",
            .empty_pairs = kEmptyPairs},
        Run{.name = "ThreeRanksAcrossTheWrap",
            .ranks = 3,
            .operations = "DDDD",
            .before = kNearWrap},
        // A third bank lets a result be read in place for one operation more.
        Run{.name = "ThreeBanksReadLate",
            .ranks = 2,
            .operations = "DDDDD",
            .fault = Fault::kReadsLate,
            .rules = {.bank_of = [](Epoch e) { return e % 3; },
                      .judge =
                          [](uint64_t have, Epoch want) {
                            return FlagEpoch(have) == want ? Verdict::kReady
                                   : FlagEpoch(have) == 0 || FlagEpoch(have) == want - 3
                                       ? Verdict::kNotYet
                                       : Verdict::kViolation;
                          }}}),
    [](const auto& info) { return info.param.name; });

INSTANTIATE_TEST_SUITE_P(
    Mutants, Faults,
    ::testing::Values(Run{.name = "OneBankDispatch",
                          .ranks = 2,
                          .operations = "DDD",
                          .rules = {.bank_of = [](Epoch) { return 0u; }}},
                      Run{.name = "OneBankCombine",
                          .ranks = 2,
                          .operations = "CCC",
                          .rules = {.bank_of = [](Epoch) { return 0u; }}},
                      Run{.name = "BanksInPairsOfEpochs",
                          .ranks = 2,
                          .operations = "DDDDD",
                          .rules = {.bank_of = [](Epoch e) { return e / 2 % 2; }}},
                      Run{.name = "NextDoesNotAdvance",
                          .ranks = 2,
                          .operations = "DDD",
                          .rules = {.next = [](Epoch) { return Epoch{1}; }}},
                      // 0 is "none yet": a wait for it is satisfied before anything was written.
                      Run{.name = "NextWrapsToZero",
                          .ranks = 2,
                          .operations = "DD",
                          .rules = {.next = [](Epoch e) { return e + 1; }},
                          .before = 0xFFFFFFFF},
                      Run{.name = "NextWrapsToOne",
                          .ranks = 2,
                          .operations = "DDDDDD",
                          .rules = {.next = [](Epoch e) { return e == 0xFFFFFFFF ? 1 : e + 1; }},
                          .before = kNearWrap},
                      Run{.name = "JudgeTakesAnyFlag",
                          .ranks = 2,
                          .operations = "DDD",
                          .rules = {.judge =
                                        [](uint64_t have, Epoch) {
                                          return have != 1 ? Verdict::kReady : Verdict::kNotYet;
                                        }}},
                      Run{.name = "JudgeNeverWaits",
                          .ranks = 2,
                          .operations = "D",
                          .rules = {.judge = [](uint64_t, Epoch) { return Verdict::kReady; }}},
                      Run{.name = "JudgeKnowsNoPrevious",
                          .ranks = 2,
                          .operations = "DDD",
                          .rules = {.judge =
                                        [](uint64_t have, Epoch want) {
                                          return FlagEpoch(have) == want ? Verdict::kReady
                                                 : FlagEpoch(have) == 0  ? Verdict::kNotYet
                                                                         : Verdict::kViolation;
                                        }}},
                      Run{"PlacesBeforeCounts", 2, "D", 1, 1, Fault::kPlacesBeforeCounts},
                      Run{"RowsByAnotherChunksWord", 2, "D", 2, 2, Fault::kAnotherChunksWord},
                      Run{"RowsAwaitNothing", 2, "D", 1, 1, Fault::kRowsAwaitNothing},
                      Run{"SumsAwaitNothing", 2, "C", 1, 1, Fault::kSumsAwaitNothing},
                      // Block 1 of rank 0 has nothing to get from block 1 of rank 1, and overtakes
                      // it. In a dispatch, blocks await those with the same chunks, and would need
                      // no other.
                      Run{.name = "BlocksAreNotJoined",
                          .ranks = 2,
                          .operations = "CCCC",
                          .blocks = 2,
                          .chunks = 2,
                          .fault = Fault::kBlocksAreNotJoined,
                          .used = {{1, 1, 1, 1}, {2, 2, 2, 2}}},
                      // A word then holds the epoch before the bank's previous one.
                      Run{.name = "ChunksByOwnTokens",
                          .ranks = 2,
                          .operations = "DDDDD",
                          .chunks = 2,
                          .fault = Fault::kChunksByOwnTokens,
                          .used = {{2, 2, 1, 2, 2}, {2, 2, 2, 2, 2}}},
                      Run{.name = "SilentEmptyChunksDispatch",
                          .ranks = 2,
                          .operations = "D",
                          .chunks = 2,
                          .fault = Fault::kSilentEmptyChunks,
                          .used = {{2}, {1}}},
                      Run{.name = "SilentEmptyChunksCombine",
                          .ranks = 2,
                          .operations = "C",
                          .chunks = 2,
                          .fault = Fault::kSilentEmptyChunks,
                          .used = {{2}, {0}}},
                      Run{.name = "SilentEmptyPairsDispatch",
                          .ranks = 2,
                          .operations = "DDDD",
                          .fault = Fault::kSilentEmptyPairs,
                          .empty_pairs = {{0, 1}}},
                      Run{.name = "SilentEmptyPairsCombine",
                          .ranks = 2,
                          .operations = "CCCC",
                          .fault = Fault::kSilentEmptyPairs,
                          .empty_pairs = {{0, 1}}},
                      Run{.name = "CombineSeesNobodyItNeedsNothingOf",
                          .ranks = 2,
                          .operations = "CCCC",
                          .fault = Fault::kCombineSeesNobody,
                          .empty_pairs = {{0, 1}}},
                      // The condition under which blocks may wait for each other at all.
                      Run{.name = "NotAllBlocksAreResident",
                          .ranks = 2,
                          .operations = "D",
                          .blocks = 2,
                          .chunks = 2,
                          .resident = 1},
                      Run{"TwoBanksReadLate", 2, "DDDD", 1, 1, Fault::kReadsLate}),
    [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace ep
