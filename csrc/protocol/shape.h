// The numbers that fix a run's buffers and loops, and their limits.
#ifndef CSRC_PROTOCOL_SHAPE_H_
#define CSRC_PROTOCOL_SHAPE_H_

#include "csrc/protocol/std.h"

namespace ep {

// Channels that share one FP8 scale.
inline constexpr uint32_t kChannelsPerScale = 128;
inline constexpr uint32_t kMaxRanks = 64;
// Token and expert numbers travel as 16-bit words.
inline constexpr uint32_t kMaxTokens = 65535;
inline constexpr uint32_t kMaxExperts = 65535;
inline constexpr uint32_t kMaxTopk = 16;
inline constexpr uint32_t kMaxHidden = 65536;

// What a dispatched row holds. Combined rows are always BF16.
enum class Dtype : uint32_t { kFp8 = 1, kBf16 = 2 };

struct Shape {
  uint32_t ranks;
  uint32_t tokens;  // at most, on any rank
  uint32_t hidden;
  uint32_t experts_per_rank;
  uint32_t topk;
  Dtype dtype;

  constexpr uint32_t Experts() const { return ranks * experts_per_rank; }
  // Different ranks that one token's experts can live on.
  constexpr uint32_t MaxDestinations() const { return topk < ranks ? topk : ranks; }
  constexpr uint32_t ScalesPerRow() const { return hidden / kChannelsPerScale; }
  // Rows that one expert can receive.
  constexpr uint32_t MaxRowsPerExpert() const { return ranks * tokens; }
};

// Returns what is wrong with `shape`, or null.
constexpr const char* Problem(const Shape& shape) {
  if (shape.ranks < 1 || shape.ranks > kMaxRanks) return "ranks must be 1 to 64";
  if (shape.tokens < 1 || shape.tokens > kMaxTokens) return "tokens must be 1 to 65535";
  if (shape.hidden < kChannelsPerScale || shape.hidden > kMaxHidden ||
      shape.hidden % kChannelsPerScale != 0) {
    return "hidden must be a multiple of 128, at most 65536";
  }
  if (shape.experts_per_rank < 1 || shape.experts_per_rank > kMaxExperts / shape.ranks) {
    return "experts must be 1 to 65535 in all";
  }
  if (shape.topk < 1 || shape.topk > kMaxTopk || shape.topk > shape.Experts()) {
    return "topk must be 1 to 16 and at most the number of experts";
  }
  if (shape.dtype != Dtype::kFp8 && shape.dtype != Dtype::kBf16) return "unknown dtype";
  return nullptr;
}

}  // namespace ep

#endif  // CSRC_PROTOCOL_SHAPE_H_
