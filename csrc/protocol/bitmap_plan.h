// The plan of many lanes at once: one bit a (token, rank) and a (token, expert), and counts of the
// bits below. Slots and indices are those of csrc/protocol/plan.h; nobody increments anything.
//
// A worker holds the bits of a window of tokens in its fast memory, and what all tokens before it
// count. Where a dispatch has more tokens than a window, csrc/protocol/count.h has first counted
// tiles of them.
#ifndef CSRC_PROTOCOL_BITMAP_PLAN_H_
#define CSRC_PROTOCOL_BITMAP_PLAN_H_

#include "csrc/protocol/plan.h"
#include "csrc/protocol/rank.h"
#include "csrc/protocol/shape.h"
#include "csrc/protocol/std.h"

namespace ep {

// How a run's tokens are cut into tiles: of `most` tokens or, so that no chunk is cut, a few less.
// A window has as many tokens at most.
struct Tiling {
  uint32_t tokens;  // of a tile

  constexpr Tiling(const Shape& shape, uint32_t most)
      : tokens(shape.chunk_tokens < most ? most / shape.chunk_tokens * shape.chunk_tokens : most) {}

  // Tiles of so many tokens; no tokens are a tile, too.
  constexpr uint32_t Count(uint32_t of) const {
    return of <= tokens ? 1 : (of + tokens - 1) / tokens;
  }
  // Words of bits of a window, from one entry's to the next one's.
  constexpr uint32_t Words(const Shape& shape) const {
    return StrideOf((shape.tokens < tokens ? shape.tokens : tokens));
  }
  // Of so many tokens' bits: an odd number, so that lanes that look at an entry each do not meet in
  // a bank of fast memory.
  static constexpr uint32_t StrideOf(uint32_t tokens) { return (tokens + 31) / 32 | 1; }
};

// What is counted: rows to each rank, then selections of each expert.
constexpr uint32_t Entries(const Shape& shape) { return shape.ranks + shape.Experts(); }

// Adds to `counts` [Entries], in fast memory, what tokens [first, end) count, by all lanes of a
// worker; a crew looks at as many tokens at once as it has lanes for. A token counts once for a
// rank; what names no expert counts for none.
template <class Device>
EP_INLINE void CountTokens(Device& device, const Shape& shape, const int32_t* topk_idx,
                           uint32_t first, uint32_t end, uint32_t* counts) {
  constexpr uint32_t kLoads = 4;  // under way at a time
  const uint32_t tokens = Device::kLanes / shape.topk;
  const uint32_t ids = tokens * shape.topk;
  const uint32_t step = device.Threads() / Device::kLanes * ids;
  const uint64_t all = uint64_t{end - first} * shape.topk;
  const int32_t* from = topk_idx + uint64_t{first} * shape.topk;
  EP_ROLLED
  for (uint64_t begin = uint64_t{device.Thread() / Device::kLanes} * ids; begin < all;
       begin += kLoads * step) {
    uint32_t expert[kLoads];
    for (uint32_t l = 0; l < kLoads; ++l) {
      const uint64_t at = begin + l * step + device.Lane();
      expert[l] = device.Lane() < ids && at < all ? static_cast<uint32_t>(from[at]) : 0xFFFFFFFF;
    }
    for (uint32_t l = 0; l < kLoads; ++l) {
      const bool selects = expert[l] < shape.Experts();
      const uint32_t rank = selects ? expert[l] / shape.experts_per_rank : 0;
      // Those of a token and rank have the same number; others nobody else's.
      const uint32_t number = device.Lane() / shape.topk * kMaxGpuRanks + rank;
      const uint32_t same = device.Match(selects ? number : 0x80000000u + device.Lane());
      if (!selects) continue;
      device.AddShared(counts + shape.ranks + expert[l], 1);
      if (stdlib::countr_zero(same) == int(device.Lane())) device.AddShared(counts + rank, 1);
    }
  }
}

// Working memory of a worker's plan.
struct BitmapPlanMemory {
  uint32_t* bits;    // [Entries, Tiling::Words]
  uint32_t* begin;   // [Entries]: of the tokens before the window
  uint32_t* totals;  // [Entries]: of all, on the first worker
  TokenPlan* plan;   // this crew's
  Tiling tiling;
  Divisor topk;
  Divisor experts;  // per rank
  // [tiles + 1, Entries]: what the tiles before each count. Null where there is one tile.
  const uint32_t* tile_begins;
};

class BitmapPlan {
 public:
  BitmapPlan(const Shape& shape, const BitmapPlanMemory& memory) : shape_(shape), memory_(memory) {}

  // What stands for a selection that is none, as an expert and as a rank.
  static constexpr uint32_t kNobody = 0xFFFFFFFF;

  uint32_t WindowTokens() const { return memory_.tiling.tokens; }
  bool CountsAreOut() const { return memory_.tile_begins != nullptr; }

  template <class Device>
  EP_INLINE void Load(Device& device, const int32_t* topk_idx, uint32_t tokens, uint32_t first,
                      uint32_t end) {
    topk_idx_ = topk_idx;
    tokens_ = tokens;
    first_token_ = first;
    words_ = (end - first + 31) / 32;
    stride_ = Tiling::StrideOf(end - first);
    const uint32_t tile = first / memory_.tiling.tokens;
    device.Sync();  // the window before this one is no longer needed
    EP_ROLLED
    for (uint32_t i = device.Thread(); i < Entries(shape_); i += device.Threads()) {
      EP_ROLLED
      for (uint32_t w = 0; w < words_; ++w) memory_.bits[i * stride_ + w] = 0;
      memory_.begin[i] =
          CountsAreOut() ? memory_.tile_begins[uint64_t{tile} * Entries(shape_) + i] : 0;
      memory_.totals[i] = 0;
    }
    device.Sync();
    const int32_t* ids = topk_idx + uint64_t{first} * shape_.topk;
    EP_ROLLED
    for (uint32_t i = device.Thread(); i < (end - first) * shape_.topk; i += device.Threads()) {
      SetBits(device, i / shape_.topk, static_cast<uint32_t>(ids[i]));
    }
    CountTokens(device, shape_, topk_idx, tile * memory_.tiling.tokens, first, memory_.begin);
    device.Sync();
  }

  // As Load, of all tokens, which are a window at most and nobody has counted: before the worker
  // meets, and after it. The first ids are under way meanwhile.
  struct Ids {
    static constexpr uint32_t kLoads = 4;
    uint32_t expert[kLoads];
  };
  template <class Device>
  EP_INLINE Ids BeginAll(const Device& device, const int32_t* topk_idx, uint32_t tokens) {
    topk_idx_ = topk_idx;
    tokens_ = tokens;
    first_token_ = 0;
    words_ = (tokens + 31) / 32;
    stride_ = Tiling::StrideOf(tokens);
    Ids ids = {};
    for (uint32_t l = 0; l < Ids::kLoads; ++l) {
      const uint32_t i = device.Thread() + l * device.Threads();
      if (i < tokens * shape_.topk) ids.expert[l] = static_cast<uint32_t>(topk_idx[i]);
    }
    EP_ROLLED
    for (uint32_t i = device.Thread(); i < Entries(shape_) * stride_; i += device.Threads()) {
      memory_.bits[i] = 0;
    }
    EP_ROLLED
    for (uint32_t i = device.Thread(); i < Entries(shape_); i += device.Threads()) {
      memory_.begin[i] = 0;
    }
    return ids;
  }
  template <class Device>
  EP_INLINE void LoadAll(Device& device, const Ids& ids) {
    const uint32_t all = tokens_ * shape_.topk;
    uint32_t i = device.Thread();
    for (uint32_t l = 0; l < Ids::kLoads; ++l, i += device.Threads()) {
      if (i < all) SetBits(device, memory_.topk.Of(i), ids.expert[l]);
    }
    EP_ROLLED
    for (; i < all; i += device.Threads()) {
      SetBits(device, memory_.topk.Of(i), static_cast<uint32_t>(topk_idx_[i]));
    }
    device.Sync();
  }
  // Of all tokens of the window: rows to a rank, or, behind the ranks, selections of an expert.
  uint32_t CountOfAll(uint32_t entry) const {
    uint32_t count = 0;
    EP_ROLLED
    for (uint32_t w = 0; w < words_; ++w) {
      count += static_cast<uint32_t>(stdlib::popcount(Bits(entry)[w]));
    }
    return count;
  }
  uint32_t RankOf(uint32_t expert) const { return memory_.experts.Of(expert); }
  // Rows to a rank of tokens before this one, which is not the last.
  uint32_t RowsBelow(uint32_t rank, uint32_t token) const { return CountBelow(rank, token); }

  template <class Device>
  EP_INLINE void CountAll(Device& device) {
    CountTokens(device, shape_, topk_idx_, 0, tokens_, memory_.totals);
    device.Sync();
  }
  uint32_t RowsToRank(uint32_t rank) const { return memory_.totals[rank]; }
  uint32_t SelectionsOfExpert(uint32_t expert) const {
    return memory_.totals[shape_.ranks + expert];
  }

  void Begin(uint32_t) {}

  template <class Device>
  EP_INLINE const TokenPlan* Find(Device& device, uint32_t token, bool places) {
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
    bad_token_ = bad ? token : kNoToken;
    if (device.AnyOfCrew(bad)) return nullptr;

    const uint32_t rank = selects ? memory_.experts.Of(expert) : 0;
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

  // The same as a lane each has it, of its selection of `expert`, which is the id that stands
  // there.
  struct LanePlan {
    bool selects = false;
    bool first = false;        // of those with the same destination
    uint32_t rank = 0;         // where the expert lives
    uint32_t slot = 0;         // of the token's row there
    uint32_t destination = 0;  // the how manieth of the token's
    uint32_t before = 0;       // selections with the same destination
    uint32_t selections = 0;   // all of them
    Placement placement = {};
    uint32_t destinations = 0;  // of the token
  };
  // Finds it by all lanes of a crew; one that has no selection gets -1. Returns false if the ids
  // are no set of experts.
  template <class Device>
  EP_INLINE bool FindInLanes(Device& device, uint32_t token, uint32_t expert, LanePlan* plan) {
    const uint32_t lane = device.Lane();
    plan->selects = expert < shape_.Experts();
    plan->rank = plan->selects ? memory_.experts.Of(expert) : kNobody;
    bool bad = !plan->selects && expert != kNobody;
    uint32_t before = 0;
    uint32_t all = 0;
    uint64_t hit = 0;
    EP_ROLLED
    for (uint32_t i = 0; i < shape_.topk; ++i) {
      const uint32_t other = device.From(expert, i);
      const uint32_t rank = device.From(plan->rank, i);
      bad |= plan->selects && other == expert && i != lane;
      all += rank == plan->rank;
      before += rank == plan->rank && i < lane;
      if (rank != kNobody) hit |= uint64_t{1} << rank;
    }
    bad_token_ = bad ? token : kNoToken;
    if (device.AnyOfCrew(bad)) return false;
    plan->destinations = static_cast<uint32_t>(stdlib::popcount(hit));
    plan->before = before;
    plan->selections = all;
    plan->first = plan->selects && before == 0;
    if (!plan->selects) return true;
    plan->destination =
        static_cast<uint32_t>(stdlib::popcount(hit & ((uint64_t{1} << plan->rank) - 1)));
    plan->slot = CountBelow(plan->rank, token);
    plan->placement = {
        static_cast<uint16_t>(expert - plan->rank * shape_.experts_per_rank),
        static_cast<uint16_t>(CountBelow(shape_.ranks + expert, token)),
    };
    return true;
  }

  SlotRange Slots(uint32_t rank, uint32_t begin, uint32_t end) const {
    return {CountBelow(rank, begin), CountBelow(rank, end)};
  }
  uint32_t BadToken() const { return bad_token_; }

 private:
  uint32_t* Bits(uint32_t entry) const { return memory_.bits + entry * stride_; }

  // Of an id of a token of the window.
  template <class Device>
  EP_INLINE void SetBits(Device& device, uint32_t token, uint32_t expert) {
    if (expert >= shape_.Experts()) return;  // -1, or what the dispatch will refuse
    const uint32_t bit = 1u << token % 32;
    device.OrShared(Bits(shape_.ranks + expert) + token / 32, bit);
    device.OrShared(Bits(memory_.experts.Of(expert)) + token / 32, bit);
  }
  // Of all tokens below `token`, which is of the window at hand or the first behind it.
  uint32_t CountBelow(uint32_t entry, uint32_t token) const {
    const uint32_t* bits = Bits(entry);
    const uint32_t in_window = token - first_token_;
    uint32_t count = memory_.begin[entry];
    EP_ROLLED
    for (uint32_t w = 0; w < in_window / 32; ++w) {
      count += static_cast<uint32_t>(stdlib::popcount(bits[w]));
    }
    if (in_window % 32 == 0) return count;
    const uint32_t mask = (1u << in_window % 32) - 1;
    return count + static_cast<uint32_t>(stdlib::popcount(bits[in_window / 32] & mask));
  }

  const Shape& shape_;
  const BitmapPlanMemory memory_;
  const int32_t* topk_idx_ = nullptr;
  uint32_t tokens_ = 0;
  uint32_t first_token_ = 0;
  uint32_t words_ = 0;   // of bits of an entry
  uint32_t stride_ = 0;  // from its first to the next one's
  uint32_t bad_token_ = kNoToken;
};

}  // namespace ep

#endif  // CSRC_PROTOCOL_BITMAP_PLAN_H_
