// The plan of many lanes at once: one bit a (token, rank) and a (token, expert), and counts of the
// bits below. Slots and indices are those of csrc/protocol/plan.h; nobody increments anything.
//
// A worker holds the bitmaps of one tile of tokens in its fast memory. Where a dispatch has more
// tokens, csrc/protocol/count.h has first counted each tile's rows and selections, and a tile begins
// where those before it end.
#ifndef CSRC_PROTOCOL_BITMAP_PLAN_H_
#define CSRC_PROTOCOL_BITMAP_PLAN_H_

#include "csrc/protocol/plan.h"
#include "csrc/protocol/rank.h"
#include "csrc/protocol/shape.h"
#include "csrc/protocol/std.h"

namespace ep {

// How a run's tokens are cut into tiles: of `most` tokens or, so that no chunk is cut, a few less.
struct Tiling {
  uint32_t tokens;  // of a tile

  constexpr Tiling(const Shape& shape, uint32_t most)
      : tokens(shape.chunk_tokens < most ? most / shape.chunk_tokens * shape.chunk_tokens : most) {}

  // Tiles of so many tokens; no tokens are a tile, too.
  constexpr uint32_t Count(uint32_t of) const { return of <= tokens ? 1 : (of + tokens - 1) / tokens; }
  // Words of bits of a tile.
  constexpr uint32_t Words(const Shape& shape) const {
    return ((shape.tokens < tokens ? shape.tokens : tokens) + 31) / 32;
  }
};

// Rows to each rank, then selections of each expert.
constexpr uint32_t TileCounts(const Shape& shape) { return shape.ranks + shape.Experts(); }

// One tile's bitmaps, in a worker's fast memory.
class TileBits {
 public:
  static constexpr uint32_t SizeWords(const Shape& shape, Tiling tiling) {
    return TileCounts(shape) * tiling.Words(shape);
  }

  constexpr TileBits(const Shape& shape, Tiling tiling, uint32_t* words)
      : tiling_(tiling), words_of_each_(tiling.Words(shape)), words_(words) {}

  // How many of the tile's first `tokens` tokens count for an entry, which is a rank or
  // shape.ranks + expert.
  uint32_t CountBelow(uint32_t entry, uint32_t tokens) const {
    const uint32_t* words = Of(entry);
    uint32_t count = 0;
    EP_ROLLED
    for (uint32_t w = 0; w < tokens / 32; ++w) {
      count += static_cast<uint32_t>(stdlib::popcount(words[w]));
    }
    if (tokens % 32 == 0) return count;
    const uint32_t mask = (1u << tokens % 32) - 1;
    return count + static_cast<uint32_t>(stdlib::popcount(words[tokens / 32] & mask));
  }

  // Fills the bits of a tile, by all lanes of a worker. What names no expert has none.
  template <class Device>
  void Load(Device& device, const Shape& shape, const int32_t* topk_idx, uint32_t tokens,
                uint32_t tile) {
    const uint32_t begin = tile * tiling_.tokens;
    const uint32_t count = tokens - begin < tiling_.tokens ? tokens - begin : tiling_.tokens;
    const int32_t* ids = topk_idx + uint64_t{begin} * shape.topk;
    device.Sync();  // the tile before this one is no longer needed
    EP_ROLLED
    for (uint32_t i = device.Thread(); i < TileCounts(shape) * words_of_each_;
         i += device.Threads()) {
      words_[i] = 0;
    }
    device.Sync();
    EP_ROLLED
    for (uint32_t i = device.Thread(); i < count * shape.topk; i += device.Threads()) {
      const uint32_t token = i / shape.topk;
      const uint32_t expert = static_cast<uint32_t>(ids[i]);
      if (expert >= shape.Experts()) continue;  // -1, or what the dispatch will refuse
      const uint32_t bit = 1u << token % 32;
      device.OrShared(Of(shape.ranks + expert) + token / 32, bit);
      device.OrShared(Of(expert / shape.experts_per_rank) + token / 32, bit);
    }
    device.Sync();
  }

 private:
  uint32_t* Of(uint32_t entry) const { return words_ + entry * words_of_each_; }

  Tiling tiling_;
  uint32_t words_of_each_;
  uint32_t* words_;
};

// Working memory of a worker's plan.
struct BitmapPlanMemory {
  uint32_t* words;  // [TileBits::SizeWords]
  uint32_t* begin;  // [TileCounts]: of the tiles before the one at hand
  TokenPlan* plan;  // this crew's
  Tiling tiling;
  // [tiles + 1, TileCounts]: what the tiles before each count. Null where there is one tile.
  const uint32_t* tile_begins;
};

class BitmapPlan {
 public:
  BitmapPlan(const Shape& shape, const BitmapPlanMemory& memory)
      : shape_(shape), memory_(memory), bits_(shape, memory.tiling, memory.words) {}

  uint32_t TileTokens() const { return memory_.tiling.tokens; }
  bool CountsAreOut() const { return memory_.tile_begins != nullptr; }

  template <class Device>
  void Load(Device& device, const int32_t* topk_idx, uint32_t tokens, uint32_t tile) {
    topk_idx_ = topk_idx;
    tokens_ = tokens;
    first_token_ = tile * TileTokens();
    bits_.Load(device, shape_, topk_idx, tokens, tile);
    EP_ROLLED
    for (uint32_t i = device.Thread(); i < TileCounts(shape_); i += device.Threads()) {
      memory_.begin[i] =
          CountsAreOut() ? memory_.tile_begins[uint64_t{tile} * TileCounts(shape_) + i] : 0;
    }
    device.Sync();
  }

  template <class Device>
  void CountAll(Device&) {}

  void Begin(uint32_t) {}

  template <class Device>
  const TokenPlan* Find(Device& device, uint32_t token, bool places) {
    TokenPlan* plan = memory_.plan;
    const uint32_t lane = device.Lane();
    const int32_t id = lane < shape_.topk ? topk_idx_[uint64_t{token} * shape_.topk + lane] : -1;
    const uint32_t expert = static_cast<uint32_t>(id);
    const bool selects = id != -1 && expert < shape_.Experts();
    // Lanes without a selection get numbers that nobody else has.
    const uint32_t alone = 0x80000000u + lane;
    const uint32_t lanes_of_expert = device.Match(selects ? expert : alone);
    const bool twice = selects && stdlib::popcount(lanes_of_expert) > 1;
    const bool bad = twice || (id != -1 && !selects);
    if (bad) bad_token_ = token;
    if (device.AnyOfCrew(bad)) return nullptr;

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
      plan->destinations[destination] = {rank, CountBelow(rank, token)};
      plan->selections[destination] = static_cast<uint8_t>(stdlib::popcount(lanes_of_rank));
    }
    if (lane < shape_.topk) {
      plan->destination_of[lane] =
          selects ? static_cast<uint8_t>(destination) : TokenPlan::kNowhere;
      plan->before[lane] =
          static_cast<uint8_t>(stdlib::popcount(lanes_of_rank & ((1u << lane) - 1)));
    }
    if (selects && places) {
      plan->placements[lane] = {
          static_cast<uint16_t>(expert - rank * shape_.experts_per_rank),
          static_cast<uint16_t>(CountBelow(shape_.ranks + expert, token)),
      };
    }
    device.SyncCrew();
    return plan;
  }

  SlotRange Slots(uint32_t rank, uint32_t begin, uint32_t end) const {
    return {CountBelow(rank, begin), CountBelow(rank, end)};
  }
  uint32_t RowsToRank(uint32_t rank) const { return CountBelow(rank, tokens_); }
  uint32_t SelectionsOfExpert(uint32_t expert) const {
    return CountBelow(shape_.ranks + expert, tokens_);
  }
  uint32_t BadToken() const { return bad_token_; }

 private:
  // Of all tokens below `token`, which is of the tile at hand or the first behind it.
  uint32_t CountBelow(uint32_t entry, uint32_t token) const {
    return memory_.begin[entry] + bits_.CountBelow(entry, token - first_token_);
  }

  const Shape& shape_;
  const BitmapPlanMemory memory_;
  TileBits bits_;
  const int32_t* topk_idx_ = nullptr;
  uint32_t tokens_ = 0;
  uint32_t first_token_ = 0;
  uint32_t bad_token_ = kNoToken;
};

}  // namespace ep

#endif  // CSRC_PROTOCOL_BITMAP_PLAN_H_
