// Ways to time, as rows of a table: what each makes an engine do.
#ifndef CSRC_RANK_PASSES_H_
#define CSRC_RANK_PASSES_H_

#include <cstdint>

#include "csrc/base/status.h"
#include "csrc/protocol/epoch.h"
#include "csrc/rank/calibrate.h"
#include "csrc/rank/engine.h"

namespace ep {

// csrc/abi/ep.h says what each kind is; fields that a kind does not have are 0.
struct Pass {
  ep_pass_kind kind;
  Operations operations;
  uint64_t count;
  uint64_t dropped;
  uint64_t captured;
  uint32_t distinct_rows;
  Direction direction;
  ep_pass_meter meter;
};

// What a pass runs on. `calibration` is null on a rank that was made without landing rows.
struct PassRunner {
  Engine& engine;
  Calibration* calibration;

  // Runs a pass. Stores the epoch that its first operation has, 0 where it has none, and its
  // durations where `duration_ns` is not null.
  Status Run(const Pass& pass, uint64_t* duration_ns, Epoch* first_epoch);
  // Overwrites all that a pass is to write.
  Status Poison(const Pass& pass);
  // Compares what a pass left behind.
  Status Check(const Pass& pass, Findings* findings);
};

}  // namespace ep

#endif  // CSRC_RANK_PASSES_H_
