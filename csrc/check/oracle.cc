#include "csrc/check/oracle.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <utility>

#include "csrc/base/cpu_versions.h"
#include "csrc/check/fp8.h"
#include "csrc/check/inputs.h"

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

// Channels that are summed at a time: what they take stays in the first-level cache.
constexpr uint32_t kTile = 1024;

// Adds channels [begin, begin + count) of an expert's weighted output, which is made on the way.
EP_CPU_VERSIONS
void AddExpert(RowKey key, uint32_t begin, uint32_t count, float weight, float* sum) {
  Channels channels(key, begin);
  for (uint32_t c = 0; c < count; ++c) {
    sum[c] = __builtin_fmaf(weight, Widen(channels.NextOfExpert()), sum[c]);
  }
}

EP_CPU_VERSIONS
void AddExpertExactly(RowKey key, uint32_t begin, uint32_t count, float weight, double* exact,
                      double* magnitude) {
  Channels channels(key, begin);
  for (uint32_t c = 0; c < count; ++c) {
    const double product =
        static_cast<double>(weight) * static_cast<double>(Widen(channels.NextOfExpert()));
    exact[c] += product;
    magnitude[c] += std::fabs(product);
  }
}

EP_CPU_VERSIONS
void AddRank(const float* rank_sum, bool first, uint32_t count, float* sum) {
  for (uint32_t c = 0; c < count; ++c) {
    const float partial = Widen(Narrow(rank_sum[c]));
    sum[c] = first ? partial : sum[c] + partial;
  }
}

EP_CPU_VERSIONS
void NarrowAll(const float* sum, uint32_t count, uint16_t* row) {
  for (uint32_t c = 0; c < count; ++c) row[c] = Narrow(sum[c]);
}

bool Near(uint16_t sum, double exact, double magnitude, double tolerance) {
  return std::fabs(static_cast<double>(Widen(sum)) - exact) <= magnitude * tolerance;
}

EP_CPU_VERSIONS
bool AllNear(const uint16_t* sum, const double* exact, const double* magnitude, double tolerance,
             uint32_t count) {
  uint64_t far = 0;
  for (uint32_t c = 0; c < count; ++c) {
    far |= Near(sum[c], exact[c], magnitude[c], tolerance) ? 0 : 1;
  }
  return far == 0;
}

uint32_t FirstDifferent(const uint16_t* a, const uint16_t* b, uint32_t count) {
  if (std::memcmp(a, b, sizeof(*a) * count) == 0) return count;
  return static_cast<uint32_t>(std::mismatch(a, a + count, b).first - a);
}

}  // namespace

DispatchedRow::DispatchedRow(const Shape& shape) : channels(shape.hidden) {
  payload.resize(shape.dtype == Dtype::kFp8 ? shape.hidden : sizeof(uint16_t) * shape.hidden);
  if (shape.dtype == Dtype::kFp8) scales.resize(shape.ScalesPerRow());
}

bool DispatchedRow::Equals(const uint8_t* other, const float* other_scales) const {
  if (std::memcmp(other, payload.data(), payload.size()) != 0) return false;
  return scales.empty() ||
         std::memcmp(other_scales, scales.data(), sizeof(float) * scales.size()) == 0;
}

Oracle::Oracle(Routing routing, uint32_t rank)
    : routing_(std::move(routing)),
      rank_(rank),
      received_(routing_.shape.experts_per_rank),
      received_from_(routing_.shape.ranks) {
  for (uint32_t source = 0; source < routing_.shape.ranks; ++source) {
    for (uint32_t token = 0; token < routing_.tokens_of_rank[source]; ++token) {
      const std::vector<uint32_t> experts = LocalExperts({source, token});
      for (const uint32_t expert : experts) received_[expert].push_back({source, token});
      received_rows_ += experts.size();
      if (!experts.empty()) received_from_[source].push_back({source, token});
    }
  }
}

std::vector<uint32_t> Oracle::LocalExperts(Token from) const {
  const Shape& shape = routing_.shape;
  const int32_t* selected = routing_.Selected(from.rank, from.token);
  std::vector<uint32_t> experts;
  for (uint32_t j = 0; j < shape.topk; ++j) {
    if (selected[j] < 0) continue;
    const uint32_t expert = static_cast<uint32_t>(selected[j]);
    if (expert / shape.experts_per_rank == rank_)
      experts.push_back(expert % shape.experts_per_rank);
  }
  return experts;
}

void Oracle::ExpectDispatched(Token from, uint32_t set, DispatchedRow* row) const {
  const uint32_t hidden = routing_.shape.hidden;
  TokenRow(routing_.seed, set, from.rank, from.token, hidden, row->channels.data());
  if (routing_.shape.dtype == Dtype::kFp8) {
    QuantizeRow(row->channels.data(), hidden, row->payload.data(), row->scales.data());
  } else {
    std::memcpy(row->payload.data(), row->channels.data(), row->payload.size());
  }
}

std::optional<Difference> Oracle::CompareDispatched(Token from, uint32_t set, const uint8_t* row,
                                                    const float* scales) const {
  const uint32_t hidden = routing_.shape.hidden;
  std::vector<uint16_t> want(hidden);
  TokenRow(routing_.seed, set, from.rank, from.token, hidden, want.data());
  if (routing_.shape.dtype == Dtype::kFp8) return CompareFp8(want.data(), row, scales);
  for (uint32_t c = 0; c < hidden; ++c) {
    uint16_t got;
    std::memcpy(&got, row + 2 * c, sizeof(got));
    if (got != want[c]) return Difference{Difference::kChannel, c, got, want[c]};
  }
  return std::nullopt;
}

std::optional<Difference> Oracle::CompareFp8(const uint16_t* channels, const uint8_t* row,
                                             const float* scales) const {
  for (uint32_t group = 0; group < routing_.shape.ScalesPerRow(); ++group) {
    const uint32_t begin = group * kChannelsPerScale;
    const uint32_t count = std::min(kChannelsPerScale, routing_.shape.hidden - begin);
    const uint16_t* of_group = channels + begin;
    const GroupScale want = ScaleOf(of_group, count);
    const uint32_t got_bits = std::bit_cast<uint32_t>(scales[group]);
    const uint32_t want_bits = std::bit_cast<uint32_t>(want.scale);
    if (got_bits != want_bits) return Difference{Difference::kScale, begin, got_bits, want_bits};
    const uint32_t wrong = FirstWrongCode(of_group, count, want.multiplier, row + begin);
    if (wrong != count) {
      const uint8_t nearest = NearestE4m3(Widen(of_group[wrong]) * want.multiplier);
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

Oracle::Terms Oracle::TermsOf(Token token, uint32_t set, const float* weights) const {
  const Shape& shape = routing_.shape;
  const int32_t* selected = routing_.Selected(token.rank, token.token);
  Terms terms;
  for (uint32_t j = 0; j < shape.topk; ++j) {
    if (selected[j] < 0) continue;
    const uint32_t expert = static_cast<uint32_t>(selected[j]);
    const uint32_t i = terms.count++;
    terms.key[i] = ExpertKey(routing_.seed, set, token.rank, token.token, expert);
    terms.weight[i] = weights[j];
    terms.rank[i] = expert / shape.experts_per_rank;
  }
  std::copy_n(terms.rank, terms.count, terms.ranks);
  std::sort(terms.ranks, terms.ranks + terms.count);
  terms.rank_count =
      static_cast<uint32_t>(std::unique(terms.ranks, terms.ranks + terms.count) - terms.ranks);
  return terms;
}

void Oracle::SumHere(Token from, uint32_t set, uint16_t* row) const {
  const uint32_t hidden = routing_.shape.hidden;
  const Terms terms = TermsOf(from, set, routing_.Weights(from.rank, set, from.token));
  for (uint32_t begin = 0; begin < hidden; begin += kTile) {
    const uint32_t count = std::min(kTile, hidden - begin);
    float sum[kTile] = {};
    for (uint32_t i = 0; i < terms.count; ++i) {
      if (terms.rank[i] == rank_) AddExpert(terms.key[i], begin, count, terms.weight[i], sum);
    }
    NarrowAll(sum, count, row + begin);
  }
}

void Oracle::SumSpecified(const Terms& terms, uint32_t begin, uint32_t count, uint16_t* sum) const {
  float total[kTile] = {};
  if (routing_.shape.sum == CombineSum::kExpert) {
    for (uint32_t i = 0; i < terms.count; ++i) {
      AddExpert(terms.key[i], begin, count, terms.weight[i], total);
    }
    return NarrowAll(total, count, sum);
  }
  for (uint32_t r = 0; r < terms.rank_count; ++r) {
    float of_rank[kTile] = {};
    for (uint32_t i = 0; i < terms.count; ++i) {
      if (terms.rank[i] == terms.ranks[r])
        AddExpert(terms.key[i], begin, count, terms.weight[i], of_rank);
    }
    AddRank(of_rank, r == 0, count, total);
  }
  NarrowAll(total, count, sum);
}

uint32_t Oracle::FirstFarFromExact(const Terms& terms, uint32_t begin, uint32_t count,
                                   const uint16_t* sum) const {
  double exact[kTile] = {};
  double magnitude[kTile] = {};
  for (uint32_t i = 0; i < terms.count; ++i) {
    AddExpertExactly(terms.key[i], begin, count, terms.weight[i], exact, magnitude);
  }
  // Each rounding to BF16, the last one included: half a unit in the last of 8 bits, 2^-9 relative,
  // doubled for the fp32 steps between.
  const uint32_t partials = routing_.shape.sum == CombineSum::kExpert ? 0 : terms.rank_count;
  const double tolerance = std::ldexp(partials + 1, -8);
  if (AllNear(sum, exact, magnitude, tolerance, count)) return count;
  uint32_t c = 0;
  while (Near(sum[c], exact[c], magnitude[c], tolerance)) ++c;
  return c;
}

std::optional<Difference> Oracle::Compare(uint32_t token, uint32_t set, const float* weights,
                                          const uint16_t* row, bool exactly) const {
  const uint32_t hidden = routing_.shape.hidden;
  const Terms terms = TermsOf({rank_, token}, set, weights);
  for (uint32_t begin = 0; begin < hidden; begin += kTile) {
    const uint32_t count = std::min(kTile, hidden - begin);
    uint16_t want[kTile];
    SumSpecified(terms, begin, count, want);
    uint32_t wrong = FirstDifferent(row + begin, want, count);
    if (exactly) wrong = std::min(wrong, FirstFarFromExact(terms, begin, count, want));
    if (wrong < count) {
      return Difference{Difference::kChannel, begin + wrong, row[begin + wrong], want[wrong]};
    }
  }
  return std::nullopt;
}

std::optional<Difference> Oracle::CompareCombined(uint32_t token, uint32_t set,
                                                  const float* weights, const uint16_t* row) const {
  return Compare(token, set, weights, row, false);
}

std::optional<Difference> Oracle::CompareCombinedExactly(uint32_t token, uint32_t set,
                                                         const float* weights,
                                                         const uint16_t* row) const {
  return Compare(token, set, weights, row, true);
}

}  // namespace ep::reference
