// A machine of GPUs for tests: the lanes of all blocks of all ranks, one at a time on one thread,
// in an order that a seed decides.
//
// A lane runs until it meets others, polls or adds to a counter of several blocks; then some other
// lane goes on. Whom chance prefers, and how long stores take, differs from seed to seed: bursts of
// one block from a step to thousands, at times a rank that hardly runs.
//
// What GPUs forbid is an error here, not a hang: lanes of a block or of a crew that wait at
// different places, and lanes that wait for one that is gone.
#ifndef CSRC_SIMT_MACHINE_H_
#define CSRC_SIMT_MACHINE_H_

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <source_location>
#include <string>
#include <vector>

#include "csrc/base/mapping.h"
#include "csrc/base/status.h"
#include "csrc/simt/fiber.h"
#include "csrc/simt/random.h"
#include "csrc/simt/store_buffer.h"

namespace ep::simt {

// Where a body stands, for reports and to tell one barrier from another.
using Site = std::source_location;

inline constexpr uint32_t kCrewLanes = 32;

class Machine;

// Where lanes wait for each other: all of a block, or of a crew.
struct Meeting {
  uint32_t size = 0;
  uint32_t waiting = 0;
  const char* what = nullptr;
  Site site;
  StoreBuffer::Known known;
};

struct Block;

// One lane of a running kernel, as a device sees it.
class Lane {
 public:
  Lane(Machine* machine, uint8_t* stack, size_t bytes) : fiber_(stack, bytes), machine_(machine) {}

  uint32_t Rank() const;
  uint32_t Blocks() const;
  uint32_t BlockIndex() const;
  uint32_t Threads() const;
  uint32_t Thread() const { return thread_; }
  uint8_t* Shared() const;

  // All lanes of the block; orders their memory. Returns whether any said so.
  bool MeetBlock(const char* what, Site site, bool mine);
  // All lanes of the crew; returns what each gave. Orders their memory only where `orders`, as
  // __syncwarp does and the other instructions of a warp do not.
  const uint64_t* MeetCrew(const char* what, Site site, uint64_t mine, bool orders);
  // Others may run now; after a miss they do.
  void Yield();
  void YieldAfterMiss();

  void Store(void* to, const void* from, size_t bytes);
  // As one, and visible before long without a release, in any order; no release waits for it.
  void StoreStrong(void* to, const void* from, size_t bytes);
  // All that is ordered before becomes visible.
  void Release();
  // Return what was there.
  uint32_t AddAcquireRelease(uint32_t* word, uint32_t more);
  uint32_t AddRelaxed(uint32_t* word, uint32_t more);
  // What who added to it had done goes to its first reader, who alone needs it.
  uint32_t LoadAcquire(const uint32_t* word);

  uint64_t Steps() const;
  // What it does, for reports.
  std::string Standing() const;

 private:
  friend class Machine;
  static void Run(void* self);

  Fiber fiber_;
  Machine* const machine_;
  Block* block_ = nullptr;
  uint32_t thread_ = 0;
  const Meeting* waits_ = nullptr;
  bool gone_ = false;
  StoreBuffer::Known known_;
};

// A kernel: `body` by all lanes of all blocks, `before` and `after` by the host.
struct Grid {
  uint32_t rank;
  uint32_t blocks;
  uint32_t crews;  // of a block
  uint32_t shared_bytes;
  std::function<void(Lane&)> body;
  std::function<void()> before = [] {};
  std::function<void()> after = [] {};
};

class Machine {
 public:
  // Room for so many lanes at a time.
  explicit Machine(uint32_t lanes);
  ~Machine();

  // Grids of one rank run one after another, in this order.
  void Enqueue(Grid grid);
  // A rank that dies: none of its lanes goes on from that step.
  struct Death {
    uint32_t rank;
    uint64_t step;
  };
  // Runs all that is queued. An error leaves nothing queued and gives up all lanes.
  Status Run(uint64_t seed, std::optional<Death> death = std::nullopt);

  uint64_t Steps() const { return steps_; }

 private:
  friend class Lane;
  // Of a run, drawn from its seed.
  struct Temper {
    uint32_t burst;            // steps of one block in a row, at most
    uint32_t slow_rank;        // or none
    uint32_t steps_per_store;  // until a store becomes visible by itself; 0: never
    uint32_t stores_per_step;
    uint32_t steps_per_strong_store;  // until one becomes visible by itself
  };
  struct Running;

  Temper DrawTemper();
  void Start(uint32_t rank, Grid grid);
  void Finish(Running* running);
  Lane* Pick();
  Block* PickBlock();
  void SetReady(Lane* lane);
  // Leaves the lane that runs for another, or for Run where there is none.
  void Switch(Lane* from);
  void Arrive(Lane* lane, Meeting* meeting, const char* what, Site site);
  // Lets the lanes of a meeting that is complete go on; where it orders memory, each knows the
  // stores of all.
  void Dismiss(Meeting* meeting, Lane* const* lanes, bool orders);
  void Exit(Lane* lane);
  bool IsDead(uint32_t rank) const {
    return death_ && death_->rank == rank && steps_ >= death_->step;
  }
  void Bury(uint32_t rank);
  // Ends the run with failure_, from within a lane that never comes back: it must hold nothing that
  // a destructor would have to free.
  void GiveUp(Lane* lane);
  // A lane comes to where it must not be; `what` is null if it returns.
  void Diverge(Lane* lane, const char* what, Site site);

  Status stacks_status_;
  Mapping stacks_;
  std::deque<Lane> lanes_;
  std::vector<Lane*> free_;
  std::map<uint32_t, std::deque<Grid>> queues_;  // by rank
  std::map<uint32_t, std::unique_ptr<Running>> running_;
  std::vector<Block*> ready_;  // blocks with lanes that can go on
  Block* favourite_ = nullptr;
  uint32_t burst_left_ = 0;
  Running* finished_ = nullptr;
  StoreBuffer stores_;
  StoreBuffer strong_stores_;  // which become visible by themselves, always
  std::map<const uint32_t*, StoreBuffer::Known> tickets_;
  Random random_{0};
  Temper temper_ = {};
  std::optional<Death> death_;
  uint64_t steps_ = 0;
  std::string failure_;
  Fiber::Context home_ = nullptr;
};

}  // namespace ep::simt

#endif  // CSRC_SIMT_MACHINE_H_
