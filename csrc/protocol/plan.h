// Which slot each row takes at each rank, and which place at each expert: computed by everyone
// from the top-k ids alone, so that nothing is negotiated and every run has the same layout.
//
// The row of token t at rank r takes the slot "tokens below t that also go to r", and at expert x
// the index "tokens below t that also select x". This file has the plan of one lane that walks the
// tokens in order with two arrays of counters; csrc/protocol/bitmap_plan.h is that of many lanes.
// csrc/protocol/policies.h has what bodies ask of a plan.
#ifndef CSRC_PROTOCOL_PLAN_H_
#define CSRC_PROTOCOL_PLAN_H_

#include "csrc/protocol/error.h"
#include "csrc/protocol/flag.h"
#include "csrc/protocol/meta.h"
#include "csrc/protocol/rank.h"
#include "csrc/protocol/shape.h"
#include "csrc/protocol/std.h"

namespace ep {

inline constexpr uint32_t kNoToken = 0xFFFFFFFF;

// Where one token's row goes: once to each different rank, in rank order.
struct TokenPlan {
  uint32_t destination_count;
  Destination destinations[kMaxTopk];
  // By selection; kNowhere where the id is -1.
  static constexpr uint8_t kNowhere = 0xFF;
  uint8_t destination_of[kMaxTopk];
  // How many earlier selections have the same destination.
  uint8_t before[kMaxTopk];
  Placement placements[kMaxTopk];
  // Of a destination.
  uint8_t selections[kMaxTopk];
};

// Ranks, each once, in rising order.
class RankSet {
 public:
  void Add(uint32_t rank) { words_[rank / 64] |= uint64_t{1} << rank % 64; }
  uint32_t CountBelow(uint32_t rank) const {
    uint32_t count = stdlib::popcount(words_[rank / 64] & ((uint64_t{1} << rank % 64) - 1));
    for (uint32_t w = 0; w < rank / 64; ++w) count += stdlib::popcount(words_[w]);
    return count;
  }
  template <class Do>
  void ForEach(Do act) const {
    for (uint32_t w = 0; w < kMaxRanks / 64; ++w) {
      for (uint64_t left = words_[w]; left != 0; left &= left - 1) {
        act(w * 64 + static_cast<uint32_t>(stdlib::countr_zero(left)));
      }
    }
  }

 private:
  uint64_t words_[kMaxRanks / 64] = {};
};

// Plans tokens 0, 1, 2, … of one dispatch, on a device with one lane.
class SequentialPlan {
 public:
  // `rows_to_rank` [ranks] and `selections_of_expert` [experts] are working memory.
  SequentialPlan(const Shape& shape, uint32_t* rows_to_rank, uint16_t* selections_of_expert)
      : shape_(shape), rows_to_rank_(rows_to_rank), selections_of_expert_(selections_of_expert) {}

  uint32_t WindowTokens() const { return kMaxTokens + 1; }
  bool CountsAreOut() const { return false; }

  template <class Device>
  void Load(Device&, const int32_t* topk_idx, uint32_t tokens, uint32_t, uint32_t) {
    static_assert(Device::kLanes == 1, "one lane walks the tokens");
    topk_idx_ = topk_idx;
    tokens_ = tokens;
    Rewind();
  }

  template <class Device>
  void CountAll(Device&) {
    while (next_ < tokens_ && Next()) {
    }
  }

  void Begin(uint32_t token) {
    if (next_ > token) Rewind();
    while (next_ < token && Next()) {
    }
    for (uint32_t r = 0; r < shape_.ranks; ++r) begin_[r] = rows_to_rank_[r];
  }

  template <class Device>
  const TokenPlan* Find(Device&, uint32_t token, bool) {
    while (next_ <= token) {
      if (!Next()) return nullptr;
    }
    return &plan_;
  }

  SlotRange Slots(uint32_t rank, uint32_t, uint32_t) const {
    return {begin_[rank], rows_to_rank_[rank]};
  }
  uint32_t RowsToRank(uint32_t rank) const { return rows_to_rank_[rank]; }
  uint32_t SelectionsOfExpert(uint32_t expert) const { return selections_of_expert_[expert]; }
  uint32_t BadToken() const { return bad_token_; }

 private:
  void Rewind() {
    for (uint32_t r = 0; r < shape_.ranks; ++r) rows_to_rank_[r] = 0;
    for (uint32_t x = 0; x < shape_.Experts(); ++x) selections_of_expert_[x] = 0;
    next_ = 0;
  }

  // Plans the next token. Returns false if an id is out of range or stands there twice; the plan
  // is of no use then.
  bool Next() {
    const int32_t* ids = topk_idx_ + uint64_t{next_} * shape_.topk;
    uint32_t rank_of[kMaxTopk];
    RankSet hit;  // ranks on which some expert of this token lives
    bad_token_ = next_;
    for (uint32_t j = 0; j < shape_.topk; ++j) {
      if (ids[j] == -1) continue;
      const uint32_t expert = static_cast<uint32_t>(ids[j]);
      if (expert >= shape_.Experts()) return false;
      for (uint32_t i = 0; i < j; ++i) {
        if (ids[i] == ids[j]) return false;
      }
      rank_of[j] = expert / shape_.experts_per_rank;
      hit.Add(rank_of[j]);
    }
    bad_token_ = kNoToken;
    ++next_;
    plan_.destination_count = 0;
    hit.ForEach([this](uint32_t rank) {
      plan_.selections[plan_.destination_count] = 0;
      plan_.destinations[plan_.destination_count++] = {rank, rows_to_rank_[rank]++};
    });
    for (uint32_t j = 0; j < shape_.topk; ++j) {
      plan_.destination_of[j] = TokenPlan::kNowhere;
      if (ids[j] == -1) continue;
      const uint32_t expert = static_cast<uint32_t>(ids[j]);
      const uint32_t destination = hit.CountBelow(rank_of[j]);
      plan_.destination_of[j] = static_cast<uint8_t>(destination);
      plan_.before[j] = plan_.selections[destination]++;
      plan_.placements[j] = {
          static_cast<uint16_t>(expert - rank_of[j] * shape_.experts_per_rank),
          selections_of_expert_[expert]++,
      };
    }
    return true;
  }

  const Shape shape_;
  uint32_t* const rows_to_rank_;
  uint16_t* const selections_of_expert_;
  const int32_t* topk_idx_ = nullptr;
  uint32_t tokens_ = 0;
  uint32_t next_ = 0;
  uint32_t bad_token_ = kNoToken;
  uint32_t begin_[kMaxRanks];  // slots before the chunk
  TokenPlan plan_ = {};
};

}  // namespace ep

#endif  // CSRC_PROTOCOL_PLAN_H_
