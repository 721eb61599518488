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
EP_INLINE void Describe(Device& device, const Step& step, uint32_t token, const TokenPlan& plan,
                        uint32_t d, RowMeta* meta, Store store) {
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

// Whether this rank's own rows go to the output at once: where the counts are out. A message has
// counts and rows together, so with proxied peers nobody can wait for counts before rows leave.
template <class Device, class Plan>
bool LandsOwn(const Plan& plan) {
  return !kIsPosting<Device> && plan.CountsAreOut();
}

// A crew's share of its worker's chunks, piece by piece.
template <class Device, class Plan>
class Pusher {
 public:
  // Where the counts are out, this rank's own rows go to the output, and `step.working.places` is
  // filled before the first is pushed; else they go through the bank as if to a peer.
  Pusher(Device& device, const Step& step, Plan& plan)
      : step_(step),
        plan_(plan),
        share_(ChunksOfWorker(device, step.context.shape)),
        first_(share_.begin * ChunkTokens()),
        end_(first_ + TokensOf(step.context.shape, step.input.tokens, share_)),
        queue_(step.working.mail.taken) {}

  // Announces this worker's chunks without tokens, by all its lanes.
  EP_INLINE void RaiseEmpty(Device& device) {
    const uint32_t ranks = step_.context.shape.ranks;
    const uint32_t count = (share_.Count() - Chunks()) * ranks;
    EP_ROLLED
    for (uint32_t i = device.Thread(); i < count; i += device.Threads()) {
      RaiseFlag(device, i % ranks, share_.begin + Chunks() + i / ranks, {0, 0});
    }
  }

  bool IsBeforeFirst() const { return window_ == kBeforeFirst; }
  // Windows of tokens that this worker looks at one after the other.
  uint32_t Windows() const {
    return (end_ - first_ + plan_.WindowTokens() - 1) / plan_.WindowTokens();
  }
  // Looks at the next window, by all lanes of the worker. Returns false if there is none; there is
  // always a first one.
  EP_INLINE bool NextWindow(Device& device) {
    if (IsBeforeFirst())
      window_ = first_;
    else if (window_ >= end_)
      return false;
    const uint32_t left = end_ - window_;
    const uint32_t tokens = left < plan_.WindowTokens() ? left : plan_.WindowTokens();
    plan_.Load(device, step_.input.topk_idx, step_.input.tokens, end_ == first_ ? 0 : window_,
               end_ == first_ ? 0 : window_ + tokens);
    window_ += tokens;
    return true;
  }
  // Chunks of this worker up to the end of the window.
  uint32_t ChunksUpToWindow() const {
    return (window_ - first_ + ChunkTokens() - 1) / ChunkTokens();
  }

  // Whether a piece of the window is left for this crew, which pushes.
  EP_INLINE bool Left(Device& device) {
    if (!queue_.Begun()) queue_.Next(device);
    return queue_.At() < (window_ - first_) * step_.working.out.count;
  }

  // Pushes the next piece. Returns false, with the reason recorded, if the token is as it must not
  // be.
  EP_INLINE bool Push(Device& device) {
    const uint32_t token = first_ + queue_.At() / step_.working.out.count;
    const uint32_t chunk = token / ChunkTokens();
    if (chunk != chunk_) plan_.Begin(FirstToken(chunk));
    chunk_ = chunk;
    if (!PushPiece(device, token, step_.working.out[queue_.At() % step_.working.out.count])) {
      return false;
    }
    queue_.Next(device);
    CompletePiece(device, step_.working, *this, chunk - share_.begin, [&] {
      const uint32_t next = first_ + queue_.At() / step_.working.out.count;
      return next >= EndToken(chunk);
    });
    return true;
  }

  // A Sender of csrc/protocol/signal.h.
  uint32_t Chunks() const { return (end_ - first_ + ChunkTokens() - 1) / ChunkTokens(); }
  uint32_t Work(uint32_t n) const {
    return (EndToken(share_.begin + n) - FirstToken(share_.begin + n)) * step_.working.out.count;
  }
  EP_INLINE void Raise(Device& device, uint32_t n) {
    const uint32_t chunk = share_.begin + n;
    EP_ROLLED
    for (uint32_t i = 0; i < step_.context.shape.ranks; ++i) {
      const uint32_t peer = step_.context.Peer(i);
      const SlotRange slots = plan_.Slots(peer, FirstToken(chunk), EndToken(chunk));
      RaiseFlag(device, i, chunk, slots);
      KeepSlots(chunk, peer, slots);
    }
  }

 private:
  static constexpr uint32_t kBeforeFirst = 0xFFFFFFFF;

  bool LandsOwn() const { return dispatch::LandsOwn<Device>(plan_); }
  uint32_t ChunkTokens() const { return step_.context.shape.chunk_tokens; }
  uint32_t FirstToken(uint32_t chunk) const { return chunk * ChunkTokens(); }
  uint32_t EndToken(uint32_t chunk) const {
    const uint32_t end = FirstToken(chunk) + ChunkTokens();
    return end < step_.input.tokens ? end : step_.input.tokens;
  }
  static uint32_t TokensOf(const Shape& shape, uint32_t tokens, Share share) {
    const uint32_t first = share.begin * shape.chunk_tokens;
    const uint32_t most = share.Count() * shape.chunk_tokens;
    const uint32_t left = tokens > first ? tokens - first : 0;
    return left < most ? left : most;
  }

  // Where a chunk's slots begin, and behind the last one all later ones'.
  void KeepSlots(uint32_t chunk, uint32_t peer, SlotRange slots) {
    const uint32_t ranks = step_.context.shape.ranks;
    const uint32_t chunks = step_.context.shape.Chunks();
    step_.handle.chunk_slots[chunk * ranks + peer] = slots.begin;
    if (EndToken(chunk) < step_.input.tokens) return;
    EP_ROLLED
    for (uint32_t c = chunk + 1; c <= chunks; ++c) {
      step_.handle.chunk_slots[c * ranks + peer] = slots.end;
    }
  }

  EP_INLINE void RaiseFlag(Device& device, uint32_t i, uint32_t chunk, SlotRange slots) {
    device.RaiseFlag(step_.context,
                     {Op::kDispatch, step_.epoch, step_.context.Peer(i), chunk, slots});
  }

  EP_INLINE bool PushPiece(Device& device, uint32_t token, Piece piece) {
    const RankContext& context = step_.context;
    const bool outside = Device::kTakesPacked && context.shape.quantize == Quantize::kOutside;
    const uint64_t first_channel = uint64_t{token} * context.shape.hidden;
    const Bf16* channels = outside ? nullptr : step_.input.rows + first_channel;
    auto fetched =
        device.Fetch(context.shape, channels,
                     outside ? Piece{} : Pieces::Step(piece, piece.first, Device::kHeldChannels));
    const TokenPlan* plan = plan_.Find(device, token, piece.first == 0 || LandsOwn());
    if (plan == nullptr) return BadToken(device);
    uint32_t copies = 0;
    if (LandsOwn() && !FindOwn(device, token, *plan, piece, &copies)) return false;
    if (piece.first == 0) DescribeToAll(device, token, *plan);
    EP_ROLLED
    for (uint32_t at = piece.first; plan->destination_count > 0;) {
      const Piece step = Pieces::Step(piece, at, Device::kHeldChannels);
      const auto row =
          outside ? device.FetchPacked(
                        step_.input.codes + first_channel,
                        step_.input.scales + uint64_t{token} * context.shape.ScalesPerRow(), step)
                  : device.Pack(context.shape, fetched, step);
      if (device.AnyOfCrew(!row.finite)) {
        Fail(device, context,
             {ErrorKind::kInfiniteInput, Op::kDispatch, step_.epoch, 0, token, 0, 0});
        return false;
      }
      at += Device::kHeldChannels;
      const bool more = at < piece.first + piece.count;
      const auto fetch = [&] {
        fetched =
            device.Fetch(context.shape, channels, Pieces::Step(piece, at, Device::kHeldChannels));
      };
      // What was packed makes room for the next step's channels, which come while it leaves.
      if (Device::kTakesPacked && more && !outside) fetch();
      PutRow(device, *plan, copies, row);
      if (!Device::kTakesPacked && more) fetch();
      if (!more) break;
    }
    return true;
  }

  // Finds where this rank's own copies of a row lie. Returns false if they cannot lie there.
  EP_INLINE bool FindOwn(Device& device, uint32_t token, const TokenPlan& plan, Piece piece,
                         uint32_t* copies) {
    uint32_t own = 0;
    EP_ROLLED
    while (own < plan.destination_count && plan.destinations[own].rank != step_.context.rank) ++own;
    if (own == plan.destination_count) return true;
    const uint32_t slot = plan.destinations[own].slot;
    device.SyncCrew();  // nobody still reads the description before
    Describe(device, step_, token, plan, own, &step_.working.crew->Meta(),
             [](auto* to, const auto& value) { *to = value; });
    device.SyncCrew();
    *copies = FindCopies(device, step_, step_.context.rank, slot);
    if (*copies == 0) return false;
    if (piece.first == 0) KeepRow(device, step_, step_.context.rank, slot, *copies);
    return true;
  }

  // Puts a step of a token's row to each of its destinations, beginning behind this rank, so that
  // not all ranks write to the same one first.
  template <class Row>
  EP_INLINE void PutRow(Device& device, const TokenPlan& plan, uint32_t copies, const Row& row) {
    const RankContext& context = step_.context;
    const Layout& layout = context.layout;
    const uint32_t peers = plan.destination_count - (copies > 0);
    uint32_t d = 0;
    EP_ROLLED
    while (d < plan.destination_count && plan.destinations[d].rank <= context.rank) ++d;
    EP_ROLLED
    for (uint32_t i = 0; i < peers + copies; ++i) {
      uint8_t* payload;
      float* scales;
      if (i < peers) {
        if (d == plan.destination_count) d = 0;
        const Destination to = plan.destinations[d++];
        payload = context.There<uint8_t>(to.rank, layout.Row(step_.bank, to.slot));
        scales = context.There<float>(to.rank, layout.Scales(step_.bank, to.slot));
      } else {
        const uint64_t to = step_.working.crew->rows[i - peers];
        payload = step_.output.rows + to * layout.RowBytes();
        scales = step_.output.scales + to * context.shape.ScalesPerRow();
      }
      device.PutRow(row, payload, scales);
    }
  }

  // Describes a row to its destinations, and remembers them.
  EP_INLINE void DescribeToAll(Device& device, uint32_t token, const TokenPlan& plan) {
    const RankContext& context = step_.context;
    EP_ROLLED
    for (uint32_t d = 0; d < plan.destination_count; ++d) {
      const Destination to = plan.destinations[d];
      if (LandsOwn() && to.rank == context.rank) continue;
      const uint64_t meta = context.layout.Meta(step_.bank, to.slot);
      Describe(device, step_, token, plan, d, context.There<RowMeta>(to.rank, meta),
               [&](auto* at, const auto& value) { device.Store(at, value); });
    }
    KeepDestinations(device, step_, token, plan);
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
  const Share share_;
  const uint32_t first_;  // token of this worker
  const uint32_t end_;
  uint32_t window_ = kBeforeFirst;  // where the next one begins
  uint32_t chunk_ = 0xFFFFFFFF;     // of the last piece
  Queue<Device> queue_;
};

}  // namespace ep::dispatch

#endif  // CSRC_PROTOCOL_PUSH_H_
