// One rank of a run, whatever it computes on: what callers do with it, and what all devices share.
//
// An engine keeps its tensors in host memory (csrc/rank/tensors.h), which are what the check
// looks at. A device that works elsewhere overrides Fetch and Put, which bring them there and back.
#ifndef CSRC_RANK_ENGINE_H_
#define CSRC_RANK_ENGINE_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "csrc/base/status.h"
#include "csrc/check/checker.h"
#include "csrc/check/contents.h"
#include "csrc/check/oracle.h"
#include "csrc/protocol/epoch.h"
#include "csrc/protocol/layout.h"
#include "csrc/protocol/rank.h"
#include "csrc/protocol/words.h"
#include "csrc/rank/choices.h"
#include "csrc/rank/tensors.h"
#include "csrc/region/region.h"

namespace ep {

struct TrafficCounts {
  uint64_t selections;
  uint64_t rank_rows;
  uint64_t remote_rows;
  std::vector<uint64_t> rows_to_rank;
  std::vector<uint64_t> selections_of_expert;
};

// What every engine is made from.
struct RankConfig {
  uint32_t rank;
  uint64_t wait_timeout_ns;
  // All ranks'; its shape has no Problem. With all weights where rows do not fan out.
  reference::Routing routing;
  // [kSets, shape.tokens, topk], this rank's.
  const float* weights;
  ep_choices choices = {};
  // That make, poison and check rows on the host while nothing is timed; 1 or more.
  uint32_t host_threads = 1;
};

class Engine {
 public:
  virtual ~Engine() = default;

  // What peers need for Connect.
  std::vector<uint8_t> Blob() const;
  // Makes the peers reachable, one blob a rank in rank order.
  Status Connect(const std::vector<std::span<const uint8_t>>& blobs);
  // Lets go of them, when nothing runs on any rank; Reopen and Connect may follow. Epochs go on.
  Status Disconnect();
  // Makes what Disconnect gave up of what Blob tells of.
  Status Reopen() { return region_->Reopen(); }
  // How each rank is reached, once connected.
  const std::vector<Reach>& reached() const { return reached_; }
  uint8_t* region() const { return region_->data(); }
  // What takes messages to peers that are not mapped; none where there is none.
  std::optional<Network> network() const { return region_->network(); }
  // What has gone over it by now.
  virtual Sent sent() const { return {}; }
  // CPUs that the thread of its proxy may run on, as 0-47,96-143; empty where it has none.
  virtual std::string proxy_cpus() const { return ""; }

  // Makes the experts' outputs at the rows where the last dispatch put their inputs. The routing
  // never changes, so once is enough.
  Status MakeExpertRows();

  // Runs `iterations` back to back; stores what each took where `duration_ns` is not null.
  virtual Status Run(Operations operations, uint64_t iterations, uint64_t* duration_ns) = 0;
  // The same of dispatches without rows: nothing but flags. They leave outputs, handle and input
  // sets as they are.
  virtual Status RunFlags(uint64_t iterations, uint64_t* duration_ns) = 0;
  // Runs and times `iterations`, each after an untimed flags-only epoch: all ranks begin at once,
  // as far as a flag can tell them.
  Status RunFresh(Operations operations, uint64_t iterations, uint64_t* duration_ns);
  // Runs `dropped` iterations and, without a pause, `iterations` more; stores how long the latter
  // took together.
  virtual Status RunChained(Operations operations, uint64_t dropped, uint64_t iterations,
                            uint64_t* duration_ns) = 0;
  // Captures `captured` iterations once and replays them; stores what each replay took.
  virtual Status RunGraph(Operations operations, uint64_t captured, uint64_t replays,
                          uint64_t* duration_ns);
  // As Run, by the clock of the kernels themselves.
  virtual Status RunKernels(Operations operations, uint64_t iterations, uint64_t* duration_ns);

  // Runs a meter on the multiprocessors that operations leave, `windows` times: while `iterations`
  // run beside it, or of no operations for a while alone. Stores how long a block took for what it
  // does at a time (csrc/protocol/words.h).
  virtual Status RunMeter(ep_pass_meter meter, Operations operations, uint64_t iterations,
                          uint64_t windows, uint64_t* duration_ns);
  // As Run, while the meter runs.
  virtual Status RunBeside(ep_pass_meter meter, Operations operations, uint64_t iterations,
                           uint64_t* duration_ns);

  // Stores the multiprocessor that each thread block of the last dispatch, or of the last combine,
  // or of neither but of the last meter ran on, in the blocks' order: none on CPUs, and of what has
  // not run. kSystem: two blocks of an operation shared one; `sms` says which all the same.
  virtual Status SmsOfBlocks(Operations operation, std::vector<uint32_t>* sms);

  // Overwrites what the next operations must write, and the guards around it.
  virtual Status Poison() = 0;
  // Checks what the last operation of each kind left behind.
  Status Check(Operations operations, Findings* findings);
  Status CountTraffic(TrafficCounts* counts);
  // What the last dispatch and the last combine left behind. Needs both.
  Status LastContents(std::optional<Contents>* contents);
  virtual Status FlushCaches() = 0;

  // How far the rank has come.
  virtual Status Epochs(EpochState* epochs) = 0;
  // Ends every wait, now and later. Any thread may call it.
  virtual void Abort() = 0;

  const Tensors& tensors() const { return tensors_; }
  // For calibrations and benchmarks, which lay other work over the same memory.
  const RankContext& context() const { return context_; }

 protected:
  // Of a rank whose shape is cut into chunks, over a region made from MakeRegionConfig.
  Engine(const RankConfig& rank, std::unique_ptr<Region> region);

  // Allocates the tensors of `workers` workers and makes the rows to send.
  Status Prepare(RankConfig config, uint32_t workers);

  // The peers are reached, and context_ says how.
  virtual Status Connected() { return {}; }
  // Brings what the last operations left behind to tensors_.
  virtual Status Fetch(Operations) { return {}; }
  // Of what the last dispatch left behind, brings its counts and the handle; of its rows, with
  // `sources`, where they come from.
  virtual Status FetchCounts(bool /*sources*/) { return {}; }
  // Copies a header into a region that is mapped, or out of one. `what` is for the error.
  virtual Status CopyHeader(const RegionHeader* from, RegionHeader* to,
                            const std::string& what) const = 0;
  // Brings tensors_.expert_rows to where combines read them.
  virtual Status PutExpertRows() { return {}; }

  // Whether operations can run.
  Status Ready(bool wants_expert_rows) const;
  // The sets that the next operations use.
  uint32_t NextDispatchSet() { return dispatches_++ % kSets; }
  uint32_t NextCombineSet() { return combines_++ % kSets; }

  RankContext context_;
  std::unique_ptr<Region> region_;
  Tensors tensors_;
  std::unique_ptr<Checker> checker_;
  bool connected_ = false;

 private:
  RegionHeader Header() const { return {kRegionMagic, context_.layout.Hash(), context_.rank, 0}; }
  // Whether `header` is that of `peer`'s region, and of the same layout as ours.
  Status CheckHeader(const RegionHeader& header, uint32_t peer) const;
  // Makes a row to send, quantised as well where rows are quantised before.
  void MakeTokenRow(uint64_t seed, uint32_t set, uint32_t token);
  // Makes a row of a block in all sets.
  void MakeExpertRow(size_t block, uint64_t row);
  uint32_t LastDispatchSet() const { return (dispatches_ + kSets - 1) % kSets; }
  uint32_t LastCombineSet() const { return (combines_ + kSets - 1) % kSets; }

  std::vector<Reach> reached_;
  uint32_t host_threads_ = 1;
  bool has_expert_rows_ = false;
  // Operations begun; the n-th uses set n % kSets.
  uint64_t dispatches_ = 0;
  uint64_t combines_ = 0;
};

}  // namespace ep

#endif  // CSRC_RANK_ENGINE_H_
