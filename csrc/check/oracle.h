// What every row must be after a dispatch and a combine, from routing and seed alone.
//
// The oracle shares no code with the protocol but the shape: it knows nothing of layouts, banks,
// slots or flags, so an error there cannot cancel itself out here.
#ifndef CSRC_CHECK_ORACLE_H_
#define CSRC_CHECK_ORACLE_H_

#include <cstdint>
#include <optional>
#include <vector>

#include "csrc/check/inputs.h"
#include "csrc/protocol/shape.h"

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

// A row as a dispatch delivers it.
struct DispatchedRow {
  explicit DispatchedRow(const Shape& shape);
  // Bit for bit. `other_scales` is used for FP8 only.
  bool Equals(const uint8_t* other, const float* other_scales) const;

  std::vector<uint8_t> payload;  // E4M3 codes, or BF16
  std::vector<float> scales;     // FP8 only
  std::vector<uint16_t> channels;
};

// One rank's expectations. Nothing in it changes, so any number of threads may ask.
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
  // The local experts that a token of `from` selects, in the token's own order.
  std::vector<uint32_t> LocalExperts(Token from) const;
  // What this rank's experts take of a token of `from`, in the token's own order. Needs all
  // weights.
  std::vector<Share> Shares(Token from, uint32_t set) const;
  // What they make of it together: this rank's part of the specified sum. Needs all weights.
  void SumHere(Token from, uint32_t set, uint16_t* row) const;

  // The row that `from` sent of input set `set`, once for all its copies.
  void ExpectDispatched(Token from, uint32_t set, DispatchedRow* row) const;
  // Compares a dispatched row with it by definition, which takes long, and says where they differ.
  // `scales` is used for FP8 only.
  std::optional<Difference> CompareDispatched(Token from, uint32_t set, const uint8_t* row,
                                              const float* scales) const;

  // Compares a combined row of this rank's `token` with the specified sum over its experts'
  // outputs of set `set`, bit for bit. `weights` is [topk].
  std::optional<Difference> CompareCombined(uint32_t token, uint32_t set, const float* weights,
                                            const uint16_t* row) const;
  // Besides, holds the specified sum against the exact one in float64. It is a function of the
  // same arguments but the row, so where rows are equal to it, once for all of them is enough.
  std::optional<Difference> CompareCombinedExactly(uint32_t token, uint32_t set,
                                                   const float* weights, const uint16_t* row) const;

 private:
  // The selections of one token, -1 left out.
  struct Terms {
    uint32_t count = 0;
    RowKey key[kMaxTopk];
    float weight[kMaxTopk];
    uint32_t rank[kMaxTopk];
    // Those of `rank`, each once, in rising order.
    uint32_t rank_count = 0;
    uint32_t ranks[kMaxTopk];
  };
  Terms TermsOf(Token token, uint32_t set, const float* weights) const;
  std::optional<Difference> CompareFp8(const uint16_t* channels, const uint8_t* row,
                                       const float* scales) const;
  // The specified sum's channels [begin, begin + count), count being at most kTile.
  void SumSpecified(const Terms& terms, uint32_t begin, uint32_t count, uint16_t* sum) const;
  // Whether `sum` is near enough to the exact one in each of these channels; else the first in
  // which it is not, or `count`.
  uint32_t FirstFarFromExact(const Terms& terms, uint32_t begin, uint32_t count,
                             const uint16_t* sum) const;
  std::optional<Difference> Compare(uint32_t token, uint32_t set, const float* weights,
                                    const uint16_t* row, bool exactly) const;

  const Routing routing_;
  const uint32_t rank_;
  std::vector<std::vector<Token>> received_;
  std::vector<std::vector<Token>> received_from_;
  uint64_t received_rows_ = 0;
};

}  // namespace ep::reference

#endif  // CSRC_CHECK_ORACLE_H_
