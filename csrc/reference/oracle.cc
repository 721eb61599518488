#include "csrc/reference/oracle.h"

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
      for (uint32_t j = 0; j < shape.topk; ++j) {
        if (selected[j] < 0) continue;
        const uint32_t expert = static_cast<uint32_t>(selected[j]);
        if (expert / shape.experts_per_rank != rank_) continue;
        received_[expert % shape.experts_per_rank].push_back({source, token});
        ++received_rows_;
      }
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
    const uint16_t* channels = expected_.data() + begin;
    const GroupScale want = ScaleOf(channels);
    const uint32_t got_bits = std::bit_cast<uint32_t>(scales[group]);
    const uint32_t want_bits = std::bit_cast<uint32_t>(want.scale);
    if (got_bits != want_bits) return Difference{Difference::kScale, begin, got_bits, want_bits};
    const uint32_t wrong = FirstWrongCode(channels, want.multiplier, row + begin);
    if (wrong != kChannelsPerScale) {
      const uint8_t nearest = NearestE4m3(Widen(channels[wrong]) * want.multiplier);
      return Difference{Difference::kChannel, begin + wrong, row[begin + wrong], nearest};
    }
  }
  return std::nullopt;
}

// Leaves the specified sum, as BF16, in expected_ and the exact one in exact_.
void Oracle::SumSpecified(uint32_t token, uint32_t set, const float* weights) {
  const Shape& shape = routing_.shape;
  const int32_t* selected = routing_.Selected(rank_, token);
  std::set<uint32_t> ranks;
  for (uint32_t j = 0; j < shape.topk; ++j) {
    if (selected[j] >= 0) ranks.insert(static_cast<uint32_t>(selected[j]) / shape.experts_per_rank);
  }
  sum_.assign(shape.hidden, 0.0f);
  exact_.assign(shape.hidden, 0.0);
  magnitude_.assign(shape.hidden, 0.0);
  bool first = true;
  for (const uint32_t rank : ranks) {
    rank_sum_.assign(shape.hidden, 0.0f);
    for (uint32_t j = 0; j < shape.topk; ++j) {
      if (selected[j] < 0) continue;
      const uint32_t expert = static_cast<uint32_t>(selected[j]);
      if (expert / shape.experts_per_rank != rank) continue;
      ExpertRow(routing_.seed, set, rank_, token, expert, shape.hidden, expert_row_.data());
      AddSelection(expert_row_.data(), weights[j], shape.hidden, rank_sum_.data(), exact_.data(),
                   magnitude_.data());
    }
    AddRank(rank_sum_.data(), first, shape.hidden, sum_.data());
    first = false;
  }
  // Each rank's partial and the total are rounded to BF16 once: half a unit in the last of 8
  // bits, 2^-9 relative, doubled for the fp32 steps between.
  const double tolerance = std::ldexp(static_cast<double>(ranks.size() + 1), -8);
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
