#include "csrc/engine/check.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <iterator>
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

Checker::Checker(reference::Routing routing, uint32_t rank, Tensors* tensors)
    : shape_(routing.shape), rank_(rank), tensors_(tensors), oracle_(std::move(routing), rank) {
  PlaceBlocks();
  PlaceGuards();
}

void Checker::PlaceBlocks() {
  int64_t end = 0;  // of the blocks so far
  for (uint32_t x = 0; shape_.FansOut() && x < shape_.experts_per_rank; ++x) {
    const auto& rows = oracle_.Received(x);
    const bool contig = shape_.layout == OutputLayout::kContig;
    const int64_t beyond = static_cast<int64_t>(rows.size() % kContigRows);
    blocks_.push_back({.first = contig ? end : int64_t{x} * tensors_->ExpertStride(),
                       .rows = rows,
                       .padding = contig && beyond > 0 ? kContigRows - beyond : 0,
                       .expert = static_cast<int32_t>(rank_ * shape_.experts_per_rank + x)});
    end = blocks_.back().End();
  }
  for (uint32_t source = 0; !shape_.FansOut() && source < shape_.ranks; ++source) {
    const bool flat = shape_.layout == OutputLayout::kFlat;
    blocks_.push_back({.first = flat ? end : int64_t{source} * shape_.tokens,
                       .rows = oracle_.ReceivedFrom(source),
                       .padding = 0,
                       .expert = -1});
    end = blocks_.back().End();
  }
}

uint64_t Checker::PaddingRows() const {
  int64_t rows = 0;
  for (const Block& block : blocks_) rows += block.padding;
  return static_cast<uint64_t>(rows);
}

// The rows before each block and behind it, but for those that another block has.
void Checker::PlaceGuards() {
  const auto written = [this](int64_t row) {
    // Of blocks with the same first row all but the last are empty.
    const auto after = std::ranges::upper_bound(blocks_, row, {}, &Block::first);
    return after != blocks_.begin() && row < std::prev(after)->End();
  };
  for (const Block& block : blocks_) {
    for (const int64_t row : {block.first - 1, block.End()}) {
      if (!written(row)) guards_.push_back({row, block.expert});
    }
  }
  std::ranges::stable_sort(guards_, {}, &Guard::row);
  const auto same = std::ranges::unique(guards_, {}, &Guard::row);
  guards_.erase(same.begin(), same.end());
}

std::vector<const GuardedRows*> Checker::Outputs() const {
  std::vector<const GuardedRows*> outputs = {&tensors_->received, &tensors_->scales,
                                             &tensors_->sources};
  if (!shape_.FansOut()) outputs.push_back(&tensors_->descriptions);
  return outputs;
}

void Checker::MakeExpertRow(uint32_t set, size_t block, reference::Token from, Bf16* row) {
  if (from.rank >= shape_.ranks || from.token >= shape_.tokens) return;
  if (blocks_[block].expert < 0) return oracle_.SumHere(from, set, row);
  oracle_.ExpertOutput(from, set, static_cast<uint32_t>(blocks_[block].expert), row);
}

void Checker::ForEachTouched(Operations operations, const Touch& touch) const {
  for (const GuardedRows* output : Outputs()) {
    for (const Block& block : blocks_) {
      // From the row before the first to the one after the last.
      if (operations.dispatch) touch(*output, block.first - 1, block.End() - block.first + 2);
    }
  }
  if (operations.combine) touch(tensors_->combined, -1, int64_t{tensors_->tokens()} + 2);
}

void Checker::Poison() {
  ForEachTouched({.dispatch = true, .combine = true}, [](const GuardedRows& rows, int64_t first,
                                                         int64_t count) {
    std::memset(rows.Row(first), kPoison, static_cast<size_t>(count) * rows.row_bytes());
  });
}

void Checker::CheckCounts(Findings* findings) {
  const auto expect = [&](WrongKind kind, uint32_t source, int32_t expert, uint64_t got,
                          uint64_t want) {
    if (got == want) return;
    Report(findings,
           {.kind = kind, .source_rank = source, .expert = expert, .got = got, .want = want});
  };
  for (uint32_t x = 0; x < shape_.experts_per_rank; ++x) {
    expect(WrongKind::kDispatchCount, rank_,
           static_cast<int32_t>(rank_ * shape_.experts_per_rank + x), tensors_->counts()[x],
           oracle_.Received(x).size());
  }
  for (uint32_t source = 0; !shape_.FansOut() && source < shape_.ranks; ++source) {
    expect(WrongKind::kDispatchCount, source, -1, tensors_->rows_from()[source],
           oracle_.ReceivedFrom(source).size());
  }
  for (size_t b = 0; b < blocks_.size(); ++b) {
    expect(WrongKind::kDispatchBegin, shape_.FansOut() ? rank_ : static_cast<uint32_t>(b),
           blocks_[b].expert, tensors_->begin()[b], static_cast<uint64_t>(blocks_[b].first));
  }
}

void Checker::CheckDispatch(uint32_t set, Findings* findings) {
  CheckCounts(findings);
  for (const Block& block : blocks_) {
    for (size_t i = 0; i < block.rows.size(); ++i) CheckReceivedRow(set, block, i, findings);
    for (int64_t row = block.PaddingBegin(); row < block.End(); ++row) {
      CheckPadding(block, row, findings);
    }
  }
  for (const Guard& guard : guards_) {
    for (const GuardedRows* output : Outputs()) CheckGuard(*output, guard, findings);
  }
}

void Checker::CheckReceivedRow(uint32_t set, const Block& block, size_t index, Findings* findings) {
  ++findings->rows;
  const int64_t row = block.first + static_cast<int64_t>(index);
  const reference::Token from = block.rows[index];
  Findings wrong = {.source_rank = from.rank, .token = from.token, .expert = block.expert};
  const Source source = *reinterpret_cast<const Source*>(tensors_->sources.Row(row));
  if (source.rank != from.rank || source.token != from.token) {
    wrong.kind = WrongKind::kDispatchSource;
    wrong.got = uint64_t{source.rank} << 32 | source.token;
    wrong.want = uint64_t{from.rank} << 32 | from.token;
    Report(findings, wrong);
    return;
  }
  if (!shape_.FansOut()) CheckDescription(set, row, wrong, findings);
  const auto difference =
      oracle_.CompareDispatched(from, set, tensors_->received.Row(row),
                                reinterpret_cast<const float*>(tensors_->scales.Row(row)));
  if (!difference) return;
  wrong.kind = difference->part == reference::Difference::kScale ? WrongKind::kDispatchScale
                                                                 : WrongKind::kDispatchRow;
  wrong.channel = difference->channel;
  wrong.got = difference->got;
  wrong.want = difference->want;
  Report(findings, wrong);
}

// Who takes the row, and with which weights. `wrong` says which row it is.
void Checker::CheckDescription(uint32_t set, int64_t row, Findings wrong, Findings* findings) {
  const auto& meta = *reinterpret_cast<const RowMeta*>(tensors_->descriptions.Row(row));
  const std::vector<reference::Share> shares =
      oracle_.Shares({wrong.source_rank, wrong.token}, set);
  wrong.kind = WrongKind::kDispatchDescription;
  if (meta.token != wrong.token || meta.selections != shares.size()) {
    wrong.got = uint64_t{meta.token} << 32 | meta.selections;
    wrong.want = uint64_t{wrong.token} << 32 | shares.size();
    Report(findings, wrong);
    return;
  }
  for (size_t i = 0; i < shares.size(); ++i) {
    wrong.got =
        uint64_t{meta.Placements()[i].expert} << 32 | std::bit_cast<uint32_t>(meta.Weights()[i]);
    wrong.want = uint64_t{shares[i].expert} << 32 | std::bit_cast<uint32_t>(shares[i].weight);
    if (wrong.got == wrong.want) continue;
    Report(findings, wrong);
    return;
  }
}

void Checker::CheckPadding(const Block& block, int64_t row, Findings* findings) {
  Findings wrong = {
      .kind = WrongKind::kPadding, .source_rank = rank_, .expert = block.expert, .want = 0};
  for (const GuardedRows* zeroed : {&tensors_->received, &tensors_->scales}) {
    if (zeroed == &tensors_->scales && shape_.dtype != Dtype::kFp8) continue;
    const uint8_t* bytes = zeroed->Row(row);
    const uint8_t* end = bytes + zeroed->row_bytes();
    const uint8_t* other = std::find_if(bytes, end, [](uint8_t b) { return b != 0; });
    if (other == end) continue;
    wrong.channel = static_cast<uint32_t>(other - bytes);
    wrong.got = *other;
    return Report(findings, wrong);
  }
  const Source source = *reinterpret_cast<const Source*>(tensors_->sources.Row(row));
  if (source.rank == kNoSource.rank && source.token == kNoSource.token) return;
  wrong.got = uint64_t{source.rank} << 32 | source.token;
  wrong.want = uint64_t{kNoSource.rank} << 32 | kNoSource.token;
  Report(findings, wrong);
}

void Checker::CheckCombine(uint32_t set, uint32_t weight_set, Findings* findings) {
  if (!shape_.FansOut()) weight_set = set;
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
    CheckGuard(tensors_->combined, {guard, -1}, findings);
  }
}

void Checker::CheckGuard(const GuardedRows& rows, const Guard& guard, Findings* findings) {
  const uint8_t* bytes = rows.Row(guard.row);
  const uint8_t* end = bytes + rows.row_bytes();
  const uint8_t* touched = std::find_if(bytes, end, [](uint8_t b) { return b != kPoison; });
  if (touched == end) return;
  Report(findings, {.kind = WrongKind::kGuard,
                    .source_rank = rank_,
                    .expert = guard.expert,
                    .channel = static_cast<uint32_t>(touched - bytes),
                    .got = *touched,
                    .want = kPoison});
}

}  // namespace ep
