// Dispatch: every token's row goes to the ranks that hold its experts, once each, and is laid out
// there for the experts: fanned out to their slots, or kept once (OutputLayout).
//
//   plan, quantise, push  ->  flag every peer  ->  await every peer  ->  lay out
//
// Flags go to every peer in every epoch, also where there are no rows: that is what makes two
// banks enough (csrc/protocol/epoch.h).
//
// All lanes of a rank call Dispatch together; csrc/protocol/device.h says what a device policy
// provides, csrc/protocol/plan.h what a plan does.
#ifndef CSRC_PROTOCOL_DISPATCH_H_
#define CSRC_PROTOCOL_DISPATCH_H_

#include "csrc/protocol/device.h"
#include "csrc/protocol/plan.h"
#include "csrc/protocol/rank.h"
#include "csrc/protocol/wait.h"

namespace ep {

struct DispatchInput {
  uint32_t tokens;            // of this rank
  const Bf16* rows;           // [tokens, hidden]
  const int32_t* topk_idx;    // [tokens, topk]
  const float* topk_weights;  // [tokens, topk]
  // Quantize::kOutside only, and instead of `rows`, which is null then.
  const E4m3* codes = nullptr;    // [tokens, hidden]
  const float* scales = nullptr;  // [tokens, Shape::ScalesPerRow()]
};

// Rank and token that a received row comes from.
struct Source {
  uint32_t rank;
  uint32_t token;
};
// Of a row that only fills up its expert's.
inline constexpr Source kNoSource = {0xFFFFFFFF, 0xFFFFFFFF};

// Row tensors. Their blocks begin at Places::begin. Where rows fan out, block x has the rows of
// local expert x, Places::counts[x] of them, ordered by source rank, then by token; else block s
// has those of source s, Places::rows_from[s] of them, by token. In layout `contig` the rows from
// one expert's last to the next one's first are zeroed.
struct DispatchOutput {
  uint8_t* rows;    // of Layout::RowBytes(): E4M3 or BF16
  float* scales;    // [hidden / 128]; FP8 only
  Source* sources;  // one a row
  uint8_t* metas;   // of Layout::MetaStride(): who takes a row, where none is fanned out
};

namespace dispatch {

// What goes where in one dispatch.
struct Step {
  const RankContext& context;
  Epoch epoch;
  uint32_t bank;
  const DispatchInput& input;
  const DispatchOutput& output;
  const Handle& handle;
};

// Describes a token's row to each of its destinations; each lane writes its selections.
template <class Device>
void PutMetas(Device& device, const Step& step, uint32_t token, const TokenPlan& plan) {
  const RankContext& context = step.context;
  const uint32_t topk = context.shape.topk;
  for (uint32_t j = device.Lane(); j < topk; j += Device::kLanes) {
    const uint32_t d = plan.destination_of[j];
    if (d == TokenPlan::kNowhere) continue;
    uint8_t before = 0;  // selections of the same destination, before this one and in all
    uint8_t all = 0;
    for (uint32_t i = 0; i < topk; ++i) {
      const bool same = plan.destination_of[i] == d;
      before += same && i < j;
      all += same;
    }
    const Destination to = plan.destinations[d];
    auto* meta =
        context.In<RowMeta>(to.rank, context.layout.Meta(step.bank, context.rank, to.slot));
    if (before == 0) device.Store(meta, RowMeta{token, all, {}});
    device.Store(meta->Placements() + before, plan.placements[j]);
    device.Store(meta->Weights(all) + before, step.input.topk_weights[uint64_t{token} * topk + j]);
  }
}

// What PutMetas told the destinations, for the rows that come back one a selection.
template <class Device>
void KeepSelections(Device& device, const Step& step, uint32_t token, const TokenPlan& plan) {
  const uint32_t topk = step.context.shape.topk;
  Selection* kept = step.handle.selections + uint64_t{token} * topk;
  const float* weights = step.input.topk_weights + uint64_t{token} * topk;
  for (uint32_t j = device.Lane(); j < topk; j += Device::kLanes) {
    uint32_t before = 0;       // selections of any destination before this one
    uint32_t before_here = 0;  // of the same
    for (uint32_t i = 0; i < j; ++i) {
      before += plan.destination_of[i] != TokenPlan::kNowhere;
      before_here += plan.destination_of[i] == plan.destination_of[j];
    }
    const bool selects = plan.destination_of[j] != TokenPlan::kNowhere;
    if (selects) {
      kept[before] = {plan.destinations[plan.destination_of[j]], before_here, weights[j]};
    }
    if (j + 1 == topk) {
      step.handle.selection_count[token] = static_cast<uint8_t>(before + selects);
    }
  }
}

// Remembers where a token's row goes, and where its selections' rows come back from.
template <class Device>
void Keep(Device& device, const Step& step, uint32_t token, const TokenPlan& plan) {
  Destination* kept =
      step.handle.destinations + uint64_t{token} * step.context.shape.MaxDestinations();
  for (uint32_t d = device.Lane(); d < plan.destination_count; d += Device::kLanes) {
    kept[d] = plan.destinations[d];
  }
  if (device.Lane() == 0) {
    step.handle.destination_count[token] = static_cast<uint8_t>(plan.destination_count);
  }
  if (step.context.shape.sum == CombineSum::kExpert) KeepSelections(device, step, token, plan);
}

// Puts one piece of a token's row to each of its destinations, beginning behind this rank, so that
// not all ranks write to the same one first.
template <class Device, class Row>
void PutRows(Device& device, const Step& step, const TokenPlan& plan, const Row& row) {
  const RankContext& context = step.context;
  const uint32_t count = plan.destination_count;
  uint32_t d = 0;
  while (d < count && plan.destinations[d].rank <= context.rank) ++d;
  for (uint32_t i = 0; i < count; ++i, ++d) {
    if (d == count) d = 0;
    const Destination to = plan.destinations[d];
    device.PutRow(
        row, context.In<uint8_t>(to.rank, context.layout.Row(step.bank, context.rank, to.slot)),
        context.In<float>(to.rank, context.layout.Scales(step.bank, context.rank, to.slot)));
  }
}

// Pushes this crew's pieces of this worker's tiles. Returns false if this lane saw what must not
// be.
template <class Device, class Plan>
bool PushRows(Device& device, const Step& step, Plan& plan) {
  const RankContext& context = step.context;
  const DispatchInput& input = step.input;
  const uint32_t tokens = input.tokens;
  const Pieces<Device> pieces = {context.shape.hidden};
  const uint32_t tiles = tokens == 0 ? 1 : (tokens + Plan::kTileTokens - 1) / Plan::kTileTokens;
  const TileShare share = TileShare::Of(device, tiles);
  uint32_t infinite = kNoToken;
  for (uint32_t tile = share.first_tile; tile < tiles; tile += share.tile_step) {
    const uint32_t begin = tile * Plan::kTileTokens;
    const uint32_t left = tokens - begin;
    const uint32_t work = (left < Plan::kTileTokens ? left : Plan::kTileTokens) * pieces.Count();
    plan.Load(device, input.topk_idx, tokens, tile);
    for (uint32_t i = share.crew; i < work; i += share.crews) {
      const uint32_t token = begin + i / pieces.Count();
      const Piece piece = pieces[i % pieces.Count()];
      const auto channels =
          device.Fetch(context.shape, input.rows + uint64_t{token} * context.shape.hidden, piece);
      const TokenPlan* found = plan.Find(device, token);
      if (found == nullptr) break;
      if (found->destination_count > 0) {
        const auto row = device.Pack(context.shape, channels, piece);
        if (!row.finite) infinite = token;
        PutRows(device, step, *found, row);
      }
      if (piece.first != 0) continue;
      PutMetas(device, step, token, *found);
      Keep(device, step, token, *found);
    }
  }
  plan.Complete(device);
  if (plan.BadToken() != kNoToken) {
    Fail(device, context,
         {ErrorKind::kBadExpert, Op::kDispatch, step.epoch, 0, plan.BadToken(), 0, 0});
  } else if (infinite != kNoToken) {
    Fail(device, context,
         {ErrorKind::kInfiniteInput, Op::kDispatch, step.epoch, 0, infinite, 0, 0});
  }
  return plan.BadToken() == kNoToken && infinite == kNoToken;
}

// Tells every peer how many rows each of its experts gets.
template <class Device, class Plan>
void PutCounts(Device& device, const Step& step, const Plan& plan) {
  const RankContext& context = step.context;
  const uint32_t experts = context.shape.experts_per_rank;
  for (uint32_t x = device.Thread(); x < context.shape.Experts(); x += device.Threads()) {
    auto* counts =
        context.In<uint16_t>(x / experts, context.layout.Counts(step.bank, context.rank));
    device.Store(counts + x % experts, static_cast<uint16_t>(plan.SelectionsOfExpert(x)));
  }
}

template <class Device, class Plan>
void RaiseFlags(Device& device, const Step& step, const Plan& plan) {
  const RankContext& context = step.context;
  for (uint32_t i = device.Thread(); i < context.shape.ranks; i += device.Threads()) {
    const uint32_t peer = context.Peer(i);
    const uint64_t flag = context.layout.DispatchFlag(step.bank, context.rank);
    device.StoreRelease(context.In<uint64_t>(peer, flag),
                        MakeFlag(step.epoch, plan.RowsToRank(peer)));
  }
}

// The first source that counts more selections than its tokens can make here.
inline uint32_t WhoCountsTooMany(const Step& step) {
  const RankContext& context = step.context;
  const Shape& shape = context.shape;
  for (uint32_t source = 0; source < shape.ranks; ++source) {
    const auto* counts =
        context.In<const uint16_t>(context.rank, context.layout.Counts(step.bank, source));
    uint64_t sum = 0;
    for (uint32_t x = 0; x < shape.experts_per_rank; ++x) sum += counts[x];
    if (sum > uint64_t{shape.tokens} * shape.MaxSelectionsPerRow()) return source;
  }
  return context.rank;
}

// Rows from the first of a block to that of the next; 0 where blocks lie one behind the other.
inline uint32_t BlockStride(const Step& step) {
  const Shape& shape = step.context.shape;
  if (shape.layout == OutputLayout::kExpert) return step.handle.expert_stride;
  return shape.layout == OutputLayout::kRank ? shape.tokens : 0;
}

// Says where each block of rows begins, where they lie one behind the other, from the counts of
// all. Returns false if they are more than there can be, which would lead out of the output.
template <class Device>
bool PlaceBlocks(Device& device, const Step& step, const Places& places) {
  const Shape& shape = step.context.shape;
  const bool contig = shape.layout == OutputLayout::kContig;
  const uint32_t blocks = shape.Blocks();
  uint64_t row = 0;  // that block `next` begins with
  uint32_t next = 0;
  bool fits = true;
  for (uint32_t block = device.Thread(); block <= blocks; block += device.Threads()) {
    for (; next < block; ++next) {
      row += contig ? RoundUp(places.counts[next], kContigRows) : places.rows_from[next];
    }
    places.begin[block] = static_cast<uint32_t>(row);
    if (block < blocks || !contig || row <= shape.MaxContigRows()) continue;
    Fail(device, step.context,
         {ErrorKind::kViolation, Op::kDispatch, step.epoch, WhoCountsTooMany(step), row, 0, 0});
    fits = false;
  }
  return !device.Any(!fits);
}

// Turns the sources' counts into the place where each source's rows begin at each expert, and each
// block of rows. Returns false if a source counts more rows than it can have, which would lead out
// of the output.
template <class Device>
bool PlaceSources(Device& device, const Step& step, const Places& places) {
  const RankContext& context = step.context;
  const uint32_t experts = context.shape.experts_per_rank;
  const uint32_t stride = BlockStride(step);
  for (uint32_t block = device.Thread(); stride != 0 && block <= context.shape.Blocks();
       block += device.Threads()) {
    places.begin[block] = block * stride;
  }
  bool good = true;
  // All counts at once, then their sums: a lane that added up its expert's counts as it loads them
  // would wait for each.
  for (uint32_t i = device.Thread(); i < context.shape.Experts(); i += device.Threads()) {
    const uint32_t source = i / experts;
    const uint32_t count = context.In<const uint16_t>(
        context.rank, context.layout.Counts(step.bank, source))[i % experts];
    places.first_row[i] = count;
    if (count <= context.shape.tokens) continue;
    Fail(device, context, {ErrorKind::kViolation, Op::kDispatch, step.epoch, source, count, 0, 0});
    good = false;
  }
  if (device.Any(!good)) return false;
  for (uint32_t x = device.Thread(); x < experts; x += device.Threads()) {
    uint32_t row = 0;
    for (uint32_t i = x; i < context.shape.Experts(); i += experts) {
      const uint32_t count = places.first_row[i];
      places.first_row[i] = row;
      row += count;
    }
    places.counts[x] = row;
  }
  device.Sync();
  return stride != 0 || PlaceBlocks(device, step, places);
}

// One worker leaves the places to the combines to come.
template <class Device>
void KeepPlaces(Device& device, const Shape& shape, const Places& places, const Places& kept) {
  if (device.Worker() != 0) return;
  for (uint32_t i = device.Thread(); i < shape.Experts(); i += device.Threads()) {
    kept.first_row[i] = places.first_row[i];
    if (i < shape.experts_per_rank) kept.counts[i] = places.counts[i];
    if (i < shape.ranks) kept.rows_from[i] = places.rows_from[i];
  }
  for (uint32_t i = device.Thread(); i <= shape.Blocks(); i += device.Threads()) {
    kept.begin[i] = places.begin[i];
  }
}

// Whether a meta that `source` wrote points into the output. A peer's broken word must end in an
// error, not in a write outside of it.
inline bool InBounds(const RankContext& context, const RowMeta& meta, uint32_t source,
                     const Places& places) {
  if (meta.token >= context.shape.tokens || meta.selections < 1 ||
      meta.selections > context.shape.MaxSelectionsPerRow()) {
    return false;
  }
  for (uint32_t i = 0; i < meta.selections; ++i) {
    const Placement at = meta.Placements()[i];
    if (at.expert >= context.shape.experts_per_rank) return false;
    if (places.FirstRow(context, source, at.expert) + at.index >= places.counts[at.expert]) {
      return false;
    }
  }
  return true;
}

// Copies one piece of one source's row out of the bank to the slots of its experts, or to its own.
// Returns false if the source describes its row as it must not.
template <class Device>
bool FanOutPiece(Device& device, const Step& step, const Places& places, uint32_t source,
                 uint32_t slot, Piece piece) {
  const RankContext& context = step.context;
  const Layout& layout = context.layout;
  const uint64_t channel_bytes = layout.RowBytes() / context.shape.hidden;
  const uint64_t first_byte = piece.first * channel_bytes;
  const auto& meta = *context.In<const RowMeta>(context.rank, layout.Meta(step.bank, source, slot));
  const auto* row = context.In<const uint8_t>(context.rank, layout.Row(step.bank, source, slot));
  const auto held = device.Read(row + first_byte, piece.count * channel_bytes);
  if (!InBounds(context, meta, source, places)) return false;
  const bool fans_out = context.shape.FansOut();
  if (piece.first == 0) {
    uint8_t* kept = fans_out ? step.handle.MetaBytes(context, source, slot)
                             : step.output.metas + places.Row(source, slot) * layout.MetaStride();
    device.Copy(kept, &meta, layout.MetaStride());
  }
  const uint32_t scales_per_row = context.shape.ScalesPerRow();
  const auto* scales =
      context.In<const float>(context.rank, layout.Scales(step.bank, source, slot));
  for (uint32_t i = 0; i < meta.selections && (fans_out || i == 0); ++i) {
    const uint64_t to =
        fans_out ? places.Row(context, source, meta.Placements()[i]) : places.Row(source, slot);
    device.Write(step.output.rows + to * layout.RowBytes() + first_byte, held);
    if (context.shape.dtype == Dtype::kFp8) {
      device.Copy(step.output.scales + to * scales_per_row + piece.FirstScale(),
                  scales + piece.FirstScale(), sizeof(float) * piece.Scales());
    }
    if (piece.first == 0 && device.Lane() == 0) step.output.sources[to] = {source, meta.token};
  }
  return true;
}

template <class Device>
void ZeroPiece(Device& device, const Step& step, uint64_t row, Piece piece) {
  const RankContext& context = step.context;
  const uint64_t channel_bytes = context.layout.RowBytes() / context.shape.hidden;
  device.Write(step.output.rows + row * context.layout.RowBytes() + piece.first * channel_bytes,
               device.Zeros(piece.count * channel_bytes));
  if (context.shape.dtype == Dtype::kFp8) {
    float* scales = step.output.scales + row * context.shape.ScalesPerRow() + piece.FirstScale();
    for (uint32_t i = device.Lane(); i < piece.Scales(); i += Device::kLanes) {
      device.Store(scales + i, 0.0f);
    }
  }
  if (piece.first == 0 && device.Lane() == 0) device.Store(step.output.sources + row, kNoSource);
}

// Zeroes this crew's share of the rows from one expert's last to the next one's first.
template <class Device>
void ZeroPadding(Device& device, const Step& step, const Places& places) {
  const Shape& shape = step.context.shape;
  const Pieces<Device> pieces = {shape.hidden};
  uint32_t i = device.Crew();  // counts on from expert to expert
  for (uint32_t x = 0; x < shape.experts_per_rank; ++x) {
    const uint64_t first = uint64_t{places.begin[x]} + places.counts[x];
    const uint32_t work = static_cast<uint32_t>(places.begin[x + 1] - first) * pieces.Count();
    for (; i < work; i += device.Crews()) {
      ZeroPiece(device, step, first + i / pieces.Count(), pieces[i % pieces.Count()]);
    }
    i -= work;
  }
}

// Fans out this crew's share of all sources' rows, those of this rank last.
template <class Device>
bool FanOut(Device& device, const Step& step, const Places& places) {
  const RankContext& context = step.context;
  const Pieces<Device> pieces = {context.shape.hidden};
  uint32_t i = device.Crew();  // counts on from source to source
  for (uint32_t s = 0; s < context.shape.ranks; ++s) {
    const uint32_t source = context.Peer(s);
    const uint32_t work = places.rows_from[source] * pieces.Count();
    for (; i < work; i += device.Crews()) {
      const uint32_t slot = i / pieces.Count();
      if (!FanOutPiece(device, step, places, source, slot, pieces[i % pieces.Count()])) {
        Fail(device, context,
             {ErrorKind::kViolation, Op::kDispatch, step.epoch, source, slot, 0, 0});
        return false;
      }
    }
    i -= work;
  }
  if (context.shape.layout == OutputLayout::kContig) ZeroPadding(device, step, places);
  return true;
}

}  // namespace dispatch

// Runs one lane's part of a dispatch. `places` is working memory of the worker. Returns false, with
// the reason in context.error, if the dispatch did not end well; this rank can do nothing more
// then.
template <class Device, class Plan>
bool Dispatch(Device& device, const RankContext& context, const DispatchInput& input, Plan& plan,
              const Places& places, const DispatchOutput& output, const Handle& handle) {
  if (device.Any(device.Failed(context.error->claimed))) return false;
  const Epoch epoch = Next(context.epochs->dispatch);
  const dispatch::Step step = {context, epoch, BankOf(epoch), input, output, handle};
  const bool good = dispatch::PushRows(device, step, plan);
  if (device.Any(!good)) return false;
  if (device.Worker() == 0) dispatch::PutCounts(device, step, plan);
  if (device.ArriveLast(&context.tickets->pushed)) {
    dispatch::RaiseFlags(device, step, plan);
    // Every worker has read it before it arrived.
    if (device.Thread() == 0) context.epochs->dispatch = epoch;
  }
  if (!AwaitAll(device, context, Op::kDispatch, epoch, places.rows_from)) return false;
  if (!dispatch::PlaceSources(device, step, places)) return false;
  dispatch::KeepPlaces(device, context.shape, places, handle.places);
  return dispatch::FanOut(device, step, places);
}

}  // namespace ep

#endif  // CSRC_PROTOCOL_DISPATCH_H_
