// Two banks are enough: an exhaustive search over all interleavings of small runs.
//
// A model of the protocol, rank by rank and step by step, that takes its decisions from the
// shipped Next, BankOf and Judge. Memory is sequentially consistent here; that the real one is
// ordered well enough is the business of the sanitizers. A row holds the number of the operation
// that wrote it last, so reading another operation's is a fault. Faulty rules must be found out.
#include <gtest/gtest.h>

#include <map>
#include <ostream>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "csrc/protocol/epoch.h"
#include "csrc/protocol/flag.h"

namespace ep {
namespace {

// The decisions that the model takes from outside.
struct Rules {
  Epoch (*next)(Epoch) = Next;
  uint32_t (*bank_of)(Epoch) = BankOf;
  Verdict (*judge)(uint64_t, Epoch) = Judge;
};

enum class Cell { kRow, kDispatchFlag, kPartial, kCombineFlag };

// One step of one rank. Rows and flags lie at `owner`, in the entry of `peer`.
struct Step {
  enum Kind { kWrite, kAwait, kRead } kind;
  Cell cell;
  uint32_t owner;
  uint32_t bank;
  uint32_t peer;
  // A flag's epoch, or a row's operation.
  uint32_t content;
};

struct Run {
  const char* name;
  uint32_t ranks;
  const char* operations;  // D and C
  Rules rules = {};
  // (source, destination) pairs without rows.
  std::set<std::pair<uint32_t, uint32_t>> empty_pairs = {};
  // Whether empty pairs flag each other too.
  bool all_pairs = true;
  // Where the epochs begin.
  Epoch before = 0;
  // How many operations later a dispatch's rows are read: 0 copies them out at once.
  uint32_t reads_late = 0;
};

std::vector<Step> Program(const Run& run, uint32_t me) {
  std::vector<Step> steps;
  std::vector<std::vector<Step>> pending;
  Epoch dispatch = run.before;
  Epoch combine = run.before;
  const auto has_rows = [&](uint32_t from, uint32_t to) {
    return !run.empty_pairs.contains({from, to});
  };
  std::vector<uint32_t> peers;
  for (uint32_t i = 0; i < run.ranks; ++i) peers.push_back((me + 1 + i) % run.ranks);
  uint32_t number = 0;
  for (const char* operation = run.operations; *operation != '\0'; ++operation) {
    ++number;
    if (*operation == 'D') {
      dispatch = run.rules.next(dispatch);
      const uint32_t bank = run.rules.bank_of(dispatch);
      for (const uint32_t to : peers) {
        if (has_rows(me, to)) steps.push_back({Step::kWrite, Cell::kRow, to, bank, me, number});
      }
      for (const uint32_t to : peers) {
        if (!run.all_pairs && !has_rows(me, to)) continue;
        steps.push_back({Step::kWrite, Cell::kDispatchFlag, to, bank, me, dispatch});
      }
      std::vector<Step> reads;
      for (const uint32_t from : peers) {
        if (!run.all_pairs && !has_rows(from, me)) continue;
        steps.push_back({Step::kAwait, Cell::kDispatchFlag, me, bank, from, dispatch});
      }
      for (const uint32_t from : peers) {
        if (has_rows(from, me)) {
          reads.push_back({Step::kRead, Cell::kRow, me, bank, from, number});
        }
      }
      pending.push_back(std::move(reads));
      if (pending.size() > run.reads_late) {
        steps.insert(steps.end(), pending.front().begin(), pending.front().end());
        pending.erase(pending.begin());
      }
    } else {
      combine = run.rules.next(combine);
      const uint32_t bank = run.rules.bank_of(combine);
      // This rank's experts sum what `home` sent; `home` pulls it.
      for (const uint32_t home : peers) {
        if (has_rows(home, me)) {
          steps.push_back({Step::kWrite, Cell::kPartial, me, bank, home, number});
        }
        if (!run.all_pairs && !has_rows(home, me)) continue;
        steps.push_back({Step::kWrite, Cell::kCombineFlag, home, bank, me, combine});
      }
      for (const uint32_t from : peers) {
        if (!run.all_pairs && !has_rows(me, from)) continue;
        steps.push_back({Step::kAwait, Cell::kCombineFlag, me, bank, from, combine});
      }
      for (const uint32_t from : peers) {
        if (has_rows(me, from)) {
          steps.push_back({Step::kRead, Cell::kPartial, from, bank, me, number});
        }
      }
    }
  }
  return steps;
}

// What a search found: "ok", or the first fault.
std::string Explore(const Run& run) {
  std::vector<std::vector<Step>> programs;
  for (uint32_t rank = 0; rank < run.ranks; ++rank) programs.push_back(Program(run, rank));

  // Cells are numbered; a state is all ranks' positions and all cells' contents.
  std::map<std::tuple<Cell, uint32_t, uint32_t, uint32_t>, size_t> cells;
  const auto cell_of = [&](const Step& step) {
    const auto key = std::tuple(step.cell, step.owner, step.bank, step.peer);
    return cells.try_emplace(key, run.ranks + cells.size()).first->second;
  };
  for (const auto& program : programs) {
    for (const Step& step : program) cell_of(step);
  }
  using State = std::vector<uint32_t>;
  const State start(run.ranks + cells.size(), 0);
  std::set<State> seen = {start};
  std::vector<State> open = {start};
  while (!open.empty()) {
    const State state = std::move(open.back());
    open.pop_back();
    bool moved = false;
    bool finished = true;
    for (uint32_t rank = 0; rank < run.ranks; ++rank) {
      if (state[rank] == programs[rank].size()) continue;
      finished = false;
      const Step& step = programs[rank][state[rank]];
      const size_t cell = cell_of(step);
      const uint32_t have = state[cell];
      State next = state;
      ++next[rank];
      switch (step.kind) {
        case Step::kWrite: next[cell] = step.content; break;
        case Step::kAwait: {
          const Verdict verdict = run.rules.judge(MakeFlag(have, 1), step.content);
          if (verdict == Verdict::kViolation) return "violation";
          if (verdict == Verdict::kNotYet) continue;
          break;
        }
        case Step::kRead:
          if (have != step.content) return "stale or early row";
          break;
      }
      moved = true;
      if (seen.insert(next).second) open.push_back(std::move(next));
    }
    if (!moved && !finished) return "deadlock";
  }
  return "ok";
}

// What GoogleTest prints of a failing run.
std::ostream& operator<<(std::ostream& out, const Run& run) { return out << run.operations; }

class Interleavings : public ::testing::TestWithParam<Run> {};
class Faults : public ::testing::TestWithParam<Run> {};

TEST_P(Interleavings, AreAllRight) { EXPECT_EQ(Explore(GetParam()), "ok"); }
TEST_P(Faults, AreFound) { EXPECT_NE(Explore(GetParam()), "ok"); }

// Two ranks short of the wrap: five operations cross it.
constexpr Epoch kNearWrap = 0xFFFFFFFD;

INSTANTIATE_TEST_SUITE_P(
    Runs, Interleavings,
    ::testing::Values(
        Run{"TwoRanksDispatch", 2, "DDDDD"}, Run{"TwoRanksCombine", 2, "DCCCCC"},
        Run{"TwoRanksAlternating", 2, "DCDCDC"}, Run{"ThreeRanksDispatch", 3, "DDDD"},
        Run{"ThreeRanksCombine", 3, "CCCC"}, Run{"ThreeRanksOneDispatch", 3, "DCCC"},
        Run{"ThreeRanksMixed", 3, "DDCD"},
        Run{.name = "EmptyPairs",
            .ranks = 3,
            .operations = "DDDD",
            .empty_pairs = {{0, 1}, {1, 0}, {2, 1}}},
        Run{.name = "EmptyPairsCombine",
            .ranks = 3,
            .operations = "CCCC",
            .empty_pairs = {{0, 1}, {1, 0}, {2, 1}}},
        Run{.name = "AcrossTheWrap", .ranks = 2, .operations = "DCDCDCDC", .before = kNearWrap},
        Run{.name = "ThreeRanksAcrossTheWrap",
            .ranks = 3,
            .operations = "DDDD",
            .before = kNearWrap},
        // A third bank lets a result be read in place for one operation more.
        Run{.name = "ThreeBanksReadLate",
            .ranks = 2,
            .operations = "DDDDD",
            .rules = {.bank_of = [](Epoch e) { return e % 3; },
                      .judge =
                          [](uint64_t have, Epoch want) {
                            return FlagEpoch(have) == want ? Verdict::kReady
                                   : FlagEpoch(have) == 0 || FlagEpoch(have) == want - 3
                                       ? Verdict::kNotYet
                                       : Verdict::kViolation;
                          }},
            .reads_late = 1}),
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
                      Run{.name = "NoFlagForEmptyPairsDispatch",
                          .ranks = 2,
                          .operations = "DDDD",
                          .empty_pairs = {{0, 1}},
                          .all_pairs = false},
                      Run{.name = "NoFlagForEmptyPairsCombine",
                          .ranks = 2,
                          .operations = "CCCC",
                          .empty_pairs = {{0, 1}},
                          .all_pairs = false},
                      Run{.name = "TwoBanksReadLate",
                          .ranks = 2,
                          .operations = "DDDD",
                          .reads_late = 1}),
    [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace ep
