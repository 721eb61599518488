#include "csrc/check/checker.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <iterator>
#include <limits>
#include <mutex>
#include <span>
#include <utility>

#include "csrc/base/ranges.h"

namespace ep {
namespace {

void Report(Findings* findings, const Findings& wrong) {
  if (findings->wrong++ != 0) return;
  const uint64_t rows = findings->rows;
  *findings = wrong;
  findings->rows = rows;
  findings->wrong = 1;
}

// The first of `count` bytes that is not `value`, or `count`.
size_t FirstOther(const uint8_t* bytes, size_t count, uint8_t value) {
  // All are equal to the first if each is equal to the next.
  const bool all =
      count == 0 || (bytes[0] == value && std::memcmp(bytes, bytes + 1, count - 1) == 0);
  if (all) return count;
  return static_cast<size_t>(
      std::find_if(bytes, bytes + count, [value](uint8_t b) { return b != value; }) - bytes);
}

}  // namespace

class Checker::Found {
 public:
  void Count() { ++findings_.rows; }
  // A wrong row that stands at `order` among all; of what one row has wrong, the first is said
  // first.
  void Report(uint64_t order, const Findings& wrong) {
    ++findings_.wrong;
    if (order >= first_) return;
    first_ = order;
    const Findings counted = findings_;
    findings_ = wrong;
    findings_.rows = counted.rows;
    findings_.wrong = counted.wrong;
  }
  // Adds what is found of other rows.
  void Merge(const Found& other) {
    const Findings& first = other.first_ < first_ ? other.findings_ : findings_;
    const uint64_t rows = findings_.rows + other.findings_.rows;
    const uint64_t wrong = findings_.wrong + other.findings_.wrong;
    findings_ = first;
    findings_.rows = rows;
    findings_.wrong = wrong;
    first_ = std::min(first_, other.first_);
  }
  // Adds what is found to what was found before.
  void AddTo(Findings* findings) const {
    const uint64_t rows = findings->rows + findings_.rows;
    const uint64_t wrong = findings->wrong + findings_.wrong;
    if (findings->wrong == 0) *findings = findings_;
    findings->rows = rows;
    findings->wrong = wrong;
  }

 private:
  Findings findings_;
  uint64_t first_ = std::numeric_limits<uint64_t>::max();
};

Checker::Checker(reference::Routing routing, uint32_t rank, Tensors* tensors, uint32_t threads)
    : shape_(routing.shape),
      rank_(rank),
      threads_(threads),
      tensors_(tensors),
      oracle_(std::move(routing), rank),
      held_(uint64_t{kSets} * kSets * tensors->tokens()) {
  PlaceBlocks();
  PlaceGuards();
  PlaceCopies();
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
  uint64_t order = 0;
  for (const Block& block : blocks_) {
    order_of_block_.push_back(order);
    order += static_cast<uint64_t>(block.End() - block.first);
  }
}

// The rows of a block are in the order of their tokens, so the n-th token that a block receives is
// its n-th row.
void Checker::PlaceCopies() {
  std::vector<uint32_t> rows(blocks_.size());  // of each block so far
  for (uint32_t source = 0; source < shape_.ranks; ++source) {
    for (const reference::Token token : oracle_.ReceivedFrom(source)) {
      const auto begin = static_cast<uint32_t>(copies_.size());
      if (shape_.FansOut()) {
        for (const uint32_t x : oracle_.LocalExperts(token)) copies_.push_back({x, rows[x]++});
      } else {
        copies_.push_back({source, rows[source]++});
      }
      received_.push_back({token, begin, static_cast<uint32_t>(copies_.size())});
    }
  }
  for (uint32_t b = 0; b < blocks_.size(); ++b) {
    for (int64_t i = 0; i < blocks_[b].padding; ++i) {
      padding_.push_back({b, static_cast<uint32_t>(rows[b] + i)});
    }
  }
}

void Checker::Share(uint64_t count, uint64_t row_bytes, Found* all, const CheckRange& check) const {
  std::mutex mutex;
  ForRanges(threads_, count, RowsWorthAThread(row_bytes), [&](uint64_t begin, uint64_t end) {
    Found found;
    check(begin, end, &found);
    const std::lock_guard lock(mutex);
    all->Merge(found);
  });
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

void Checker::MakeExpertRow(uint32_t set, size_t block, reference::Token from, Bf16* row) const {
  if (from.rank >= shape_.ranks || from.token >= shape_.tokens) return;
  if (blocks_[block].expert < 0) return oracle_.SumHere(from, set, row);
  oracle_.ExpertOutput(from, set, static_cast<uint32_t>(blocks_[block].expert), row);
}

void Checker::ForEachTouched(Operations operations, const Touch& touch) const {
  // From the row before a block's first to the one after its last; blocks that touch are one range.
  std::vector<std::pair<int64_t, int64_t>> ranges;
  for (const Block& block : blocks_) {
    if (ranges.empty() || block.first - 1 > ranges.back().second) {
      ranges.emplace_back(block.first - 1, block.End() + 1);
    } else {
      ranges.back().second = std::max(ranges.back().second, block.End() + 1);
    }
  }
  for (const GuardedRows* output : Outputs()) {
    if (!operations.dispatch) break;
    for (const auto& [begin, end] : ranges) touch(*output, begin, end - begin);
  }
  if (operations.combine) touch(tensors_->combined, -1, int64_t{tensors_->tokens()} + 2);
}

void Checker::Poison() {
  std::vector<std::span<uint8_t>> touched;
  uint64_t bytes = 0;
  ForEachTouched({.dispatch = true, .combine = true}, [&](const GuardedRows& rows, int64_t first,
                                                          int64_t count) {
    touched.emplace_back(rows.Row(first), static_cast<size_t>(count) * rows.row_bytes());
    bytes += touched.back().size();
  });
  ForRanges(threads_, bytes, RowsWorthAThread(1), [&](uint64_t begin, uint64_t end) {
    uint64_t first = 0;  // byte of a span among those of all
    for (const std::span<uint8_t> span : touched) {
      const uint64_t from = std::clamp(begin, first, first + span.size()) - first;
      const uint64_t to = std::clamp(end, first, first + span.size()) - first;
      if (from < to) std::memset(span.data() + from, kPoison, to - from);
      first += span.size();
    }
  });
}

void Checker::CheckCounts(Findings* findings) const {
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
  Found found;
  const uint64_t token_bytes = sizeof(Bf16) * shape_.hidden;
  Share(received_.size(), token_bytes, &found, [&](uint64_t begin, uint64_t end, Found* of_range) {
    CheckTokens(set, begin, end, of_range);
  });
  Share(padding_.size(), tensors_->received.row_bytes(), &found,
        [&](uint64_t begin, uint64_t end, Found* of_range) {
          for (uint64_t i = begin; i < end; ++i) CheckPadding(padding_[i], of_range);
        });
  found.AddTo(findings);
  for (const Guard& guard : guards_) {
    for (const GuardedRows* output : Outputs()) CheckGuard(*output, guard, findings);
  }
}

void Checker::CheckTokens(uint32_t set, uint64_t begin, uint64_t end, Found* found) const {
  reference::DispatchedRow want(shape_);
  for (uint64_t i = begin; i < end; ++i) {
    oracle_.ExpectDispatched(received_[i].token, set, &want);
    for (uint32_t copy = received_[i].begin; copy < received_[i].end; ++copy) {
      CheckCopy(set, received_[i], copies_[copy], want, found);
    }
  }
}

void Checker::CheckCopy(uint32_t set, const Received& received, Copy copy,
                        const reference::DispatchedRow& want, Found* found) const {
  found->Count();
  const int64_t row = RowOf(copy);
  const uint64_t order = OrderOf(copy);
  const reference::Token from = received.token;
  Findings wrong = {
      .source_rank = from.rank, .token = from.token, .expert = blocks_[copy.block].expert};
  const Source source = *reinterpret_cast<const Source*>(tensors_->sources.Row(row));
  if (source.rank != from.rank || source.token != from.token) {
    wrong.kind = WrongKind::kDispatchSource;
    wrong.got = uint64_t{source.rank} << 32 | source.token;
    wrong.want = uint64_t{from.rank} << 32 | from.token;
    found->Report(order, wrong);
    return;
  }
  if (!shape_.FansOut()) CheckDescription(set, row, order, wrong, found);
  const uint8_t* payload = tensors_->received.Row(row);
  const auto* scales = reinterpret_cast<const float*>(tensors_->scales.Row(row));
  if (want.Equals(payload, scales)) return;
  const auto difference = oracle_.CompareDispatched(from, set, payload, scales);
  if (!difference) return;  // the definition decides
  wrong.kind = difference->part == reference::Difference::kScale ? WrongKind::kDispatchScale
                                                                 : WrongKind::kDispatchRow;
  wrong.channel = difference->channel;
  wrong.got = difference->got;
  wrong.want = difference->want;
  found->Report(order, wrong);
}

// Who takes the row, and with which weights. `wrong` says which row it is.
void Checker::CheckDescription(uint32_t set, int64_t row, uint64_t order, Findings wrong,
                               Found* found) const {
  const auto& meta = *reinterpret_cast<const RowMeta*>(tensors_->descriptions.Row(row));
  const std::vector<reference::Share> shares =
      oracle_.Shares({wrong.source_rank, wrong.token}, set);
  wrong.kind = WrongKind::kDispatchDescription;
  if (meta.token != wrong.token || meta.selections != shares.size()) {
    wrong.got = uint64_t{meta.token} << 32 | meta.selections;
    wrong.want = uint64_t{wrong.token} << 32 | shares.size();
    found->Report(order, wrong);
    return;
  }
  for (size_t i = 0; i < shares.size(); ++i) {
    wrong.got =
        uint64_t{meta.Placements()[i].expert} << 32 | std::bit_cast<uint32_t>(meta.Weights()[i]);
    wrong.want = uint64_t{shares[i].expert} << 32 | std::bit_cast<uint32_t>(shares[i].weight);
    if (wrong.got == wrong.want) continue;
    found->Report(order, wrong);
    return;
  }
}

void Checker::CheckPadding(Copy padding, Found* found) const {
  const int64_t row = RowOf(padding);
  const uint64_t order = OrderOf(padding);
  Findings wrong = {.kind = WrongKind::kPadding,
                    .source_rank = rank_,
                    .expert = blocks_[padding.block].expert,
                    .want = 0};
  for (const GuardedRows* zeroed : {&tensors_->received, &tensors_->scales}) {
    if (zeroed == &tensors_->scales && shape_.dtype != Dtype::kFp8) continue;
    const size_t other = FirstOther(zeroed->Row(row), zeroed->row_bytes(), 0);
    if (other == zeroed->row_bytes()) continue;
    wrong.channel = static_cast<uint32_t>(other);
    wrong.got = zeroed->Row(row)[other];
    return found->Report(order, wrong);
  }
  const Source source = *reinterpret_cast<const Source*>(tensors_->sources.Row(row));
  if (source.rank == kNoSource.rank && source.token == kNoSource.token) return;
  wrong.got = uint64_t{source.rank} << 32 | source.token;
  wrong.want = uint64_t{kNoSource.rank} << 32 | kNoSource.token;
  found->Report(order, wrong);
}

void Checker::CheckCombine(uint32_t set, uint32_t weight_set, Findings* findings) {
  if (!shape_.FansOut()) weight_set = set;
  Found found;
  Share(tensors_->tokens(), sizeof(Bf16) * shape_.hidden, &found,
        [&](uint64_t begin, uint64_t end, Found* of_range) {
          CheckSums(set, weight_set, begin, end, of_range);
        });
  found.AddTo(findings);
  for (const int64_t guard : {int64_t{-1}, int64_t{tensors_->tokens()}}) {
    CheckGuard(tensors_->combined, {guard, -1}, findings);
  }
}

void Checker::CheckSums(uint32_t set, uint32_t weight_set, uint64_t begin, uint64_t end,
                        Found* found) {
  const uint64_t sets = set * kSets + weight_set;
  for (auto token = static_cast<uint32_t>(begin); token < end; ++token) {
    found->Count();
    const float* weights = tensors_->Weights(weight_set, token);
    const auto* row = reinterpret_cast<const Bf16*>(tensors_->combined.Row(token));
    uint8_t& held = held_[sets * tensors_->tokens() + token];
    const auto difference = held ? oracle_.CompareCombined(token, set, weights, row)
                                 : oracle_.CompareCombinedExactly(token, set, weights, row);
    if (!difference) {
      held = 1;
      continue;
    }
    found->Report(token, {.kind = WrongKind::kCombineRow,
                          .source_rank = rank_,
                          .token = token,
                          .channel = difference->channel,
                          .got = difference->got,
                          .want = difference->want});
  }
}

void Checker::CheckGuard(const GuardedRows& rows, const Guard& guard, Findings* findings) const {
  const uint8_t* bytes = rows.Row(guard.row);
  const size_t touched = FirstOther(bytes, rows.row_bytes(), kPoison);
  if (touched == rows.row_bytes()) return;
  Report(findings, {.kind = WrongKind::kGuard,
                    .source_rank = rank_,
                    .expert = guard.expert,
                    .channel = static_cast<uint32_t>(touched),
                    .got = bytes[touched],
                    .want = kPoison});
}

}  // namespace ep
