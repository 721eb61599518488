// The sending half of a dispatch: each token's row, once to every rank that holds some of its
// experts, and a word for each chunk of tokens that is through.
#ifndef CSRC_PROTOCOL_PUSH_H_
#define CSRC_PROTOCOL_PUSH_H_

#include "csrc/protocol/device.h"
#include "csrc/protocol/dispatch_step.h"
#include "csrc/protocol/land.h"
#include "csrc/protocol/message.h"
#include "csrc/protocol/plan.h"
#include "csrc/protocol/rank.h"
#include "csrc/protocol/signal.h"

namespace ep::dispatch {

// Describes a token's row to its d-th destination; each lane writes its selections with
// store(to, value).
template <class Device, class Store>
EP_INLINE void Describe(Device& device, const Step& step, uint32_t token, const TokenPlan& plan, uint32_t d,
              RowMeta* meta, Store store) {
  const uint32_t topk = step.context.shape.topk;
  const float* weights = step.input.topk_weights + uint64_t{token} * topk;
  EP_ROLLED
  for (uint32_t j = device.Lane(); j < topk; j += Device::kLanes) {
    if (plan.destination_of[j] != d) continue;
    const uint32_t before = plan.before[j];
    const uint8_t all = plan.selections[d];
    if (before == 0) store(meta, RowMeta{token, all, {}});
    store(meta->Placements() + before, plan.placements[j]);
    store(meta->Weights(all) + before, weights[j]);
  }
}

// What the destinations were told, for the rows that come back one a selection.
template <class Device>
void KeepSelections(Device& device, const Step& step, uint32_t token, const TokenPlan& plan) {
  const uint32_t topk = step.context.shape.topk;
  Selection* kept = step.handle.selections + uint64_t{token} * topk;
  const float* weights = step.input.topk_weights + uint64_t{token} * topk;
  EP_ROLLED
  for (uint32_t j = device.Lane(); j < topk; j += Device::kLanes) {
    uint32_t before = 0;  // selections of any destination before this one
    EP_ROLLED
    for (uint32_t i = 0; i < j; ++i) before += plan.destination_of[i] != TokenPlan::kNowhere;
    const bool selects = plan.destination_of[j] != TokenPlan::kNowhere;
    if (selects) {
      kept[before] = {plan.destinations[plan.destination_of[j]], plan.before[j], weights[j]};
    }
    if (j + 1 == topk) {
      step.handle.selection_count[token] = static_cast<uint8_t>(before + selects);
    }
  }
}

// Remembers where a token's row goes, and where its selections' rows come back from.
template <class Device>
void KeepDestinations(Device& device, const Step& step, uint32_t token, const TokenPlan& plan) {
  Destination* kept =
      step.handle.destinations + uint64_t{token} * step.context.shape.MaxDestinations();
  const uint32_t most = step.context.shape.MaxDestinations();
  EP_ROLLED
  for (uint32_t d = device.Lane(); d < most; d += Device::kLanes) {
    kept[d] = d < plan.destination_count ? plan.destinations[d] : kNoDestination;
  }
  if (step.context.shape.sum == CombineSum::kExpert) KeepSelections(device, step, token, plan);
}

// Lands one piece of a row that stays on this rank, without the bank.
template <class Device, class Row>
EP_INLINE bool LandOwn(Device& device, const Step& step, uint32_t token, const TokenPlan& plan, uint32_t d,
             Piece piece, const Row& row) {
  device.SyncCrew();  // nobody still reads the description before
  Describe(device, step, token, plan, d, &step.working.crew->Meta(),
           [](auto* to, const auto& value) { *to = value; });
  device.SyncCrew();
  return Land(device, step, step.context.rank, plan.destinations[d].slot, piece,
              [&](uint8_t* rows, float* scales) { device.PutRow(row, rows, scales); });
}

// A crew's share of its worker's chunks, piece by piece.
template <class Device, class Plan>
class Pusher {
 public:
  // With `lands_own`, this rank's own rows go to the output, and `step.working.places` is filled
  // before the first is pushed; else they go through the bank as if to a peer.
  Pusher(Device& device, const Step& step, Plan& plan, bool lands_own)
      : step_(step),
        plan_(plan),
        lands_own_(lands_own),
        share_(ChunkShare::Of(device, step.context.shape.Chunks())),
        full_(FullChunks(step.context.shape, step.input.tokens, share_)),
        chunk_(share_.begin),
        chunk_end_(share_.begin),
        i_(device.Crew()) {
    const uint32_t tokens = step.input.tokens;
    const uint32_t first = share_.begin * ChunkTokens();
    const uint32_t end = share_.end * ChunkTokens();
    const uint32_t last = end < tokens ? end : tokens;
    const bool has_tokens = first < last;
    tile_ = has_tokens ? first / plan.TileTokens() : 0;
    tile_end_ = has_tokens ? (last + plan.TileTokens() - 1) / plan.TileTokens() : 1;
  }

  // Announces this worker's chunks without tokens, by all its lanes.
  void RaiseEmpty(Device& device) {
    const uint32_t ranks = step_.context.shape.ranks;
    const uint32_t count = (share_.Count() - full_) * ranks;
    EP_ROLLED
    for (uint32_t i = device.Thread(); i < count; i += device.Threads()) {
      RaiseFlag(device, i % ranks, share_.begin + full_ + i / ranks, {0, 0});
    }
  }

  // Looks at the next tile, by all lanes of the worker. Returns false if there is none; there is
  // always one.
  EP_INLINE bool NextTile(Device& device) {
    if (tile_ == tile_end_) return false;
    plan_.Load(device, step_.input.topk_idx, step_.input.tokens, tile_);
    ++tile_;
    const uint64_t tile_end = uint64_t{tile_} * plan_.TileTokens();
    const uint64_t chunks = (tile_end + ChunkTokens() - 1) / ChunkTokens();
    const uint32_t last = share_.begin + full_;
    chunk_end_ = chunks < last ? static_cast<uint32_t>(chunks) : last;
    // A worker without tokens looks at a tile of others.
    if (chunk_end_ < share_.begin) chunk_end_ = share_.begin;
    begins_ = true;
    FindChunk(device);
    return true;
  }
  // Chunks of this worker up to the end of the tile.
  uint32_t ChunksUpToTile() const { return chunk_end_ - share_.begin; }

  // A Sender of csrc/protocol/signal.h.
  uint32_t Chunks() const { return full_; }
  uint32_t Work(uint32_t n) const {
    return (EndToken(share_.begin + n) - FirstToken(share_.begin + n)) * step_.working.out.count;
  }
  EP_INLINE void Raise(Device& device, uint32_t n) {
    const uint32_t chunk = share_.begin + n;
    EP_ROLLED
    for (uint32_t i = 0; i < step_.context.shape.ranks; ++i) {
      RaiseFlag(device, i, chunk,
                plan_.Slots(step_.context.Peer(i), FirstToken(chunk), EndToken(chunk)));
    }
  }

  // Whether a piece of the tile is left.
  bool Left() const { return chunk_ < chunk_end_; }

  // Pushes the next piece. Returns false, with the reason recorded, if the token is as it must not
  // be.
  EP_INLINE bool Push(Device& device) {
    const uint32_t first = FirstToken(chunk_);
    if (begins_) plan_.Begin(first);
    begins_ = false;
    if (!PushPiece(device, first + i_ / step_.working.out.count, step_.working.out[i_ % step_.working.out.count])) {
      return false;
    }
    i_ += device.Crews();
    ++done_;
    FindChunk(device);
    return true;
  }

 private:
  uint32_t ChunkTokens() const { return step_.context.shape.chunk_tokens; }
  uint32_t FirstToken(uint32_t chunk) const { return chunk * ChunkTokens(); }
  uint32_t EndToken(uint32_t chunk) const {
    const uint32_t end = FirstToken(chunk) + ChunkTokens();
    return end < step_.input.tokens ? end : step_.input.tokens;
  }
  static uint32_t FullChunks(const Shape& shape, uint32_t tokens, ChunkShare share) {
    const uint32_t full = (tokens + shape.chunk_tokens - 1) / shape.chunk_tokens;
    const uint32_t end = full < share.end ? full : share.end;
    return end > share.begin ? end - share.begin : 0;
  }

  // Goes on to the chunk that this crew's next piece is of, over those that it is through with.
  EP_INLINE void FindChunk(Device& device) {
    EP_ROLLED
    for (; chunk_ < chunk_end_; ++chunk_) {
      const uint32_t n = chunk_ - share_.begin;
      const uint32_t work = Work(n);
      if (i_ < work) return;
      i_ -= work;  // crews count on from chunk to chunk
      if (done_ > 0) Complete(device, step_.working, *this, n, done_);
      done_ = 0;
      begins_ = true;
    }
  }

  EP_INLINE void RaiseFlag(Device& device, uint32_t i, uint32_t chunk, SlotRange slots) {
    device.RaiseFlag(step_.context,
                     {Op::kDispatch, step_.epoch, step_.context.Peer(i), chunk, slots});
  }

  EP_INLINE bool PushPiece(Device& device, uint32_t token, Piece piece) {
    const RankContext& context = step_.context;
    if (context.shape.quantize == Quantize::kOutside) {
      const auto row = device.FetchPacked(
          step_.input.codes + uint64_t{token} * context.shape.hidden,
          step_.input.scales + uint64_t{token} * context.shape.ScalesPerRow(), piece);
      const TokenPlan* plan = plan_.Find(device, token, piece.first == 0 || lands_own_);
      return plan == nullptr ? BadToken(device) : PutRows(device, token, *plan, piece, row);
    }
    const auto channels =
        device.Fetch(context.shape, step_.input.rows + uint64_t{token} * context.shape.hidden, piece);
    const TokenPlan* plan = plan_.Find(device, token, piece.first == 0 || lands_own_);
    if (plan == nullptr) return BadToken(device);
    if (plan->destination_count == 0) return PutRows(device, token, *plan, piece, Nothing());
  // Puts one piece of a token's row to each of its destinations, beginning behind this rank, so
  // that not all ranks write to the same one first.
  template <class Row>
  EP_INLINE bool PutRows(Device& device, uint32_t token, const TokenPlan& plan, Piece piece, const Row& row) {
    const RankContext& context = step_.context;
    const Layout& layout = context.layout;
    const uint32_t count = plan.destination_count;
    uint32_t d = 0;
    EP_ROLLED
    while (d < count && plan.destinations[d].rank <= context.rank) ++d;
    EP_ROLLED
    for (uint32_t i = 0; i < count; ++i, ++d) {
      if (d == count) d = 0;
      const Destination to = plan.destinations[d];
      if (lands_own_ && to.rank == context.rank) {
        if (!LandOwn(device, step_, token, plan, d, piece, row)) return false;
        continue;
      }
      device.PutRow(row, context.In<uint8_t>(to.rank, layout.Row(step_.bank, context.rank, to.slot)),
                    context.In<float>(to.rank, layout.Scales(step_.bank, context.rank, to.slot)));
      if (piece.first != 0) continue;
      Describe(device, step_, token, plan, d,
               context.In<RowMeta>(to.rank, layout.Meta(step_.bank, context.rank, to.slot)),
               [&](auto* at, const auto& value) { device.Store(at, value); });
    }
    return true;
  }

  bool BadToken(Device& device) {
    if (plan_.BadToken() != kNoToken) {
      Fail(device, step_.context,
           {ErrorKind::kBadExpert, Op::kDispatch, step_.epoch, 0, plan_.BadToken(), 0, 0});
    }
    return false;
  }

  const Step& step_;
  Plan& plan_;
  const bool lands_own_;
  const ChunkShare share_;
  const uint32_t full_;  // of which so many have tokens
  uint32_t tile_;        // the next
  uint32_t tile_end_;
  uint32_t chunk_;
  uint32_t chunk_end_;  // of the tile
  uint32_t i_;         // this crew's next piece of the chunk
  uint32_t done_ = 0;  // pieces of it that this crew is through with
  bool begins_ = true;
};

}  // namespace ep::dispatch

#endif  // CSRC_PROTOCOL_PUSH_H_
