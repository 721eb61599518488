// The calibration of a CPU: memcpy of rows between ranks, and flags by the protocol's own loads
// and stores.
#ifndef CSRC_RANK_CPU_CALIBRATE_H_
#define CSRC_RANK_CPU_CALIBRATE_H_

#include <cstdint>
#include <memory>

#include "csrc/base/mapping.h"
#include "csrc/base/status.h"
#include "csrc/rank/calibrate.h"
#include "csrc/rank/cpu_engine.h"

namespace ep {

struct CpuCalibrationConfig {
  // Of the engine's landing.
  uint32_t rows;
  uint64_t seed;
  // Two ranks that wait for each other have to share one CPU.
  bool one_cpu;
};

class CpuCalibration : public Calibration {
 public:
  // `engine` was made with as many landing rows, and outlives the calibration.
  static Status Create(const CpuCalibrationConfig& config, CpuEngine* engine,
                       std::unique_ptr<CpuCalibration>* calibration);

  Status Poison() override;
  // kPut alone: the same memcpy within a rank, or from a peer, says nothing new.
  Status Copy(Direction direction, uint32_t distinct, uint64_t iterations,
              uint64_t* duration_ns) override;
  Status RoundTrips(uint64_t count, uint64_t* duration_ns) override;

 protected:
  Status Fetch(Direction direction, uint32_t distinct, const uint8_t** rows) override;

 private:
  CpuCalibration(const CpuCalibrationConfig& config, CpuEngine* engine);

  // Waits until the other one of ranks 0 and 1 has flagged `turn`.
  Status Await(uint64_t turn);

  const bool one_cpu_;
  CpuEngine& engine_;
  Mapping source_;
  // Round trips so far.
  uint64_t turn_ = 0;
};

}  // namespace ep

#endif  // CSRC_RANK_CPU_CALIBRATE_H_
