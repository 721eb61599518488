// A model of the protocol, block by block and step by step, and a search over all its
// interleavings.
//
// It takes its decisions from the shipped Next, BankOf and Judge. A rank is some blocks that are
// joined at each operation's end. Memory is sequentially consistent here; that the real one is
// ordered well enough is the business of csrc/simt and the sanitizers. A row holds the number of
// the operation that wrote it last, so reading another operation's is a fault.
#ifndef CSRC_PROTOCOL_INTERLEAVINGS_MODEL_TEST_UTIL_H_
#define CSRC_PROTOCOL_INTERLEAVINGS_MODEL_TEST_UTIL_H_

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <tuple>
#include <unordered_set>
#include <utility>
#include <vector>

#include "csrc/protocol/epoch.h"
#include "csrc/protocol/flag.h"

namespace ep {

// The decisions that the model takes from outside.
struct Rules {
  Epoch (*next)(Epoch) = Next;
  uint32_t (*bank_of)(Epoch) = BankOf;
  Verdict (*judge)(uint64_t, Epoch) = Judge;
};

enum class Fault {
  kNone,
  kPlacesBeforeCounts,  // rows are laid out before all have counted
  kAnotherChunksWord,   // … when the next chunk is there
  kRowsAwaitNothing,    // … at once
  kSumsAwaitNothing,    // and homes sum at once
  kChunksByOwnTokens,   // a rank has as many words as chunks with tokens
  kSilentEmptyChunks,   // chunks without rows are not announced
  kSilentEmptyPairs,    // who sends nothing says nothing, and nobody awaits it
  kCombineSeesNobody,   // a rank leaves a combine though it has seen nothing of a peer
  kBlocksAreNotJoined,  // a block begins the next operation while another is in this one
  kReadsLate,           // results are read in place, an operation later
};

struct Run {
  const char* name;
  uint32_t ranks;
  const char* operations;  // D and C
  uint32_t blocks = 1;     // of a rank; block b has chunks b, b + blocks, …
  uint32_t chunks = 1;     // of a pair
  Fault fault = Fault::kNone;
  Rules rules = {};
  // (source, destination) pairs without rows.
  std::set<std::pair<uint32_t, uint32_t>> empty_pairs = {};
  // By rank and operation: chunks that have tokens. All have, if empty.
  std::vector<std::vector<uint32_t>> used = {};
  // Where the epochs begin.
  Epoch before = 0;
  // A dispatch finds the places before it pushes.
  bool places_first = false;
  // Blocks of a rank that can run at a time.
  uint32_t resident = 8;

  uint32_t Used(uint32_t rank, uint32_t operation) const {
    return used.empty() ? chunks : used[rank][operation];
  }
  // Chunks of tokens of `source` that have rows for `destination`, and of slots in which they lie.
  uint32_t Filled(uint32_t source, uint32_t destination, uint32_t operation) const {
    return empty_pairs.contains({source, destination}) ? 0 : Used(source, operation);
  }
};

enum class Cell { kCounts, kCountsWord, kRows, kChunkWord, kPartials, kSumWord };

// One step of one block. What is written or read lies at `owner`, in the entry of `peer`.
struct Step {
  enum Kind { kWrite, kAwait, kRead, kLeave } kind;
  Cell cell = {};
  uint32_t owner = 0;
  uint32_t bank = 0;
  uint32_t peer = 0;
  uint32_t chunk = 0;
  uint8_t content = 0;  // the operation's number, from 1
};

// What one block does in one operation.
class Program {
 public:
  Program(const Run& run, uint32_t rank, uint32_t block, uint32_t operation, Epoch epoch)
      : run_(run),
        me_(rank),
        block_(block),
        operation_(operation),
        bank_(run.rules.bank_of(epoch)) {
    if (run.operations[operation] == 'D') {
      Dispatch();
    } else {
      Combine();
    }
  }
  // With what is read late of the operation before.
  std::vector<Step> Finish(const std::vector<Step>& late) {
    steps_.insert(steps_.end(), late.begin(), late.end());
    if (run_.fault != Fault::kReadsLate) steps_.insert(steps_.end(), reads_.begin(), reads_.end());
    // Block 0 asks the host for all, and waits until no other waits.
    if (block_ == 0 && run_.fault != Fault::kBlocksAreNotJoined) steps_.push_back({Step::kLeave});
    return steps_;
  }
  const std::vector<Step>& reads() const { return reads_; }

 private:
  void Dispatch() {
    const uint32_t words =
        Fault::kChunksByOwnTokens == run_.fault ? run_.Used(me_, operation_) : run_.chunks;
    if (block_ == 0) {
      for (const uint32_t to : Peers()) {
        if (IsSilent(me_, to)) continue;
        Add(Step::kWrite, Cell::kCounts, to, me_);
        Add(Step::kWrite, Cell::kCountsWord, to, me_);
      }
    }
    if (run_.places_first) Place();
    for (uint32_t chunk = block_; chunk < words; chunk += run_.blocks) {
      for (const uint32_t to : Peers()) {
        const bool rows = chunk < run_.Filled(me_, to, operation_);
        if (rows) Add(Step::kWrite, Cell::kRows, to, me_, chunk);
        if (!rows && (run_.fault == Fault::kSilentEmptyChunks || IsSilent(me_, to))) continue;
        Add(Step::kWrite, Cell::kChunkWord, to, me_, chunk);
      }
    }
    if (!run_.places_first) Place();
    for (uint32_t chunk = block_; chunk < run_.chunks; chunk += run_.blocks) {
      for (const uint32_t from : Peers()) {
        if (IsSilent(from, me_)) continue;
        // Who counts chunks by tokens knows whose there are from the counts.
        if (run_.fault == Fault::kChunksByOwnTokens && chunk >= run_.Used(from, operation_)) {
          continue;
        }
        const bool other = run_.fault == Fault::kAnotherChunksWord;
        if (run_.fault != Fault::kRowsAwaitNothing) {
          Add(Step::kAwait, Cell::kChunkWord, me_, from, other ? (chunk + 1) % run_.chunks : chunk);
        }
        if (chunk < run_.Filled(from, me_, operation_)) Read(Cell::kRows, from, chunk);
      }
    }
  }

  void Place() {
    for (const uint32_t from : Peers()) {
      if (run_.fault == Fault::kPlacesBeforeCounts || IsSilent(from, me_)) continue;
      Add(Step::kAwait, Cell::kCountsWord, me_, from);
    }
    for (const uint32_t from : Peers()) {
      if (!IsSilent(from, me_)) Add(Step::kRead, Cell::kCounts, me_, from);
    }
  }

  // A chunk of tokens has its slots in the chunk of that number or in the one before, as some
  // tokens before may have had none.
  void Combine() {
    for (uint32_t chunk = block_; chunk < run_.chunks; chunk += run_.blocks) {
      for (const uint32_t home : Peers()) {
        const bool rows = chunk < run_.Filled(home, me_, operation_);
        if (rows) Add(Step::kWrite, Cell::kPartials, home, me_, chunk);
        if (!rows && (run_.fault == Fault::kSilentEmptyChunks || IsSilent(home, me_))) continue;
        Add(Step::kWrite, Cell::kSumWord, home, me_, chunk);
      }
    }
    for (uint32_t chunk = block_; chunk < run_.chunks; chunk += run_.blocks) {
      for (const uint32_t from : Peers()) {
        const uint32_t filled = run_.Filled(me_, from, operation_);
        for (uint32_t slots = chunk == 0 ? 0 : chunk - 1; slots <= chunk; ++slots) {
          const bool needs = slots < filled;
          const bool sees = needs || (chunk == 0 && run_.fault != Fault::kCombineSeesNobody &&
                                      !IsSilent(me_, from));
          if (sees && run_.fault != Fault::kSumsAwaitNothing) {
            Add(Step::kAwait, Cell::kSumWord, me_, from, slots);
          }
          if (needs) Read(Cell::kPartials, from, slots);
        }
      }
    }
  }

  std::vector<uint32_t> Peers() const {
    std::vector<uint32_t> peers;
    for (uint32_t i = 1; i < run_.ranks; ++i) peers.push_back((me_ + i) % run_.ranks);
    return peers;
  }
  bool IsSilent(uint32_t source, uint32_t destination) const {
    return run_.fault == Fault::kSilentEmptyPairs &&
           run_.Filled(source, destination, operation_) == 0;
  }
  uint8_t Content() const { return static_cast<uint8_t>(operation_ + 1); }
  void Add(Step::Kind kind, Cell cell, uint32_t owner, uint32_t peer, uint32_t chunk = 0) {
    steps_.push_back({kind, cell, owner, bank_, peer, chunk, Content()});
  }
  // Of rows and partials, as soon as they are there.
  void Read(Cell cell, uint32_t peer, uint32_t chunk) {
    const Step read = {Step::kRead, cell, me_, bank_, peer, chunk, Content()};
    if (run_.fault == Fault::kReadsLate) {
      reads_.push_back(read);
    } else {
      steps_.push_back(read);
    }
  }

  const Run& run_;
  const uint32_t me_;
  const uint32_t block_;
  const uint32_t operation_;
  const uint32_t bank_;
  std::vector<Step> steps_;
  std::vector<Step> reads_;
};

// All states that a run can come to, each as bytes: by block, its operation and its next step, and
// the operation that wrote each cell last.
class Search {
 public:
  explicit Search(const Run& run) : run_(run) {
    const std::string operations = run.operations;
    programs_.resize(run.ranks * run.blocks);
    for (uint32_t block = 0; block < programs_.size(); ++block) {
      Epoch epochs[] = {run.before, run.before};
      std::vector<Step> late;
      for (uint32_t i = 0; i < operations.size(); ++i) {
        Epoch& epoch = epochs[operations[i] == 'C'];
        epoch = run.rules.next(epoch);
        if (block == 0) epochs_.push_back(epoch);
        Program program(run, block / run.blocks, block % run.blocks, i, epoch);
        programs_[block].push_back(program.Finish(late));
        late.clear();
        if (run.fault == Fault::kReadsLate) late = program.reads();
      }
    }
  }

  // "ok", or the first fault.
  std::string Explore() {
    const size_t blocks = programs_.size();
    for (const auto& program : programs_) {
      for (const auto& steps : program) {
        for (const Step& step : steps) CellOf(step);
      }
    }
    std::string start(2 * blocks + cells_.size(), '\0');
    for (uint32_t rank = 0; rank < run_.ranks; ++rank) GoOn(start, rank);
    std::unordered_set<std::string> seen = {start};
    std::vector<std::string> open = {start};
    while (!open.empty()) {
      const std::string state = std::move(open.back());
      open.pop_back();
      bool moved = false;
      bool finished = true;
      for (uint32_t block = 0; block < blocks; ++block) {
        if (!Runs(state, block)) continue;
        finished = false;
        std::string next = state;
        const char* fault = nullptr;
        if (!Take(next, block, &fault)) continue;
        if (fault != nullptr) return fault;
        moved = true;
        GoOn(next, block / run_.blocks);
        if (seen.insert(next).second) open.push_back(std::move(next));
      }
      if (!moved && !finished) return "deadlock";
    }
    return "ok";
  }

 private:
  uint8_t Operation(const std::string& state, uint32_t block) const { return state[2 * block]; }
  const std::vector<Step>& Steps(const std::string& state, uint32_t block) const {
    return programs_[block][Operation(state, block)];
  }
  bool IsThrough(const std::string& state, uint32_t block) const {
    return Operation(state, block) == epochs_.size() ||
           uint8_t(state[2 * block + 1]) == Steps(state, block).size();
  }
  // Whether a block has something to do and a place to do it: the first ones that are not through.
  bool Runs(const std::string& state, uint32_t block) const {
    if (IsThrough(state, block)) return false;
    uint32_t before = 0;
    for (uint32_t b = block / run_.blocks * run_.blocks; b < block; ++b) {
      before += !IsThrough(state, b);
    }
    return before < run_.resident;
  }

  // Takes a block's next step, if it can be.
  bool Take(std::string& state, uint32_t block, const char** fault) {
    const uint8_t operation = Operation(state, block);
    const Step& step = Steps(state, block)[uint8_t(state[2 * block + 1])];
    if (step.kind == Step::kLeave) {
      const uint32_t first = block / run_.blocks * run_.blocks;
      for (uint32_t b = first + 1; b < first + run_.blocks; ++b) {
        if (Operation(state, b) == operation && !IsThrough(state, b)) return false;
      }
    } else {
      char& cell = state[2 * programs_.size() + CellOf(step)];
      const uint8_t have = cell;  // 0: nothing yet
      if (step.kind == Step::kWrite) cell = static_cast<char>(step.content);
      if (step.kind == Step::kRead && have != step.content) *fault = "stale or early";
      if (step.kind == Step::kAwait) {
        const uint64_t flag = have == 0 ? 0 : MakeFlag(epochs_[have - 1], 1);
        const Verdict verdict = run_.rules.judge(flag, epochs_[operation]);
        if (verdict == Verdict::kNotYet) return false;
        if (verdict == Verdict::kViolation) *fault = "violation";
      }
    }
    ++state[2 * block + 1];
    return true;
  }

  // Blocks that are through begin the next operation, as soon as all of their rank can.
  void GoOn(std::string& state, uint32_t rank) const {
    const uint32_t first = rank * run_.blocks;
    for (;;) {
      bool all = true;
      for (uint32_t b = first; b < first + run_.blocks; ++b) all &= IsThrough(state, b);
      if (!all && run_.fault != Fault::kBlocksAreNotJoined) return;
      bool moved = false;
      for (uint32_t b = first; b < first + run_.blocks; ++b) {
        if (!IsThrough(state, b) || Operation(state, b) == epochs_.size()) continue;
        ++state[2 * b];
        state[2 * b + 1] = 0;
        moved = true;
      }
      if (!moved) return;
    }
  }

  size_t CellOf(const Step& step) {
    const auto key = std::tuple(step.cell, step.owner, step.bank, step.peer, step.chunk);
    return cells_.try_emplace(key, cells_.size()).first->second;
  }

  const Run& run_;
  std::vector<std::vector<std::vector<Step>>> programs_;  // by block and operation
  std::vector<Epoch> epochs_;                             // of operations
  std::map<std::tuple<Cell, uint32_t, uint32_t, uint32_t, uint32_t>, size_t> cells_;
};

}  // namespace ep

#endif  // CSRC_PROTOCOL_INTERLEAVINGS_MODEL_TEST_UTIL_H_
