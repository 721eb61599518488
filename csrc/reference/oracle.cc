#include "csrc/reference/oracle.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <set>
#include <utility>

#include "csrc/base/cpu_versions.h"
#include "csrc/reference/fp8.h"
#include "csrc/reference/inputs.h"

namespace ep::reference {
namespace {

inline float Widen(uint16_t bits) { return std::bit_cast<float>(uint32_t{bits} << 16); }

// Round to nearest even; the sums here are never NaN.
inline uint16_t Narrow(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  const uint32_t below = bits & 0xFFFF;
  const uint32_t up = below > 0x8000 || (below == 0x8000 && (bits >> 16) % 2 == 1);
  return static_cast<uint16_t>((bits >> 16) + up);
}

EP_CPU_VERSIONS
void AddSelection(const uint16_t* row, float weight, uint32_t hidden, float* sum, double* exact,
                  double* magnitude) {
  for (uint32_t c = 0; c < hidden; ++c) {
    sum[c] = __builtin_fmaf(weight, Widen(row[c]), sum[c]);
  }
  for (uint32_t c = 0; c < hidden; ++c) {
    const double product = static_cast<double>(weight) * static_cast<double>(Widen(row[c]));
    exact[c] += product;
    magnitude[c] += std::fabs(product);
  }
}

EP_CPU_VERSIONS
void AddRank(const float* rank_sum, bool first, uint32_t hidden, float* sum) {
  for (uint32_t c = 0; c < hidden; ++c) {
    const float partial = Widen(Narrow(rank_sum[c]));
    sum[c] = first ? partial : sum[c] + partial;
  }
}

}  // namespace

Oracle::Oracle(Routing routing, uint32_t rank)
    : routing_(std::move(routing)),
      rank_(rank),
      received_(routing_.shape.experts_per_rank),
      received_from_(routing_.shape.ranks),
      expected_(routing_.shape.hidden),
      expert_row_(routing_.shape.hidden),
      rank_sum_(routing_.shape.hidden),
      sum_(routing_.shape.hidden),
      exact_(routing_.shape.hidden),
      magnitude_(routing_.shape.hidden) {
  const Shape& shape = routing_.shape;
  for (uint32_t source = 0; source < shape.ranks; ++source) {
    for (uint32_t token = 0; token < routing_.tokens_of_rank[source]; ++token) {
      const int32_t* selected = routing_.Selected(source, token);
      bool here = false;
      for (uint32_t j = 0; j < shape.topk; ++j) {
        if (selected[j] < 0) continue;
        const uint32_t expert = static_cast<uint32_t>(selected[j]);
        if (expert / shape.experts_per_rank != rank_) continue;
        received_[expert % shape.experts_per_rank].push_back({source, token});
        ++received_rows_;
        here = true;
      }
      if (here) received_from_[source].push_back({source, token});
    }
  }
}

std::optional<Difference> Oracle::CompareDispatched(Token from, uint32_t set, const uint8_t* row,
                                                    const float* scales) {
  const uint32_t hidden = routing_.shape.hidden;
  TokenRow(routing_.seed, set, from.rank, from.token, hidden, expected_.data());
  if (routing_.shape.dtype == Dtype::kFp8) return CompareFp8(row, scales);
  if (std::memcmp(row, expected_.data(), 2 * hidden) == 0) return std::nullopt;
  for (uint32_t c = 0; c < hidden; ++c) {
    uint16_t got;
    std::memcpy(&got, row + 2 * c, sizeof(got));
    if (got != expected_[c]) return Difference{Difference::kChannel, c, got, expected_[c]};
  }
  return std::nullopt;
}

std::optional<Difference> Oracle::CompareFp8(const uint8_t* row, const float* scales) const {
  for (uint32_t group = 0; group < routing_.shape.ScalesPerRow(); ++group) {
    const uint32_t begin = group * kChannelsPerScale;
    const uint32_t count = std::min(kChannelsPerScale, routing_.shape.hidden - begin);
    const uint16_t* channels = expected_.data() + begin;
    const GroupScale want = ScaleOf(channels, count);
    const uint32_t got_bits = std::bit_cast<uint32_t>(scales[group]);
    const uint32_t want_bits = std::bit_cast<uint32_t>(want.scale);
    if (got_bits != want_bits) return Difference{Difference::kScale, begin, got_bits, want_bits};
    const uint32_t wrong = FirstWrongCode(channels, count, want.multiplier, row + begin);
    if (wrong != count) {
      const uint8_t nearest = NearestE4m3(Widen(channels[wrong]) * want.multiplier);
      return Difference{Difference::kChannel, begin + wrong, row[begin + wrong], nearest};
    }
  }
  return std::nullopt;
}

std::vector<Share> Oracle::Shares(Token from, uint32_t set) const {
  const Shape& shape = routing_.shape;
  const int32_t* selected = routing_.Selected(from.rank, from.token);
  const float* weights = routing_.Weights(from.rank, set, from.token);
  std::vector<Share> shares;
  for (uint32_t j = 0; j < shape.topk; ++j) {
    if (selected[j] < 0) continue;
    const uint32_t expert = static_cast<uint32_t>(selected[j]);
    if (expert / shape.experts_per_rank != rank_) continue;
    shares.push_back({expert % shape.experts_per_rank, weights[j]});
  }
  return shares;
}

void Oracle::AddExperts(uint32_t rank, Token of, uint32_t set, const float* weights, float* sum) {
  const Shape& shape = routing_.shape;
  const int32_t* selected = routing_.Selected(of.rank, of.token);
  for (uint32_t j = 0; j < shape.topk; ++j) {
    if (selected[j] < 0) continue;
    const uint32_t expert = static_cast<uint32_t>(selected[j]);
    if (expert / shape.experts_per_rank != rank) continue;
    ExpertRow(routing_.seed, set, of.rank, of.token, expert, shape.hidden, expert_row_.data());
    AddSelection(expert_row_.data(), weights[j], shape.hidden, sum, exact_.data(),
                 magnitude_.data());
  }
}

void Oracle::SumHere(Token from, uint32_t set, uint16_t* row) {
  rank_sum_.assign(routing_.shape.hidden, 0.0f);
  AddExperts(rank_, from, set, routing_.Weights(from.rank, set, from.token), rank_sum_.data());
  for (uint32_t c = 0; c < routing_.shape.hidden; ++c) row[c] = Narrow(rank_sum_[c]);
}

uint32_t Oracle::SumByRank(Token of, uint32_t set, const float* weights) {
  const Shape& shape = routing_.shape;
  const int32_t* selected = routing_.Selected(of.rank, of.token);
  std::set<uint32_t> ranks;
  for (uint32_t j = 0; j < shape.topk; ++j) {
    if (selected[j] >= 0) ranks.insert(static_cast<uint32_t>(selected[j]) / shape.experts_per_rank);
  }
  bool first = true;
  for (const uint32_t rank : ranks) {
    rank_sum_.assign(shape.hidden, 0.0f);
    AddExperts(rank, of, set, weights, rank_sum_.data());
    AddRank(rank_sum_.data(), first, shape.hidden, sum_.data());
    first = false;
  }
  return static_cast<uint32_t>(ranks.size());
}

uint32_t Oracle::SumByExpert(Token of, uint32_t set, const float* weights) {
  const Shape& shape = routing_.shape;
  const int32_t* selected = routing_.Selected(of.rank, of.token);
  for (uint32_t j = 0; j < shape.topk; ++j) {
    if (selected[j] < 0) continue;
    ExpertRow(routing_.seed, set, of.rank, of.token, static_cast<uint32_t>(selected[j]),
              shape.hidden, expert_row_.data());
    AddSelection(expert_row_.data(), weights[j], shape.hidden, sum_.data(), exact_.data(),
                 magnitude_.data());
  }
  return 0;
}

// Leaves the specified sum, as BF16, in expected_, the exact one in exact_, and how far a result
// may be from it in magnitude_.
void Oracle::SumSpecified(uint32_t token, uint32_t set, const float* weights) {
  const Shape& shape = routing_.shape;
  const Token of = {rank_, token};
  sum_.assign(shape.hidden, 0.0f);
  exact_.assign(shape.hidden, 0.0);
  magnitude_.assign(shape.hidden, 0.0);
  const uint32_t roundings = shape.sum == CombineSum::kExpert ? SumByExpert(of, set, weights)
                                                              : SumByRank(of, set, weights);
  // Each rounding to BF16, the last one included: half a unit in the last of 8 bits, 2^-9 relative,
  // doubled for the fp32 steps between.
  const double tolerance = std::ldexp(static_cast<double>(roundings + 1), -8);
  for (uint32_t c = 0; c < shape.hidden; ++c) {
    expected_[c] = Narrow(sum_[c]);
    magnitude_[c] *= tolerance;
  }
}

std::optional<Difference> Oracle::CompareCombined(uint32_t token, uint32_t set,
                                                  const float* weights, const uint16_t* row) {
  SumSpecified(token, set, weights);
  for (uint32_t c = 0; c < routing_.shape.hidden; ++c) {
    const bool near = std::fabs(Bf16Value(row[c]) - exact_[c]) <= magnitude_[c];
    if (row[c] != expected_[c] || !near) {
      return Difference{Difference::kChannel, c, row[c], expected_[c]};
    }
  }
  return std::nullopt;
}

}  // namespace ep::reference
