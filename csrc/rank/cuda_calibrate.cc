#include "csrc/rank/cuda_calibrate.h"

#include <cuda_runtime_api.h>

#include <limits>
#include <string>
#include <utility>

#include "csrc/kernels/arguments.h"
#include "csrc/region/cuda_status.h"

namespace ep {
namespace {

// Round trips that memory is there for from the start: to allocate may wait for all kernels of the
// process, and a peer's may be waiting for this rank.
constexpr uint64_t kTrips = 4096;

}  // namespace

CudaCalibration::CudaCalibration(const CudaCalibrationConfig& config, CudaEngine* engine)
    : Calibration(config.rows, config.seed, engine->context()), engine_(*engine) {}

CudaCalibration::~CudaCalibration() {
  // Memory goes back to the GPU it came from.
  static_cast<void>(engine_.Use());
}

uint64_t CudaCalibration::PrivateBytes(const Landing& landing) {
  if (landing.Rows() == 0) return 0;
  return 2 * landing.Rows() * landing.RowBytes() + kTrips * sizeof(uint64_t);
}

Status CudaCalibration::Create(const CudaCalibrationConfig& config, CudaEngine* engine,
                               std::unique_ptr<CudaCalibration>* calibration) {
  std::unique_ptr<CudaCalibration> made(new CudaCalibration(config, engine));
  EP_TRY(engine->Use());
  EP_TRY(made->Allocate());
  EP_TRY(made->LoadKernels());
  *calibration = std::move(made);
  return {};
}

Status CudaCalibration::Allocate() {
  const uint64_t bytes = landing_.Rows() * landing_.RowBytes();
  Mapping rows;
  EP_TRY(MakeRows(&rows));
  EP_TRY(DeviceMemory::Allocate(bytes, "rows to copy", &source_));
  EP_TRY(DeviceMemory::Allocate(bytes, "rows copied", &own_));
  EP_TRY(DeviceMemory::Allocate(kTrips * sizeof(uint64_t), "round trips", &trips_ns_));
  EP_TRY(overdue_.Allocate("round trips"));
  EP_TRY(Mapping::Private(bytes, "rows to check", &fetched_));
  EP_TRY(CudaStatus(
      cudaMemcpyAsync(source_.As(), rows.data(), bytes, cudaMemcpyHostToDevice, engine_.stream()),
      "copy rows to the GPU"));
  return engine_.Finish();
}

Status CudaCalibration::LoadKernels() {
  // CUDA loads a kernel when it is first launched, and may wait for all others of the process to
  // end before: later on one of them could be waiting for this rank's.
  EP_TRY(Launch(
      {.from = source_.As(), .to = own_.As(), .bytes = 0, .distinct_bytes = landing_.RowBytes()}));
  EP_TRY(Launch(kernels::RoundTripArguments{}));
  return engine_.Finish();
}

Status CudaCalibration::Launch(const kernels::CopyArguments& arguments) {
  return engine_.kernels().Launch(arguments, engine_.stream());
}

Status CudaCalibration::Launch(const kernels::RoundTripArguments& arguments) {
  return engine_.kernels().Launch(arguments, engine_.stream());
}

Status CudaCalibration::Poison() {
  EP_TRY(engine_.Use());
  for (uint8_t* rows : {engine_.region() + landing_.Row(0), own_.As()}) {
    EP_TRY(CudaStatus(
        cudaMemsetAsync(rows, kPoison, landing_.Rows() * landing_.RowBytes(), engine_.stream()),
        "poison the landing"));
  }
  return engine_.Finish();
}

Status CudaCalibration::Copy(Direction direction, uint32_t distinct, uint64_t iterations,
                             uint64_t* duration_ns) {
  EP_TRY(Ready(distinct));
  EP_TRY(engine_.Use());
  uint8_t* next = context_.At<uint8_t>(context_.Peer(0), landing_.Row(0));
  const kernels::CopyArguments arguments = {
      .from = direction == Direction::kGet ? next : source_.As(),
      .to = direction == Direction::kPut ? next : own_.As(),
      .bytes = landing_.Rows() * landing_.RowBytes(),
      .distinct_bytes = distinct * landing_.RowBytes(),
  };
  return engine_.Time(iterations, duration_ns, [&]() -> Status {
    if (engine_.Aborted()) return {Code::kAborted, "calibrate: told to stop"};
    return Launch(arguments);
  });
}

Status CudaCalibration::Fetch(Direction direction, uint32_t distinct, const uint8_t** rows) {
  const uint8_t* from =
      direction == Direction::kPut ? engine_.region() + landing_.Row(0) : own_.As();
  EP_TRY(engine_.Use());
  EP_TRY(CudaStatus(cudaMemcpyAsync(fetched_.data(), from, distinct * landing_.RowBytes(),
                                    cudaMemcpyDeviceToHost, engine_.stream()),
                    "copy the landing from the GPU"));
  *rows = fetched_.data();
  return engine_.Finish();
}

Status CudaCalibration::RoundTrips(uint64_t count, uint64_t* duration_ns) {
  EP_TRY(ReadyForRoundTrips());
  if (count > std::numeric_limits<uint32_t>::max()) {
    return {Code::kInvalid, "flag round trip: " + std::to_string(count) + " are too many at once"};
  }
  const uint64_t bytes = count * sizeof(uint64_t);
  EP_TRY(engine_.Use());
  if (bytes > trips_ns_.bytes()) {
    EP_TRY(DeviceMemory::Allocate(bytes, "round trips", &trips_ns_));
  }
  *overdue_.get() = 0;
  EP_TRY(Launch({.mine = context_.Own<const uint64_t>(landing_.Flag()),
                 .peers = context_.At<uint64_t>(1 - context_.rank, landing_.Flag()),
                 .turn = turn_,
                 .count = static_cast<uint32_t>(count),
                 .first = context_.rank == 0,
                 .timeout_ns = context_.wait_timeout_ns,
                 .overdue = overdue_.get(),
                 .duration_ns = trips_ns_.As<uint64_t>(),
                 .aborted = engine_.aborted_flag()}));
  EP_TRY(engine_.Finish());
  turn_ += count;
  if (*overdue_.get() != 0) return engine_.Aborted() ? RoundTripAborted() : RoundTripSilent();
  EP_TRY(CudaStatus(
      cudaMemcpyAsync(duration_ns, trips_ns_.As(), bytes, cudaMemcpyDeviceToHost, engine_.stream()),
      "read the round trips"));
  return engine_.Finish();
}

}  // namespace ep
