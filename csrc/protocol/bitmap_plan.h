// The plan of many lanes at once: one bit a (token, rank) and a (token, expert), and counts of the
// bits below. Slots and indices are those of csrc/protocol/plan.h; nobody increments anything.
//
// A worker holds the bitmaps of one tile of 256 tokens in its fast memory. Where a dispatch has
// more tokens, CountTile has first counted each tile's rows and selections, and a tile begins
// where those before it end.
#ifndef CSRC_PROTOCOL_BITMAP_PLAN_H_
#define CSRC_PROTOCOL_BITMAP_PLAN_H_

#include "csrc/protocol/plan.h"
#include "csrc/protocol/rank.h"
#include "csrc/protocol/shape.h"
#include "csrc/protocol/std.h"

namespace ep {

// One tile's bitmaps, in a worker's fast memory.
class TileBits {
 public:
  static constexpr uint32_t kTokens = 256;
  static constexpr uint32_t kWords = kTokens / 32;

  // Words for the bits of ranks and experts.
  static constexpr uint32_t SizeWords(const Shape& shape) {
    return (shape.ranks + shape.Experts()) * kWords;
  }

  constexpr TileBits(const Shape& shape, uint32_t* words) : ranks_(shape.ranks), words_(words) {}

  uint32_t* OfRank(uint32_t rank) const { return words_ + rank * kWords; }
  uint32_t* OfExpert(uint32_t expert) const { return OfRank(ranks_ + expert); }

  // Bits of the tile's tokens below `token`.
  static uint32_t CountBelow(const uint32_t* words, uint32_t token) {
    uint32_t count = 0;
    for (uint32_t w = 0; w < kWords; ++w) {
      const uint32_t below = token <= w * 32 ? 0 : token - w * 32;
      const uint32_t mask = below >= 32 ? 0xFFFFFFFFu : (1u << below) - 1;
      count += static_cast<uint32_t>(stdlib::popcount(words[w] & mask));
    }
    return count;
  }

  // Fills the bits of a tile, by all lanes of a worker. Returns a token that names an expert that
  // does not exist, if this lane has seen one, or kNoToken.
  template <class Device>
  uint32_t Load(Device& device, const Shape& shape, const int32_t* topk_idx, uint32_t tokens,
                uint32_t tile) {
    device.Sync();  // the tile before this one is no longer needed
    for (uint32_t i = device.Thread(); i < SizeWords(shape); i += device.Threads()) words_[i] = 0;
    device.Sync();
    uint32_t bad = kNoToken;
    const uint32_t begin = tile * kTokens;
    const uint32_t count = tokens - begin < kTokens ? tokens - begin : kTokens;
    const int32_t* ids = topk_idx + uint64_t{begin} * shape.topk;
    for (uint32_t i = device.Thread(); i < count * shape.topk; i += device.Threads()) {
      if (ids[i] == -1) continue;
      const uint32_t token = i / shape.topk;
      const uint32_t expert = static_cast<uint32_t>(ids[i]);
      if (expert >= shape.Experts()) {
        bad = begin + token;
        continue;
      }
      const uint32_t bit = 1u << token % 32;
      device.OrShared(OfExpert(expert) + token / 32, bit);
      device.OrShared(OfRank(expert / shape.experts_per_rank) + token / 32, bit);
    }
    device.Sync();
    return bad;
  }

 private:
  uint32_t ranks_;
  uint32_t* words_;
};

// Rows to each rank, then selections of each expert: what one tile adds to both.
constexpr uint32_t TileCounts(const Shape& shape) { return shape.ranks + shape.Experts(); }

constexpr uint32_t TilesOf(uint32_t tokens) {
  return tokens <= TileBits::kTokens ? 1 : (tokens + TileBits::kTokens - 1) / TileBits::kTokens;
}

// Counts one tile, by all lanes of a worker; `counts` has TileCounts entries, `words` TileBits's.
template <class Device>
void CountTile(Device& device, const Shape& shape, const int32_t* topk_idx, uint32_t tokens,
               uint32_t tile, uint32_t* words, uint32_t* counts) {
  TileBits bits(shape, words);
  bits.Load(device, shape, topk_idx, tokens, tile);  // the dispatch finds wrong ids itself
  for (uint32_t i = device.Thread(); i < TileCounts(shape); i += device.Threads()) {
    counts[i] = TileBits::CountBelow(bits.OfRank(i), TileBits::kTokens);
  }
}

// Working memory of a worker's plan.
struct BitmapPlanMemory {
  uint32_t* words;  // [TileBits::SizeWords]
  uint32_t* begin;  // [TileCounts]: of the tiles before the one at hand
  TokenPlan* plan;  // this crew's
  // [tiles, TileCounts] as CountTile left them; null where there is one tile.
  const uint32_t* tile_counts;
};

class BitmapPlan {
 public:
  static constexpr uint32_t kTileTokens = TileBits::kTokens;

  BitmapPlan(const Shape& shape, const BitmapPlanMemory& memory)
      : shape_(shape), memory_(memory), bits_(shape, memory.words) {}

  template <class Device>
  void Load(Device& device, const int32_t* topk_idx, uint32_t tokens, uint32_t tile) {
    topk_idx_ = topk_idx;
    tiles_ = TilesOf(tokens);
    first_token_ = tile * kTileTokens;
    const uint32_t bad = bits_.Load(device, shape_, topk_idx, tokens, tile);
    if (bad != kNoToken) bad_token_ = bad;
    if (memory_.tile_counts == nullptr) return;
    for (uint32_t i = device.Thread(); i < TileCounts(shape_); i += device.Threads()) {
      memory_.begin[i] = SumTiles(i, tile);
    }
    device.Sync();
  }

  template <class Device>
  const TokenPlan* Find(Device& device, uint32_t token) {
    TokenPlan* plan = memory_.plan;
    const uint32_t lane = device.Lane();
    const uint32_t in_tile = token - first_token_;
    const int32_t id = lane < shape_.topk ? topk_idx_[uint64_t{token} * shape_.topk + lane] : -1;
    const uint32_t expert = static_cast<uint32_t>(id);
    const bool selects = id != -1 && expert < shape_.Experts();
    // Lanes without a selection get numbers that nobody else has.
    const uint32_t alone = 0x80000000u + lane;
    const uint32_t lanes_of_expert = device.Match(selects ? expert : alone);
    const bool twice = selects && stdlib::popcount(lanes_of_expert) > 1;
    if (twice) bad_token_ = token;
    if (device.AnyOfCrew(twice || (id != -1 && !selects))) return nullptr;

    const uint32_t rank = selects ? expert / shape_.experts_per_rank : 0;
    const uint32_t lanes_of_rank = device.Match(selects ? rank : alone);
    const bool first_of_rank = selects && stdlib::countr_zero(lanes_of_rank) == int(lane);
    const uint64_t bit = selects ? uint64_t{1} << rank : 0;
    const uint64_t hit = uint64_t{device.OrCrew(static_cast<uint32_t>(bit >> 32))} << 32 |
                         device.OrCrew(static_cast<uint32_t>(bit));
    const uint32_t destination =
        static_cast<uint32_t>(stdlib::popcount(hit & ((uint64_t{1} << rank) - 1)));
    device.SyncCrew();  // nobody still reads the token before
    if (lane == 0) plan->destination_count = static_cast<uint32_t>(stdlib::popcount(hit));
    if (first_of_rank) {
      const uint32_t slot = Begin(rank) + TileBits::CountBelow(bits_.OfRank(rank), in_tile);
      plan->destinations[destination] = {rank, slot};
    }
    if (lane < shape_.topk) {
      plan->destination_of[lane] =
          selects ? static_cast<uint8_t>(destination) : TokenPlan::kNowhere;
    }
    if (selects) {
      const uint32_t index =
          Begin(shape_.ranks + expert) + TileBits::CountBelow(bits_.OfExpert(expert), in_tile);
      plan->placements[lane] = {
          static_cast<uint16_t>(expert - rank * shape_.experts_per_rank),
          static_cast<uint16_t>(index),
      };
    }
    device.SyncCrew();
    return plan;
  }

  template <class Device>
  void Complete(Device&) {}

  uint32_t RowsToRank(uint32_t rank) const { return Total(rank, bits_.OfRank(rank)); }
  uint32_t SelectionsOfExpert(uint32_t expert) const {
    return Total(shape_.ranks + expert, bits_.OfExpert(expert));
  }
  uint32_t BadToken() const { return bad_token_; }

 private:
  // The first `tiles` tiles' rows to a rank or selections of an expert.
  uint32_t SumTiles(uint32_t entry, uint32_t tiles) const {
    uint32_t sum = 0;
    for (uint32_t tile = 0; tile < tiles; ++tile) {
      sum += memory_.tile_counts[tile * TileCounts(shape_) + entry];
    }
    return sum;
  }
  uint32_t Begin(uint32_t entry) const {
    return memory_.tile_counts == nullptr ? 0 : memory_.begin[entry];
  }
  uint32_t Total(uint32_t entry, const uint32_t* words) const {
    return memory_.tile_counts == nullptr ? TileBits::CountBelow(words, kTileTokens)
                                          : SumTiles(entry, tiles_);
  }

  const Shape& shape_;
  const BitmapPlanMemory memory_;
  TileBits bits_;
  const int32_t* topk_idx_ = nullptr;
  uint32_t tiles_ = 0;
  uint32_t first_token_ = 0;
  uint32_t bad_token_ = kNoToken;
};

}  // namespace ep

#endif  // CSRC_PROTOCOL_BITMAP_PLAN_H_
