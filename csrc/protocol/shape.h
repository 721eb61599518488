// The numbers that fix a run's buffers and loops, and their limits.
#ifndef CSRC_PROTOCOL_SHAPE_H_
#define CSRC_PROTOCOL_SHAPE_H_

#include "csrc/protocol/std.h"
#include "csrc/protocol/words.h"

namespace ep {

// Channels that share one FP8 scale; a row's last ones may be fewer.
inline constexpr uint32_t kChannelsPerScale = 128;
inline constexpr uint32_t kHiddenMultiple = EP_HIDDEN_MULTIPLE;
inline constexpr uint32_t kMaxRanks = EP_MAX_RANKS;
inline constexpr uint32_t kMaxTokens = EP_MAX_TOKENS;
inline constexpr uint32_t kMaxExperts = EP_MAX_EXPERTS;
inline constexpr uint32_t kMaxTopk = EP_MAX_TOPK;
inline constexpr uint32_t kMaxHidden = EP_MAX_HIDDEN;
// On GPUs.
inline constexpr uint32_t kMaxGpuRanks = EP_MAX_RANKS_GPU;
inline constexpr uint32_t kMaxGpuExperts = EP_MAX_EXPERTS_GPU;
// In packets: tokens, and different ranks that one token's experts can live on.
inline constexpr uint32_t kMaxPacketTokens = EP_MAX_TOKENS_PACKETS;
inline constexpr uint32_t kMaxPacketRanks = EP_MAX_RANKS_PER_TOKEN_PACKETS;

// What csrc/protocol/words.h says of each.
enum class Dtype : uint32_t { kFp8 = EP_DTYPE_FP8, kBf16 = EP_DTYPE_BF16 };
enum class OutputLayout : uint32_t {
  kExpert = EP_LAYOUT_EXPERT,
  kRank = EP_LAYOUT_RANK,
  kFlat = EP_LAYOUT_FLAT,
  kContig = EP_LAYOUT_CONTIG,
};
enum class CombineSum : uint32_t {
  kRank = EP_COMBINE_SUM_RANK,
  kExpert = EP_COMBINE_SUM_EXPERT,
};
enum class Quantize : uint32_t {
  kInside = EP_QUANTIZE_INSIDE,
  kOutside = EP_QUANTIZE_OUTSIDE,
};

// An expert's rows begin at a multiple of these in layout `contig`, which is what kernels of
// grouped matrix products take as a tile.
inline constexpr uint32_t kContigRows = 128;

struct Shape {
  uint32_t ranks;
  uint32_t tokens;  // at most, on any rank
  uint32_t hidden;
  uint32_t experts_per_rank;
  uint32_t topk;
  Dtype dtype;
  OutputLayout layout = OutputLayout::kExpert;
  CombineSum sum = CombineSum::kRank;
  // Tokens of a dispatch, and slots of a combine, whose rows one word announces. All ranks have the
  // same; by default one word is for all.
  uint32_t chunk_tokens = kMaxTokens;
  Quantize quantize = Quantize::kInside;
  // Whether rows travel in packets (csrc/protocol/packet.h) instead of being announced by words.
  bool packets = false;

  constexpr uint32_t Experts() const { return ranks * experts_per_rank; }
  // Of a (source, destination) pair, whatever it sends.
  constexpr uint32_t Chunks() const { return (tokens + chunk_tokens - 1) / chunk_tokens; }
  // Different ranks that one token's experts can live on.
  constexpr uint32_t MaxDestinations() const { return topk < ranks ? topk : ranks; }
  constexpr uint32_t ScalesPerRow() const {
    return (hidden + kChannelsPerScale - 1) / kChannelsPerScale;
  }
  // Rows that one expert can receive.
  constexpr uint32_t MaxRowsPerExpert() const { return ranks * tokens; }
  // Experts of one token that can live on the same rank.
  constexpr uint32_t MaxSelectionsPerRow() const {
    return topk < experts_per_rank ? topk : experts_per_rank;
  }
  // Whether a received row has a copy for each of its selections.
  constexpr bool FansOut() const {
    return layout == OutputLayout::kExpert || layout == OutputLayout::kContig;
  }
  // Blocks of received rows: local experts or sources.
  constexpr uint32_t Blocks() const { return FansOut() ? experts_per_rank : ranks; }
  // Rows that layout `contig` can need, padding included.
  constexpr uint64_t MaxContigRows() const {
    const uint64_t rows = uint64_t{MaxRowsPerExpert()} * MaxSelectionsPerRow();
    const uint64_t padded = rows + uint64_t{experts_per_rank} * (kContigRows - 1);
    const uint64_t all_full = experts_per_rank * RoundUp(MaxRowsPerExpert(), kContigRows);
    return padded < all_full ? padded : all_full;
  }
  // Rows that come back for each row that was sent.
  constexpr uint32_t PartialsPerRow() const {
    return sum == CombineSum::kExpert ? MaxSelectionsPerRow() : 1;
  }
};

// Whether rows of a shape can travel in packets: a worker plans all tokens at once, and a crew has
// room for what all of a token's ranks send back of a piece.
constexpr bool CanPacket(const Shape& shape) {
  return shape.tokens <= kMaxPacketTokens && shape.MaxDestinations() <= kMaxPacketRanks &&
         shape.sum == CombineSum::kRank;
}

// Returns what is wrong with `shape`, or null.
constexpr const char* Problem(const Shape& shape) {
  if (shape.ranks < 1 || shape.ranks > kMaxRanks) return "ranks must be 1 to 256";
  if (shape.tokens < 1 || shape.tokens > kMaxTokens) return "tokens must be 1 to 65535";
  if (shape.hidden < kHiddenMultiple || shape.hidden > kMaxHidden ||
      shape.hidden % kHiddenMultiple != 0) {
    return "hidden must be a multiple of 8, at most 65536";
  }
  if (shape.experts_per_rank < 1 || shape.experts_per_rank > kMaxExperts / shape.ranks) {
    return "experts must be 1 to 65535 in all";
  }
  if (shape.topk < 1 || shape.topk > kMaxTopk || shape.topk > shape.Experts()) {
    return "topk must be 1 to 32 and at most the number of experts";
  }
  if (shape.dtype != Dtype::kFp8 && shape.dtype != Dtype::kBf16) return "unknown dtype";
  if (shape.layout < OutputLayout::kExpert || shape.layout > OutputLayout::kContig) {
    return "unknown layout";
  }
  if (shape.sum != CombineSum::kRank && shape.sum != CombineSum::kExpert) {
    return "unknown way to combine";
  }
  if (shape.chunk_tokens < 1 || shape.chunk_tokens > kMaxTokens) {
    return "a chunk must have 1 to 65535 tokens";
  }
  if (shape.sum == CombineSum::kExpert && !shape.FansOut()) {
    return "layouts rank and flat have no row of each expert that could come back";
  }
  if (shape.quantize != Quantize::kInside && shape.quantize != Quantize::kOutside) {
    return "unknown place to quantise";
  }
  if (shape.quantize == Quantize::kOutside && shape.dtype != Dtype::kFp8) {
    return "only rows that travel as FP8 can be quantised before";
  }
  if (shape.packets && !CanPacket(shape)) {
    return "packets carry at most 512 tokens, to 8 ranks each, and sums by rank";
  }
  return nullptr;
}

}  // namespace ep

#endif  // CSRC_PROTOCOL_SHAPE_H_
