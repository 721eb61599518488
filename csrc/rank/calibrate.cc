#include "csrc/rank/calibrate.h"

#include <cstring>
#include <string>
#include <vector>

#include "csrc/check/inputs.h"

namespace ep {
namespace {

// All copies are of one set: a poisoned landing tells each from the one before.
constexpr uint32_t kSet = 0;

}  // namespace

Status Calibration::CanCalibrate(Region& region) {
  if (region.wire() == nullptr) return {};
  return {Code::kInvalid, "calibrate: what it measures are copies over mapped memory",
          EP_HINT_USE_IPC};
}

Status Calibration::MakeRows(Mapping* rows) const {
  const uint64_t row_bytes = landing_.RowBytes();
  EP_TRY(Mapping::Private(landing_.Rows() * row_bytes, "rows to copy", rows));
  for (uint32_t row = 0; row < landing_.Rows(); ++row) {
    reference::TokenRow(seed_, kSet, context_.rank, row, context_.shape.hidden,
                        reinterpret_cast<uint16_t*>(rows->data() + row * row_bytes));
  }
  return {};
}

Status Calibration::Ready(uint32_t distinct) const {
  if (context_.there[0] == nullptr) {
    return {Code::kState, "calibrate: the rank is not connected"};
  }
  if (distinct == 0 || distinct > landing_.Rows()) {
    return {Code::kInvalid, "calibrate: " + std::to_string(distinct) + " different rows of " +
                                std::to_string(landing_.Rows())};
  }
  return {};
}

Status Calibration::ReadyForRoundTrips() const {
  EP_TRY(Ready(landing_.Rows()));
  if (context_.rank > 1 || context_.shape.ranks < 2) {
    return {Code::kInvalid, "flag round trip: it takes ranks 0 and 1"};
  }
  return {};
}

Status Calibration::RoundTripAborted() { return {Code::kAborted, "flag round trip: told to stop"}; }

Status Calibration::RoundTripSilent() const {
  return {
      Code::kTimeout,
      "flag round trip: nothing from rank " + std::to_string(1 - context_.rank) + "; is it alive?",
      EP_HINT_WAIT_LONGER};
}

Status Calibration::Check(Direction direction, uint32_t distinct, Findings* findings) {
  EP_TRY(Ready(distinct));
  const uint8_t* rows = nullptr;
  EP_TRY(Fetch(direction, distinct, &rows));
  const uint32_t hidden = context_.shape.hidden;
  const uint32_t ranks = context_.shape.ranks;
  const uint32_t source =
      direction == Direction::kPut ? (context_.rank + ranks - 1) % ranks : context_.rank;
  std::vector<uint16_t> want(hidden);
  for (uint32_t row = 0; row < distinct; ++row) {
    reference::TokenRow(seed_, kSet, source, row, hidden, want.data());
    const auto* got = reinterpret_cast<const uint16_t*>(rows + row * landing_.RowBytes());
    ++findings->rows;
    if (std::memcmp(got, want.data(), landing_.RowBytes()) == 0) continue;
    if (findings->wrong++ > 0) continue;
    uint32_t channel = 0;
    while (got[channel] == want[channel]) ++channel;
    findings->kind = WrongKind::kCopiedRow;
    findings->source_rank = source;
    findings->token = row;
    findings->channel = channel;
    findings->got = got[channel];
    findings->want = want[channel];
  }
  return {};
}

}  // namespace ep
