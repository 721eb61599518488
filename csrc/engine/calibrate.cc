#include "csrc/engine/calibrate.h"

#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "csrc/host/clock.h"
#include "csrc/reference/inputs.h"

namespace ep {
namespace {

constexpr int kPattern = 0xA5;
// All copies are of one set: a poisoned landing tells each from the one before.
constexpr uint32_t kSet = 0;

}  // namespace

Calibration::Calibration(const CalibrationConfig& config, CpuEngine* engine)
    : config_(config), engine_(*engine), landing_(engine->context().shape, config.rows) {}

Status Calibration::Create(const CalibrationConfig& config, CpuEngine* engine,
                           std::unique_ptr<Calibration>* calibration) {
  std::unique_ptr<Calibration> made(new Calibration(config, engine));
  const uint64_t row_bytes = made->landing_.RowBytes();
  Status status = Mapping::Private(config.rows * row_bytes, "rows to copy", &made->source_);
  if (!status.ok()) return status;
  const RankContext& context = engine->context();
  for (uint32_t row = 0; row < config.rows; ++row) {
    reference::TokenRow(config.seed, kSet, context.rank, row, context.shape.hidden,
                        reinterpret_cast<uint16_t*>(made->source_.data() + row * row_bytes));
  }
  *calibration = std::move(made);
  return {};
}

void Calibration::Poison() {
  std::memset(engine_.region() + landing_.Row(0), kPattern, config_.rows * landing_.RowBytes());
}

Status Calibration::Ready(uint32_t distinct) const {
  if (engine_.context().regions[0] == nullptr) {
    return {Code::kState, "calibrate: the rank is not connected"};
  }
  if (distinct == 0 || distinct > config_.rows) {
    return {Code::kInvalid, "calibrate: " + std::to_string(distinct) + " different rows of " +
                                std::to_string(config_.rows)};
  }
  return {};
}

Status Calibration::Copy(uint32_t distinct, uint64_t iterations, uint64_t* duration_ns) {
  Status status = Ready(distinct);
  if (!status.ok()) return status;
  const RankContext& context = engine_.context();
  const uint64_t row_bytes = landing_.RowBytes();
  uint8_t* to = context.In<uint8_t>(context.Peer(0), landing_.Row(0));
  for (uint64_t i = 0; i < iterations; ++i) {
    if (engine_.device().Aborted()) return {Code::kAborted, "calibrate: told to stop"};
    const uint64_t begin_ns = MonotonicNs();
    uint32_t row = 0;
    for (uint32_t copied = 0; copied < config_.rows; ++copied) {
      std::memcpy(to + row * row_bytes, source_.data() + row * row_bytes, row_bytes);
      if (++row == distinct) row = 0;
    }
    duration_ns[i] = MonotonicNs() - begin_ns;
  }
  return {};
}

Status Calibration::Check(uint32_t distinct, Findings* findings) const {
  Status status = Ready(distinct);
  if (!status.ok()) return status;
  const RankContext& context = engine_.context();
  const uint32_t hidden = context.shape.hidden;
  const uint32_t previous = (context.rank + context.shape.ranks - 1) % context.shape.ranks;
  std::vector<uint16_t> want(hidden);
  for (uint32_t row = 0; row < distinct; ++row) {
    reference::TokenRow(config_.seed, kSet, previous, row, hidden, want.data());
    const auto* got = context.In<const uint16_t>(context.rank, landing_.Row(row));
    ++findings->rows;
    if (std::memcmp(got, want.data(), landing_.RowBytes()) == 0) continue;
    if (findings->wrong++ > 0) continue;
    uint32_t channel = 0;
    while (got[channel] == want[channel]) ++channel;
    findings->kind = WrongKind::kCopiedRow;
    findings->source_rank = previous;
    findings->token = row;
    findings->channel = channel;
    findings->got = got[channel];
    findings->want = want[channel];
  }
  return {};
}

Status Calibration::Await(uint32_t peer, uint64_t turn) {
  // A clock read costs more than a poll.
  constexpr uint32_t kPollsPerClockRead = 16;
  const RankContext& context = engine_.context();
  HostDevice& device = engine_.device();
  const auto* flag = context.In<const uint64_t>(context.rank, landing_.Flag());
  uint64_t since_ns = 0;
  for (uint32_t misses = 0; device.LoadAcquire(flag) != turn; ++misses) {
    if (device.Aborted()) return {Code::kAborted, "flag round trip: told to stop"};
    if (misses % kPollsPerClockRead == kPollsPerClockRead - 1) {
      const uint64_t now_ns = MonotonicNs();
      if (since_ns == 0) since_ns = now_ns;
      if (now_ns - since_ns > context.wait_timeout_ns) {
        return {Code::kTimeout, "flag round trip: nothing from rank " + std::to_string(peer) +
                                    "; is it alive? --wait-timeout allows more"};
      }
    }
    Relax(misses, config_.one_cpu);
  }
  return {};
}

Status Calibration::RoundTrips(uint64_t count, uint64_t* duration_ns) {
  Status status = Ready(config_.rows);
  if (!status.ok()) return status;
  const RankContext& context = engine_.context();
  if (context.rank > 1 || context.shape.ranks < 2) {
    return {Code::kInvalid, "flag round trip: it takes ranks 0 and 1"};
  }
  const uint32_t peer = 1 - context.rank;
  uint64_t* flag = context.In<uint64_t>(peer, landing_.Flag());
  uint64_t begin_ns = MonotonicNs();
  for (uint64_t i = 0; i < count; ++i) {
    ++turn_;
    if (context.rank == 0) engine_.device().StoreRelease(flag, turn_);
    status = Await(peer, turn_);
    if (!status.ok()) return status;
    if (context.rank == 1) engine_.device().StoreRelease(flag, turn_);
    const uint64_t end_ns = MonotonicNs();
    duration_ns[i] = end_ns - begin_ns;
    begin_ns = end_ns;
  }
  return {};
}

}  // namespace ep
