#include "csrc/simt/machine.h"

#include <algorithm>
#include <cstring>
#include <string>
#include <utility>

#include "csrc/simt/block.h"

namespace ep::simt {
namespace {

#if defined(__SANITIZE_ADDRESS__)
constexpr size_t kStackBytes = 256 << 10;
#else
constexpr size_t kStackBytes = 32 << 10;
#endif
// A run that goes on for so long does not end: all waits have deadlines far below.
constexpr uint64_t kMostSteps = 100'000'000;
// Of a slow rank: in so many draws it gets one.
constexpr uint32_t kSlow = 32;
constexpr uint32_t kNoRank = 0xFFFFFFFF;

}  // namespace

struct Machine::Running {
  Grid grid;
  std::vector<std::unique_ptr<Block>> blocks;
  uint32_t blocks_gone = 0;
};

Machine::Machine(uint32_t lanes) {
  stacks_status_ = Mapping::Private(lanes * kStackBytes, "stacks of lanes", &stacks_);
  if (!stacks_status_.ok()) return;
  for (uint32_t i = 0; i < lanes; ++i) {
    // Stacks do not all begin in the same lines of a cache.
    const size_t shift = i % 16 * 256;
    lanes_.emplace_back(this, stacks_.data() + i * kStackBytes, kStackBytes - shift);
  }
}

Machine::~Machine() = default;

void Machine::Enqueue(Grid grid) { queues_[grid.rank].push_back(std::move(grid)); }

Machine::Temper Machine::DrawTemper() {
  constexpr uint32_t kBursts[] = {1, 8, 64, 512, 4096};
  constexpr uint32_t kStepsPerStore[] = {0, 16, 1, 1};
  constexpr uint32_t kStoresPerStep[] = {0, 1, 1, 16};
  constexpr uint32_t kStepsPerStrongStore[] = {8, 4, 2, 1};
  const uint32_t stores = random_.Below(4);
  const auto ranks = static_cast<uint32_t>(queues_.size());
  return {.burst = kBursts[random_.Below(5)],
          .slow_rank = random_.Below(2) == 0 ? random_.Below(ranks) : kNoRank,
          .steps_per_store = kStepsPerStore[stores],
          .stores_per_step = kStoresPerStep[stores],
          .steps_per_strong_store = kStepsPerStrongStore[stores]};
}

Status Machine::Run(uint64_t seed, std::optional<Death> death) {
  if (!stacks_status_.ok()) return stacks_status_;
  random_ = Random(seed);
  temper_ = DrawTemper();
  death_ = death;
  steps_ = 0;
  stores_.Clear();
  strong_stores_.Clear();
  tickets_.clear();
  ready_.clear();
  running_.clear();
  favourite_ = nullptr;
  burst_left_ = 0;
  failure_.clear();
  free_.clear();
  for (Lane& lane : lanes_) free_.push_back(&lane);
  while (failure_.empty()) {
    for (auto& [rank, queue] : queues_) {
      if (queue.empty() || running_[rank] != nullptr || IsDead(rank)) continue;
      Grid grid = std::move(queue.front());
      queue.pop_front();
      Start(rank, std::move(grid));
    }
    finished_ = nullptr;
    Lane* next = Pick();
    if (next == nullptr) break;
    next->fiber_.Switch(&home_);
    if (finished_ != nullptr) Finish(finished_);
  }
  queues_.clear();
  for (const auto& [rank, running] : running_) {
    if (running == nullptr || IsDead(rank) || !failure_.empty()) continue;
    failure_ = "rank " + std::to_string(rank) +
               ": no lane can go on; its block 0: " + Standing(*running->blocks[0]);
  }
  return failure_.empty() ? Status() : Status(Code::kState, failure_);
}

void Machine::Start(uint32_t rank, Grid grid) {
  grid.before();
  auto running = std::make_unique<Running>();
  for (uint32_t index = 0; index < grid.blocks; ++index) {
    auto block = std::make_unique<Block>();
    block->rank = rank;
    block->index = index;
    block->blocks = grid.blocks;
    // What a kernel finds in its fast memory is anything.
    block->shared.assign(grid.shared_bytes, static_cast<uint8_t>(random_.Next()));
    block->barrier.size = grid.crews * kCrewLanes;
    block->crews.resize(grid.crews);
    for (Crew& crew : block->crews) crew.meeting.size = kCrewLanes;
    for (uint32_t thread = 0; thread < block->barrier.size; ++thread) {
      Lane* lane = free_.back();
      free_.pop_back();
      lane->block_ = block.get();
      lane->thread_ = thread;
      lane->waits_ = nullptr;
      lane->gone_ = false;
      lane->known_.clear();
      lane->fiber_.Begin(&Lane::Run, lane);
      block->lanes.push_back(lane);
      SetReady(lane);
    }
    running->blocks.push_back(std::move(block));
  }
  running->grid = std::move(grid);
  running_[rank] = std::move(running);
}

void Machine::Finish(Running* running) {
  const uint32_t rank = running->grid.rank;
  stores_.ReleaseRank(rank);
  strong_stores_.ReleaseRank(rank);
  for (const auto& block : running->blocks) {
    for (Lane* lane : block->lanes) free_.push_back(lane);
    if (favourite_ == block.get()) burst_left_ = 0;
  }
  running->grid.after();
  running_[rank] = nullptr;
}

void Machine::SetReady(Lane* lane) {
  Block* block = lane->block_;
  if (block->ready.empty()) {
    block->place = ready_.size();
    ready_.push_back(block);
  }
  block->ready.push_back(lane);
}

Block* Machine::PickBlock() {
  if (burst_left_ > 0 && !favourite_->ready.empty()) {
    --burst_left_;
    return favourite_;
  }
  Block* block = ready_[random_.Below(static_cast<uint32_t>(ready_.size()))];
  if (block->rank == temper_.slow_rank && random_.Below(kSlow) != 0) {
    block = ready_[random_.Below(static_cast<uint32_t>(ready_.size()))];
  }
  favourite_ = block;
  burst_left_ = random_.Below(temper_.burst);
  return block;
}

Lane* Machine::Pick() {
  if (ready_.empty()) return nullptr;
  Block* block = PickBlock();
  const uint32_t drawn = random_.Below(static_cast<uint32_t>(block->ready.size()));
  Lane* lane = block->ready[drawn];
  block->ready[drawn] = block->ready.back();
  block->ready.pop_back();
  if (block->ready.empty()) {
    ready_[block->place] = ready_.back();
    ready_[block->place]->place = block->place;
    ready_.pop_back();
  }
  return lane;
}

void Machine::Switch(Lane* from) {
  if (++steps_ > kMostSteps) {
    failure_ = "no end after " + std::to_string(steps_) + " steps";
    return GiveUp(from);
  }
  if (death_ && steps_ == death_->step) Bury(death_->rank);
  if (temper_.steps_per_store != 0 && steps_ % temper_.steps_per_store == 0) {
    for (uint32_t i = 0; i < temper_.stores_per_step && stores_.Waiting() > 0; ++i) {
      stores_.ReleaseAny(&random_);
    }
  }
  if (steps_ % temper_.steps_per_strong_store == 0 && strong_stores_.Waiting() > 0) {
    strong_stores_.ReleaseAny(&random_);
  }
  Lane* next = Pick();
  if (next == from) return;
  if (next != nullptr) return next->fiber_.Switch(&from->fiber_.context);
  Fiber::Switch(&from->fiber_.context, home_);
}

void Machine::Bury(uint32_t rank) {
  std::erase_if(ready_, [rank](const Block* block) { return block->rank == rank; });
  for (size_t i = 0; i < ready_.size(); ++i) ready_[i]->place = i;
  burst_left_ = 0;
}

void Machine::Arrive(Lane* lane, Meeting* meeting, const char* what, Site site) {
  if (meeting->waiting == 0) {
    meeting->what = what;
    meeting->site = site;
  } else if (meeting->site.line() != site.line() || meeting->site.column() != site.column() ||
             std::strcmp(meeting->site.file_name(), site.file_name()) != 0) {
    Diverge(lane, what, site);
  }
  ++meeting->waiting;
  lane->waits_ = meeting;
}

void Machine::Dismiss(Meeting* meeting, Lane* const* lanes, bool orders) {
  for (uint32_t i = 0; i < meeting->size; ++i) {
    Lane* lane = lanes[i];
    if (orders && !lane->known_.empty()) {
      stores_.Tell(lane->known_, &meeting->known);
      lane->known_.clear();
    }
    lane->waits_ = nullptr;
    SetReady(lane);
  }
  meeting->waiting = 0;
}

void Lane::Run(void* self) {
  Lane* lane = static_cast<Lane*>(self);
  lane->machine_->running_[lane->block_->rank]->grid.body(*lane);
  lane->machine_->Exit(lane);
}

void Machine::Exit(Lane* lane) {
  Block* block = lane->block_;
  Crew& crew = block->crews[lane->thread_ / kCrewLanes];
  if (block->barrier.waiting > 0 || crew.meeting.waiting > 0) Diverge(lane, nullptr, Site());
  lane->gone_ = true;
  ++crew.gone;
  if (++block->gone < block->lanes.size()) return Switch(lane);
  Running* running = running_[block->rank].get();
  if (++running->blocks_gone == running->grid.blocks) {
    finished_ = running;
    return Fiber::Switch(&lane->fiber_.context, home_);
  }
  Switch(lane);
}

void Machine::Diverge(Lane* lane, const char* what, Site site) {
  const Block& block = *lane->block_;
  failure_ = "rank " + std::to_string(block.rank) + " block " + std::to_string(block.index) +
             ": lane " + std::to_string(lane->thread_) + " " +
             (what == nullptr ? "returns" : std::string("comes to ") + what + " at " + Text(site)) +
             "; " + Standing(block);
  GiveUp(lane);
}

void Machine::GiveUp(Lane* lane) { Fiber::Switch(&lane->fiber_.context, home_); }

std::string Text(const Site& site) {
  const char* slash = std::strrchr(site.file_name(), '/');
  return std::string(slash == nullptr ? site.file_name() : slash + 1) + ":" +
         std::to_string(site.line());
}

std::string Lane::Standing() const {
  if (gone_) return "returned";
  if (waits_ == nullptr) return "on their way";
  return std::string("in ") + waits_->what + " at " + Text(waits_->site);
}

std::string Standing(const Block& block) {
  std::map<std::string, std::string> lanes;  // by what they do
  for (size_t begin = 0, end; begin < block.lanes.size(); begin = end) {
    const std::string standing = block.lanes[begin]->Standing();
    for (end = begin + 1; end < block.lanes.size(); ++end) {
      if (block.lanes[end]->Standing() != standing) break;
    }
    lanes[standing] += " " + std::to_string(begin);
    if (end > begin + 1) lanes[standing] += "-" + std::to_string(end - 1);
  }
  std::string text;
  for (const auto& [standing, which] : lanes) {
    if (!text.empty()) text += "; ";
    text += standing + ": lanes" + which;
  }
  return text;
}

}  // namespace ep::simt
