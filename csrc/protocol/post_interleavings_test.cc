// Two banks are enough for bells, mail and images as well, and a request may be used again once it
// is over: an exhaustive search over all interleavings of ranks, their proxies and the network
// between them. Faulty rules must be found out.
//
// It takes its decisions from the shipped Next, BankOf and Judge. Memory is sequentially consistent
// here, as in csrc/protocol/interleavings_model_test_util.h; a rank is one worker. What is stored
// is the number of the operation that stored it, from 1.
#include <gtest/gtest.h>

#include <cstdint>
#include <iostream>
#include <ostream>
#include <string>
#include <unordered_set>
#include <utility>
#include <vector>

#include "csrc/protocol/epoch.h"
#include "csrc/protocol/flag.h"

namespace ep {

enum class PostFault {
  kNone,
  kRingsBeforeRows,
  kRingsTheOtherBank,
  kOneImage,  // of both banks
  kTakesABellTwice,
  kPostsBeforeDone,  // a request again
  kMailAtPost,       // not at arrival
  kMailInOtherBank,
};

struct PostRun {
  const char* name;
  uint32_t ranks;
  const char* operations;  // D and C
  PostFault fault = PostFault::kNone;
  Verdict (*judge)(uint64_t, Epoch) = Judge;  // mail and words
  uint32_t (*bank_of)(Epoch) = BankOf;
  Epoch before = 0;
};

// What GoogleTest prints of a failing run.
std::ostream& operator<<(std::ostream& out, const PostRun& run) { return out << run.name; }

namespace {

class PostSearch {
 public:
  explicit PostSearch(const PostRun& run) : run_(run), operations_(run.operations) {
    Epoch epochs[] = {run.before, run.before};
    for (const char operation : operations_) {
      Epoch& epoch = epochs[operation == 'C'];
      epoch = Next(epoch);
      epochs_.push_back(epoch);
    }
  }

  // "ok", or the first fault.
  std::string Explore() {
    std::string start(2 * run_.ranks + run_.ranks * run_.ranks * kCells * sizeof(Cell), '\0');
    std::unordered_set<std::string> seen = {start};
    std::vector<std::string> open = {start};
    while (!open.empty()) {
      const std::string state = std::move(open.back());
      open.pop_back();
      next_.clear();
      fault_ = nullptr;
      for (uint32_t rank = 0; rank < run_.ranks; ++rank) StepRank(state, rank);
      for (uint32_t from = 0; from < run_.ranks; ++from) {
        for (uint32_t to = 0; to < run_.ranks; ++to) {
          for (uint32_t cell = 0; from != to && cell < kCells; ++cell) {
            StepNetwork(state, from, to, cell);
          }
        }
      }
      if (fault_ != nullptr) return fault_;
      bool over = true;
      for (uint32_t rank = 0; rank < run_.ranks; ++rank) over &= IsThrough(state, rank);
      if (next_.empty() && !over) return "deadlock";
      for (std::string& next : next_) {
        if (seen.insert(next).second) open.push_back(std::move(next));
      }
    }
    return "ok";
  }

 private:
  // Of a request: nothing under way; posted; its bytes are there; and so is its notice.
  enum Phase : uint8_t { kFree, kPosted, kMoved, kTold, kPostedEarly };
  // One operation and bank from one rank to another.
  struct Cell {
    uint8_t image, bell;               // the sender's
    uint8_t served, phase, under_way;  // its proxy's
    uint8_t rows, mail, word;          // the receiver's
  };
  static constexpr uint32_t kCells = 4;

  Cell& At(std::string& state, uint32_t from, uint32_t to, uint32_t cell) const {
    const size_t index = (from * run_.ranks + to) * kCells + cell;
    return *reinterpret_cast<Cell*>(state.data() + 2 * run_.ranks + index * sizeof(Cell));
  }
  uint32_t CellOf(uint8_t operation) const {
    return (operations_[operation] == 'C' ? 2 : 0) + run_.bank_of(epochs_[operation]) % 2;
  }
  uint64_t Flag(uint8_t content) const {
    return content == 0 ? 0 : MakeFlag(epochs_[content - 1], 1);
  }
  bool IsThrough(const std::string& state, uint32_t rank) const {
    return static_cast<uint8_t>(state[2 * rank]) == operations_.size();
  }
  uint32_t ImageOf(uint32_t cell) const {
    return run_.fault == PostFault::kOneImage ? cell & ~1u : cell;
  }

  // Rows and a bell for each peer, then each peer's word and rows.
  void StepRank(const std::string& state, uint32_t rank) {
    if (IsThrough(state, rank)) return;
    std::string next = state;
    const auto operation = static_cast<uint8_t>(state[2 * rank]);
    const auto step = static_cast<uint8_t>(state[2 * rank + 1]);
    const auto content = static_cast<uint8_t>(operation + 1);
    const uint32_t peers = run_.ranks - 1;
    const uint32_t peer = (rank + 1 + step / 2 % peers) % run_.ranks;
    const uint32_t cell = CellOf(operation);
    const bool first = step % 2 == 0;
    if (step < 2 * peers) {
      if (first != (run_.fault == PostFault::kRingsBeforeRows)) {
        At(next, rank, peer, ImageOf(cell)).image = content;
      } else {
        Cell& of =
            At(next, rank, peer, run_.fault == PostFault::kRingsTheOtherBank ? cell ^ 1 : cell);
        if (of.bell != of.served) fault_ = "a bell is rung before the last one was heard";
        of.bell = content;
      }
    } else if (first) {
      Cell& of = At(next, peer, rank, cell);
      const Verdict word = run_.judge(Flag(of.word), epochs_[operation]);
      const Verdict mail = run_.judge(Flag(of.mail), epochs_[operation]);
      if (word == Verdict::kViolation || mail == Verdict::kViolation) fault_ = "violation";
      if (word != Verdict::kReady) {
        if (mail != Verdict::kReady || of.word == of.mail) return;
        of.word = of.mail;  // taken
        next_.push_back(std::move(next));
        return;
      }
    } else if (At(next, peer, rank, cell).rows != content) {
      fault_ = "stale or early";
    }
    ++next[2 * rank + 1];
    if (step + 1u == 4 * peers) {
      ++next[2 * rank];
      next[2 * rank + 1] = 0;
    }
    next_.push_back(std::move(next));
  }

  // All that a proxy and the network can do next for a request.
  void StepNetwork(const std::string& state, uint32_t from, uint32_t to, uint32_t cell) {
    const auto act = [&](auto change) {
      std::string next = state;
      change(next, At(next, from, to, cell));
      if (next != state) next_.push_back(std::move(next));
    };
    std::string now = state;
    const Cell of = At(now, from, to, cell);
    const bool may_post = of.phase == kFree || (run_.fault == PostFault::kPostsBeforeDone);
    if (of.bell != of.served && may_post) {
      act([&](std::string&, Cell& c) {
        if (!PrecedesInBank(FlagEpoch(Flag(c.served)), FlagEpoch(Flag(c.bell)))) {
          fault_ = "a bell out of turn";
        }
        c.under_way = c.bell;
        if (run_.fault != PostFault::kTakesABellTwice || c.phase == kFree) c.served = c.bell;
        c.phase = c.phase == kFree ? kPosted : kPostedEarly;
      });
    }
    if (run_.fault == PostFault::kTakesABellTwice && of.phase == kFree && of.served != 0) {
      act([&](std::string&, Cell& c) {
        c.under_way = c.served;
        c.phase = kPosted;
      });
    }
    if (of.phase == kPosted || of.phase == kPostedEarly) {
      act([&](std::string& next, Cell& c) {
        c.rows = At(next, from, to, ImageOf(cell)).image;
        c.phase = kMoved;
      });
    }
    // The end of the message before is taken for that of this one.
    if (of.phase == kPostedEarly) act([](std::string&, Cell& c) { c.phase = kFree; });
    if (of.phase == kMoved || (of.phase == kPosted && run_.fault == PostFault::kMailAtPost)) {
      act([&](std::string& next, Cell& c) {
        const uint32_t box = run_.fault == PostFault::kMailInOtherBank ? cell ^ 1 : cell;
        Cell& at = At(next, from, to, box);
        const Epoch epoch = FlagEpoch(Flag(c.under_way));
        const Epoch before = FlagEpoch(Flag(at.mail));
        if (epoch == before || !PrecedesInBank(before, epoch) ||
            run_.bank_of(epoch) % 2 != box % 2) {
          fault_ = "a notice that cannot be";
        }
        if (at.mail != at.word) fault_ = "mail is left before the last one was taken";
        at.mail = c.under_way;
        if (c.phase == kMoved) c.phase = kTold;
      });
    }
    if (of.phase == kTold) act([](std::string&, Cell& c) { c.phase = kFree; });
  }

  const PostRun& run_;
  const std::string operations_;
  std::vector<Epoch> epochs_;
  std::vector<std::string> next_;
  const char* fault_ = nullptr;
};

class PostInterleavings : public ::testing::TestWithParam<PostRun> {};
class PostFaults : public ::testing::TestWithParam<PostRun> {};

TEST_P(PostInterleavings, AreAllRight) { EXPECT_EQ(PostSearch(GetParam()).Explore(), "ok"); }
TEST_P(PostFaults, AreFound) {
  const std::string found = PostSearch(GetParam()).Explore();
  EXPECT_NE(found, "ok");
  std::cout << found << "\n";
}

// Two ranks short of the wrap.
constexpr Epoch kNearWrap = 0xFFFFFFFD;
constexpr auto kName = [](const auto& info) { return std::string(info.param.name); };
constexpr auto kAnyIsReady = [](uint64_t have, Epoch) {
  return have == 0 ? Verdict::kNotYet : Verdict::kReady;
};
constexpr auto kOneBank = [](Epoch) { return 0u; };

INSTANTIATE_TEST_SUITE_P(
    Runs, PostInterleavings,
    ::testing::Values(
        PostRun{"Dispatch", 2, "DDDDD"}, PostRun{"Combine", 2, "CCCC"},
        PostRun{"Alternating", 2, "DCDCDC"}, PostRun{"OneDispatch", 2, "DCCCC"},
        PostRun{.name = "AcrossTheWrap", .ranks = 2, .operations = "DDDDDD", .before = kNearWrap}),
    kName);

INSTANTIATE_TEST_SUITE_P(
    Mutants, PostFaults,
    ::testing::Values(
        PostRun{"RingsBeforeRows", 2, "D", PostFault::kRingsBeforeRows},
        PostRun{"RingsTheOtherBank", 2, "DD", PostFault::kRingsTheOtherBank},
        PostRun{"OneImage", 2, "DD", PostFault::kOneImage},
        PostRun{"TakesABellTwice", 2, "DD", PostFault::kTakesABellTwice},
        PostRun{"PostsBeforeDone", 2, "DDD", PostFault::kPostsBeforeDone},
        PostRun{"MailAtPost", 2, "D", PostFault::kMailAtPost},
        PostRun{"MailInOtherBank", 2, "DD", PostFault::kMailInOtherBank},
        PostRun{.name = "AnyMailIsReady", .ranks = 2, .operations = "DDD", .judge = kAnyIsReady},
        PostRun{.name = "OneBank", .ranks = 2, .operations = "DD", .bank_of = kOneBank}),
    kName);

}  // namespace
}  // namespace ep
