// The calibration of a GPU: a kernel that does nothing but copy, timed by events, and one that does
// nothing but flag, timed by the GPU's own clock.
#ifndef CSRC_RANK_CUDA_CALIBRATE_H_
#define CSRC_RANK_CUDA_CALIBRATE_H_

#include <cstdint>
#include <memory>

#include "csrc/base/mapping.h"
#include "csrc/base/status.h"
#include "csrc/rank/calibrate.h"
#include "csrc/rank/cuda_engine.h"
#include "csrc/rank/cuda_memory.h"
#include "csrc/rank/landing.h"

namespace ep {

struct CudaCalibrationConfig {
  // Of the engine's landing.
  uint32_t rows;
  uint64_t seed;
};

class CudaCalibration : public Calibration {
 public:
  // `engine` was made with as many landing rows, and outlives the calibration.
  static Status Create(const CudaCalibrationConfig& config, CudaEngine* engine,
                       std::unique_ptr<CudaCalibration>* calibration);
  ~CudaCalibration() override;

  // Bytes of the GPU's memory that it takes besides the landing.
  static uint64_t PrivateBytes(const Landing& landing);

  Status Poison() override;
  Status Copy(Direction direction, uint32_t distinct, uint64_t iterations,
              uint64_t* duration_ns) override;
  Status RoundTrips(uint64_t count, uint64_t* duration_ns) override;

 protected:
  Status Fetch(Direction direction, uint32_t distinct, const uint8_t** rows) override;

 private:
  CudaCalibration(const CudaCalibrationConfig& config, CudaEngine* engine);

  Status Allocate();
  // Launches each kernel without work.
  Status LoadKernels();
  Status Launch(const kernels::CopyArguments& arguments);
  Status Launch(const kernels::RoundTripArguments& arguments);

  CudaEngine& engine_;
  DeviceMemory source_;
  DeviceMemory own_;  // where kGet and kLocal lead
  DeviceMemory trips_ns_;
  PinnedHost<uint32_t> overdue_;
  Mapping fetched_;
  // Round trips so far.
  uint64_t turn_ = 0;
};

}  // namespace ep

#endif  // CSRC_RANK_CUDA_CALIBRATE_H_
