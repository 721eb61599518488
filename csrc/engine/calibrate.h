// What this machine can do at best: the copies and flags that the protocol is made of, between the
// same processes and over the same shared memory, and nothing else.
//
// Every rank copies from memory of its own to the landing of the next rank (csrc/engine/landing.h).
// A copied row is read once and written once, and counts once.
#ifndef CSRC_ENGINE_CALIBRATE_H_
#define CSRC_ENGINE_CALIBRATE_H_

#include <cstdint>
#include <memory>

#include "csrc/base/mapping.h"
#include "csrc/base/status.h"
#include "csrc/engine/check.h"
#include "csrc/engine/cpu.h"
#include "csrc/engine/landing.h"

namespace ep {

struct CalibrationConfig {
  // Of the engine's landing.
  uint32_t rows;
  uint64_t seed;
  // Two ranks that wait for each other have to share one CPU.
  bool one_cpu;
};

class Calibration {
 public:
  // `engine` was made with as many landing rows, and outlives the calibration.
  static Status Create(const CalibrationConfig& config, CpuEngine* engine,
                       std::unique_ptr<Calibration>* calibration);

  // Overwrites this rank's landing with a pattern that no row has.
  void Poison();

  // Copies as many rows as the landing has, but only the first `distinct` of them, in turn;
  // `iterations` times. Stores what each took.
  Status Copy(uint32_t distinct, uint64_t iterations, uint64_t* duration_ns);

  // Compares the first `distinct` rows of this rank's landing with what the previous rank had to
  // copy there.
  Status Check(uint32_t distinct, Findings* findings) const;

  // Ranks 0 and 1 both call it, and nobody else: rank 0 flags rank 1 and waits for its answer,
  // `count` times. Stores what each took from one answer to the next.
  Status RoundTrips(uint64_t count, uint64_t* duration_ns);

 private:
  Calibration(const CalibrationConfig& config, CpuEngine* engine);

  Status Ready(uint32_t distinct) const;
  // Waits until `peer` has flagged `turn`.
  Status Await(uint32_t peer, uint64_t turn);

  const CalibrationConfig config_;
  CpuEngine& engine_;
  const Landing landing_;
  Mapping source_;
  // Round trips so far.
  uint64_t turn_ = 0;
};

}  // namespace ep

#endif  // CSRC_ENGINE_CALIBRATE_H_
