// Which slot each row takes at each rank, and which place at each expert: computed by everyone
// from the top-k ids alone, so that nothing is negotiated and every run has the same layout.
//
// The row of token t at rank r takes the slot "tokens below t that also go to r", and at expert x
// the index "tokens below t that also select x". One worker that walks the tokens in order needs
// only two arrays of counters.
#ifndef CSRC_PROTOCOL_PLAN_H_
#define CSRC_PROTOCOL_PLAN_H_

#include "csrc/protocol/error.h"
#include "csrc/protocol/meta.h"
#include "csrc/protocol/rank.h"
#include "csrc/protocol/shape.h"
#include "csrc/protocol/std.h"

namespace ep {

// Where one token's row goes: once to each different rank, in rank order.
struct TokenPlan {
  uint32_t destination_count;
  Destination destinations[kMaxTopk];
  // By selection; kNowhere where the id is -1.
  static constexpr uint8_t kNowhere = 0xFF;
  uint8_t destination_of[kMaxTopk];
  Placement placements[kMaxTopk];
};

// Plans tokens 0, 1, 2, … of one dispatch.
class SequentialPlan {
 public:
  // `rows_to_rank` [ranks] and `selections_of_expert` [experts] are working memory; after the
  // last token they hold the totals.
  SequentialPlan(const Shape& shape, uint32_t* rows_to_rank, uint16_t* selections_of_expert)
      : shape_(shape), rows_to_rank_(rows_to_rank), selections_of_expert_(selections_of_expert) {
    for (uint32_t r = 0; r < shape.ranks; ++r) rows_to_rank[r] = 0;
    for (uint32_t x = 0; x < shape.Experts(); ++x) selections_of_expert[x] = 0;
  }

  // Plans the next token from its `topk_idx` [topk]. Returns false if an id is out of range or
  // stands there twice; the plan is of no use then.
  bool Next(const int32_t* topk_idx, TokenPlan* plan) {
    uint32_t rank_of[kMaxTopk];
    uint64_t hit = 0;  // bit r: some expert of this token lives on rank r
    for (uint32_t j = 0; j < shape_.topk; ++j) {
      if (topk_idx[j] == -1) continue;
      const uint32_t expert = static_cast<uint32_t>(topk_idx[j]);
      if (expert >= shape_.Experts()) return false;
      for (uint32_t i = 0; i < j; ++i) {
        if (topk_idx[i] == topk_idx[j]) return false;
      }
      rank_of[j] = expert / shape_.experts_per_rank;
      hit |= uint64_t{1} << rank_of[j];
    }
    plan->destination_count = 0;
    for (uint64_t left = hit; left != 0; left &= left - 1) {
      const uint32_t rank = static_cast<uint32_t>(stdlib::countr_zero(left));
      plan->destinations[plan->destination_count++] = {rank, rows_to_rank_[rank]++};
    }
    for (uint32_t j = 0; j < shape_.topk; ++j) {
      plan->destination_of[j] = TokenPlan::kNowhere;
      if (topk_idx[j] == -1) continue;
      const uint32_t expert = static_cast<uint32_t>(topk_idx[j]);
      const uint64_t lower_ranks = (uint64_t{1} << rank_of[j]) - 1;
      plan->destination_of[j] = static_cast<uint8_t>(stdlib::popcount(hit & lower_ranks));
      plan->placements[j] = {
          static_cast<uint16_t>(expert - rank_of[j] * shape_.experts_per_rank),
          selections_of_expert_[expert]++,
      };
    }
    return true;
  }

 private:
  const Shape shape_;
  uint32_t* const rows_to_rank_;
  uint16_t* const selections_of_expert_;
};

}  // namespace ep

#endif  // CSRC_PROTOCOL_PLAN_H_
