#include "csrc/rank/cpu_calibrate.h"

#include <cstring>
#include <utility>

#include "csrc/base/clock.h"

namespace ep {
namespace {

Status OnlyPuts(Direction direction) {
  if (direction == Direction::kPut) return {};
  return {Code::kState, "calibrate: a CPU's copies go to the next rank alone"};
}

}  // namespace

CpuCalibration::CpuCalibration(const CpuCalibrationConfig& config, CpuEngine* engine)
    : Calibration(config.rows, config.seed, engine->context()),
      one_cpu_(config.one_cpu),
      engine_(*engine) {}

Status CpuCalibration::Create(const CpuCalibrationConfig& config, CpuEngine* engine,
                              std::unique_ptr<CpuCalibration>* calibration) {
  std::unique_ptr<CpuCalibration> made(new CpuCalibration(config, engine));
  EP_TRY(made->MakeRows(&made->source_));
  *calibration = std::move(made);
  return {};
}

Status CpuCalibration::Poison() {
  std::memset(engine_.region() + landing_.Row(0), kPoison, landing_.Rows() * landing_.RowBytes());
  return {};
}

Status CpuCalibration::Copy(Direction direction, uint32_t distinct, uint64_t iterations,
                            uint64_t* duration_ns) {
  EP_TRY(Ready(distinct));
  EP_TRY(OnlyPuts(direction));
  const uint64_t row_bytes = landing_.RowBytes();
  uint8_t* to = context_.At<uint8_t>(context_.Peer(0), landing_.Row(0));
  for (uint64_t i = 0; i < iterations; ++i) {
    if (engine_.device().Aborted()) return {Code::kAborted, "calibrate: told to stop"};
    const uint64_t begin_ns = MonotonicNs();
    uint32_t row = 0;
    for (uint32_t copied = 0; copied < landing_.Rows(); ++copied) {
      std::memcpy(to + row * row_bytes, source_.data() + row * row_bytes, row_bytes);
      if (++row == distinct) row = 0;
    }
    duration_ns[i] = MonotonicNs() - begin_ns;
  }
  return {};
}

Status CpuCalibration::Fetch(Direction direction, uint32_t /*distinct*/, const uint8_t** rows) {
  *rows = engine_.region() + landing_.Row(0);
  return OnlyPuts(direction);
}

Status CpuCalibration::Await(uint64_t turn) {
  // A clock read costs more than a poll.
  constexpr uint32_t kPollsPerClockRead = 16;
  HostDevice& device = engine_.device();
  const auto* flag = context_.Own<const uint64_t>(landing_.Flag());
  uint64_t since_ns = 0;
  for (uint32_t misses = 0; device.LoadAcquire(flag) != turn; ++misses) {
    if (device.Aborted()) return RoundTripAborted();
    if (misses % kPollsPerClockRead == kPollsPerClockRead - 1) {
      const uint64_t now_ns = MonotonicNs();
      if (since_ns == 0) since_ns = now_ns;
      if (now_ns - since_ns > context_.wait_timeout_ns) return RoundTripSilent();
    }
    Relax(misses, one_cpu_);
  }
  return {};
}

Status CpuCalibration::RoundTrips(uint64_t count, uint64_t* duration_ns) {
  EP_TRY(ReadyForRoundTrips());
  uint64_t* flag = context_.At<uint64_t>(1 - context_.rank, landing_.Flag());
  uint64_t begin_ns = MonotonicNs();
  for (uint64_t i = 0; i < count; ++i) {
    ++turn_;
    if (context_.rank == 0) engine_.device().StoreRelease(flag, turn_);
    EP_TRY(Await(turn_));
    if (context_.rank == 1) engine_.device().StoreRelease(flag, turn_);
    const uint64_t end_ns = MonotonicNs();
    duration_ns[i] = end_ns - begin_ns;
    begin_ns = end_ns;
  }
  return {};
}

}  // namespace ep
