// What every row must be after a dispatch and a combine, from routing and seed alone.
//
// The oracle shares no code with the protocol but the shape: it knows nothing of layouts, banks,
// slots or flags, so an error there cannot cancel itself out here.
#ifndef CSRC_REFERENCE_ORACLE_H_
#define CSRC_REFERENCE_ORACLE_H_

#include <cstdint>
#include <optional>
#include <vector>

#include "csrc/protocol/shape.h"
#include "csrc/reference/inputs.h"

namespace ep::reference {

// All ranks' choices. `topk_idx` is [ranks, shape.tokens, topk], -1 selects nothing; rows from
// tokens_of_rank[r] on do not exist.
struct Routing {
  Shape shape;
  uint64_t seed;
  std::vector<uint32_t> tokens_of_rank;
  std::vector<int32_t> topk_idx;
  // [ranks, kSets, shape.tokens, topk]. Only where rows do not fan out: their experts' kernel
  // weighs what it makes of others' tokens.
  std::vector<float> weights = {};

  const int32_t* Selected(uint32_t rank, uint32_t token) const {
    return topk_idx.data() + (uint64_t{rank} * shape.tokens + token) * shape.topk;
  }
  const float* Weights(uint32_t rank, uint32_t set, uint32_t token) const {
    const uint64_t row = (uint64_t{rank} * kSets + set) * shape.tokens + token;
    return weights.data() + row * shape.topk;
  }
};

// A token by the rank that holds it.
struct Token {
  uint32_t rank;
  uint32_t token;
};

// One expert's part in a token.
struct Share {
  uint32_t expert;  // local
  float weight;
};

// Where a row first differs. Raw bits.
struct Difference {
  enum Part { kScale, kChannel } part;
  uint32_t channel;
  uint64_t got;
  uint64_t want;
};

// One rank's expectations. Not for use by several threads at once: it keeps working rows.
class Oracle {
 public:
  Oracle(Routing routing, uint32_t rank);

  // The rows that local expert `expert` receives, in order: by source rank, then by token.
  const std::vector<Token>& Received(uint32_t expert) const { return received_[expert]; }
  // The tokens of `source` that go to experts of this rank, once each, in order.
  const std::vector<Token>& ReceivedFrom(uint32_t source) const { return received_from_[source]; }
  // Rows received by all experts of this rank.
  uint64_t ReceivedRows() const { return received_rows_; }

  // What one expert makes of a token.
  void ExpertOutput(Token from, uint32_t set, uint32_t expert, uint16_t* row) const {
    ExpertRow(routing_.seed, set, from.rank, from.token, expert, routing_.shape.hidden, row);
  }
  // What this rank's experts take of a token of `from`, in the token's own order. Needs all
  // weights.
  std::vector<Share> Shares(Token from, uint32_t set) const;
  // What they make of it together: this rank's part of the specified sum. Needs all weights.
  void SumHere(Token from, uint32_t set, uint16_t* row);

  // Compares a dispatched row with the one that `from` sent of input set `set`. `scales` is used
  // for FP8 only.
  std::optional<Difference> CompareDispatched(Token from, uint32_t set, const uint8_t* row,
                                              const float* scales);

  // Compares a combined row of this rank's `token` with the specified sum over its experts'
  // outputs of set `set`, bit for bit, and with the exact sum in float64. `weights` is [topk].
  std::optional<Difference> CompareCombined(uint32_t token, uint32_t set, const float* weights,
                                            const uint16_t* row);

 private:
  std::optional<Difference> CompareFp8(const uint8_t* row, const float* scales) const;
  void SumSpecified(uint32_t token, uint32_t set, const float* weights);
  // Each leaves its sum in sum_ and adds to exact_ and magnitude_; the result is how many roundings
  // to BF16 it takes before the last one.
  uint32_t SumByRank(Token of, uint32_t set, const float* weights);
  uint32_t SumByExpert(Token of, uint32_t set, const float* weights);
  // Adds, to `sum`, what the experts of `rank` make of a token.
  void AddExperts(uint32_t rank, Token of, uint32_t set, const float* weights, float* sum);

  const Routing routing_;
  const uint32_t rank_;
  std::vector<std::vector<Token>> received_;
  std::vector<std::vector<Token>> received_from_;
  uint64_t received_rows_ = 0;
  // Working rows, [hidden].
  std::vector<uint16_t> expected_;
  std::vector<uint16_t> expert_row_;
  std::vector<float> rank_sum_;
  std::vector<float> sum_;
  std::vector<double> exact_;
  std::vector<double> magnitude_;
};

}  // namespace ep::reference

#endif  // CSRC_REFERENCE_ORACLE_H_
