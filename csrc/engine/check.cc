#include "csrc/engine/check.h"

#include <algorithm>
#include <cstring>
#include <optional>
#include <utility>

namespace ep {
namespace {

void Report(Findings* findings, const Findings& wrong) {
  if (findings->wrong++ != 0) return;
  const uint64_t rows = findings->rows;
  *findings = wrong;
  findings->rows = rows;
  findings->wrong = 1;
}

}  // namespace

// Where a received row lies.
struct Checker::Place {
  uint32_t expert;  // global id
  int64_t row;      // in the packed tensors
};

Checker::Checker(reference::Routing routing, uint32_t rank, Tensors* tensors)
    : shape_(routing.shape), rank_(rank), tensors_(tensors), oracle_(std::move(routing), rank) {}

void Checker::ForEachTouched(Operations operations, const Touch& touch) const {
  const int64_t stride = tensors_->ExpertStride();
  for (uint32_t x = 0; operations.dispatch && x < shape_.experts_per_rank; ++x) {
    // From the row before the first to the one after the last.
    const int64_t count = static_cast<int64_t>(oracle_.Received(x).size()) + 2;
    touch(tensors_->received, x * stride - 1, count);
    touch(tensors_->scales, x * stride - 1, count);
    touch(tensors_->sources, x * stride - 1, count);
  }
  if (operations.combine) touch(tensors_->combined, -1, int64_t{tensors_->tokens()} + 2);
}

void Checker::Poison() {
  ForEachTouched({.dispatch = true, .combine = true}, [](const GuardedRows& rows, int64_t first,
                                                         int64_t count) {
    std::memset(rows.Row(first), kPoison, static_cast<size_t>(count) * rows.row_bytes());
  });
}

void Checker::CheckDispatch(uint32_t set, Findings* findings) {
  const int64_t stride = tensors_->ExpertStride();
  for (uint32_t x = 0; x < shape_.experts_per_rank; ++x) {
    const auto& received = oracle_.Received(x);
    const uint32_t expert = rank_ * shape_.experts_per_rank + x;
    const uint64_t count = tensors_->counts()[x];
    if (count != received.size()) {
      Report(findings, {.kind = WrongKind::kDispatchCount,
                        .source_rank = rank_,
                        .expert = static_cast<int32_t>(expert),
                        .got = count,
                        .want = received.size()});
    }
    for (size_t i = 0; i < received.size(); ++i) {
      const Place place = {expert, x * stride + static_cast<int64_t>(i)};
      CheckReceivedRow(set, place, received[i], findings);
    }
    const int64_t end = x * stride + static_cast<int64_t>(received.size());
    for (const int64_t guard : {x * stride - 1, end}) {
      CheckGuard(tensors_->received, guard, static_cast<int32_t>(expert), findings);
      CheckGuard(tensors_->sources, guard, static_cast<int32_t>(expert), findings);
      CheckGuard(tensors_->scales, guard, static_cast<int32_t>(expert), findings);
    }
  }
}

void Checker::CheckReceivedRow(uint32_t set, const Place& place, reference::Token from,
                               Findings* findings) {
  ++findings->rows;
  Findings wrong = {
      .source_rank = from.rank, .token = from.token, .expert = static_cast<int32_t>(place.expert)};
  const Source source = *reinterpret_cast<const Source*>(tensors_->sources.Row(place.row));
  if (source.rank != from.rank || source.token != from.token) {
    wrong.kind = WrongKind::kDispatchSource;
    wrong.got = uint64_t{source.rank} << 32 | source.token;
    wrong.want = uint64_t{from.rank} << 32 | from.token;
    Report(findings, wrong);
    return;
  }
  const auto difference =
      oracle_.CompareDispatched(from, set, tensors_->received.Row(place.row),
                                reinterpret_cast<const float*>(tensors_->scales.Row(place.row)));
  if (!difference) return;
  wrong.kind = difference->part == reference::Difference::kScale ? WrongKind::kDispatchScale
                                                                 : WrongKind::kDispatchRow;
  wrong.channel = difference->channel;
  wrong.got = difference->got;
  wrong.want = difference->want;
  Report(findings, wrong);
}

void Checker::CheckCombine(uint32_t set, uint32_t weight_set, Findings* findings) {
  for (uint32_t token = 0; token < tensors_->tokens(); ++token) {
    ++findings->rows;
    const auto difference =
        oracle_.CompareCombined(token, set, tensors_->Weights(weight_set, token),
                                reinterpret_cast<const Bf16*>(tensors_->combined.Row(token)));
    if (!difference) continue;
    Report(findings, {.kind = WrongKind::kCombineRow,
                      .source_rank = rank_,
                      .token = token,
                      .channel = difference->channel,
                      .got = difference->got,
                      .want = difference->want});
  }
  for (const int64_t guard : {int64_t{-1}, int64_t{tensors_->tokens()}}) {
    CheckGuard(tensors_->combined, guard, -1, findings);
  }
}

void Checker::CheckGuard(const GuardedRows& rows, int64_t row, int32_t expert, Findings* findings) {
  const uint8_t* bytes = rows.Row(row);
  const uint8_t* end = bytes + rows.row_bytes();
  const uint8_t* touched = std::find_if(bytes, end, [](uint8_t b) { return b != kPoison; });
  if (touched == end) return;
  Report(findings, {.kind = WrongKind::kGuard,
                    .source_rank = rank_,
                    .expert = expert,
                    .channel = static_cast<uint32_t>(touched - bytes),
                    .got = *touched,
                    .want = kPoison});
}

}  // namespace ep
