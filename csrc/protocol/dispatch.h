// Dispatch: every token's row goes to the ranks that hold its experts, once each, and is fanned
// out there to the experts' slots.
//
//   plan, quantise, push  ->  flag every peer  ->  await every peer  ->  fan out
//
// Flags go to every peer in every epoch, also where there are no rows: that is what makes two
// banks enough (csrc/protocol/epoch.h).
//
// A device policy moves rows and orders memory; csrc/host/device.h documents what it provides.
#ifndef CSRC_PROTOCOL_DISPATCH_H_
#define CSRC_PROTOCOL_DISPATCH_H_

#include "csrc/protocol/plan.h"
#include "csrc/protocol/rank.h"
#include "csrc/protocol/wait.h"

namespace ep {

struct DispatchInput {
  uint32_t tokens;            // of this rank
  const Bf16* rows;           // [tokens, hidden]
  const int32_t* topk_idx;    // [tokens, topk]
  const float* topk_weights;  // [tokens, topk]
};

// Rank and token that a packed row comes from.
struct Source {
  uint32_t rank;
  uint32_t token;
};

// Rows of local expert x lie at [x * expert_stride, x * expert_stride + counts[x]), ordered by
// source rank, then by token.
struct DispatchOutput {
  uint32_t expert_stride;  // at least MaxRowsPerExpert()
  uint8_t* rows;           // [L, expert_stride] of Layout::RowBytes(): E4M3 or BF16
  float* scales;           // [L, expert_stride, hidden / 128]; FP8 only
  Source* sources;         // [L, expert_stride]
  uint32_t* counts;        // [L]
};

// Working memory of a dispatch, sized by the shape.
struct DispatchScratch {
  uint32_t* rows_to_rank;          // [ranks]
  uint16_t* selections_of_expert;  // [experts]
};

namespace dispatch {

inline void PutMeta(const RankContext& context, const DispatchInput& input, uint32_t token,
                    const TokenPlan& plan, uint32_t destination, RowMeta* meta) {
  const uint32_t topk = context.shape.topk;
  uint8_t selections = 0;
  for (uint32_t j = 0; j < topk; ++j) selections += plan.destination_of[j] == destination;
  *meta = {token, selections, {}};
  Placement* placements = meta->Placements();
  float* weights = meta->Weights();
  for (uint32_t j = 0; j < topk; ++j) {
    if (plan.destination_of[j] != destination) continue;
    *placements++ = plan.placements[j];
    *weights++ = input.topk_weights[uint64_t{token} * topk + j];
  }
}

// Pushes every row, with scales and meta, and the counts.
template <class Device>
bool Push(Device& device, const RankContext& context, Epoch epoch, const DispatchInput& input,
          const DispatchScratch& scratch, Handle* handle) {
  const Shape& shape = context.shape;
  const uint32_t bank = BankOf(epoch);
  SequentialPlan plan(shape, scratch.rows_to_rank, scratch.selections_of_expert);
  TokenPlan token_plan;
  handle->tokens = input.tokens;
  for (uint32_t token = 0; token < input.tokens; ++token) {
    if (!plan.Next(input.topk_idx + uint64_t{token} * shape.topk, &token_plan)) {
      Fail(context, {ErrorKind::kBadExpert, Op::kDispatch, epoch, 0, token, 0});
      return false;
    }
    Destination* kept = handle->destinations + uint64_t{token} * shape.MaxDestinations();
    const uint32_t count = token_plan.destination_count;
    handle->destination_count[token] = static_cast<uint8_t>(count);
    if (count == 0) continue;
    const auto row = device.LoadRow(shape, input.rows + uint64_t{token} * shape.hidden);
    if (!row.finite) {
      Fail(context, {ErrorKind::kInfiniteInput, Op::kDispatch, epoch, 0, token, 0});
      return false;
    }
    for (uint32_t d = 0; d < count; ++d) {
      const Destination to = kept[d] = token_plan.destinations[d];
      const uint64_t meta = context.layout.Meta(bank, context.rank, to.slot);
      PutMeta(context, input, token, token_plan, d, context.In<RowMeta>(to.rank, meta));
      device.PutRow(
          row, context.In<uint8_t>(to.rank, context.layout.Row(bank, context.rank, to.slot)),
          context.In<float>(to.rank, context.layout.Scales(bank, context.rank, to.slot)));
    }
  }
  const uint64_t counts_bytes = sizeof(uint16_t) * shape.experts_per_rank;
  for (uint32_t peer = 0; peer < shape.ranks; ++peer) {
    device.Copy(context.In<uint8_t>(peer, context.layout.Counts(bank, context.rank)),
                scratch.selections_of_expert + peer * shape.experts_per_rank, counts_bytes);
  }
  return true;
}

// Turns the sources' counts into the place where each source's rows begin at each expert.
inline void PlaceSources(const RankContext& context, uint32_t bank, Handle* handle,
                         uint32_t* counts) {
  const uint32_t experts = context.shape.experts_per_rank;
  for (uint32_t x = 0; x < experts; ++x) counts[x] = 0;
  for (uint32_t source = 0; source < context.shape.ranks; ++source) {
    const uint16_t* sent =
        context.In<const uint16_t>(context.rank, context.layout.Counts(bank, source));
    for (uint32_t x = 0; x < experts; ++x) {
      handle->first_row[source * experts + x] = counts[x];
      counts[x] += sent[x];
    }
  }
}

// Whether a meta that `source` wrote points into the output. A peer's broken word must end in an
// error, not in a write outside of it.
inline bool InBounds(const RankContext& context, const RowMeta& meta, uint32_t source,
                     const Handle& handle, const uint32_t* counts) {
  if (meta.token >= context.shape.tokens || meta.selections < 1 ||
      meta.selections > context.shape.topk) {
    return false;
  }
  const uint32_t experts = context.shape.experts_per_rank;
  for (uint32_t i = 0; i < meta.selections; ++i) {
    const Placement at = meta.Placements()[i];
    if (at.expert >= experts) return false;
    if (handle.first_row[source * experts + at.expert] + at.index >= counts[at.expert]) {
      return false;
    }
  }
  return true;
}

// Copies one source's rows out of the bank to the slots of their experts.
template <class Device>
bool FanOut(Device& device, const RankContext& context, Epoch epoch, uint32_t source,
            const DispatchOutput& output, Handle* handle) {
  const Shape& shape = context.shape;
  const uint32_t bank = BankOf(epoch);
  const uint64_t row_bytes = context.layout.RowBytes();
  const uint64_t stride = context.layout.MetaStride();
  for (uint32_t slot = 0; slot < handle->rows_from[source]; ++slot) {
    uint8_t* kept = handle->metas + (uint64_t{source} * shape.tokens + slot) * stride;
    device.Copy(kept,
                context.In<const uint8_t>(context.rank, context.layout.Meta(bank, source, slot)),
                stride);
    const RowMeta& meta = *reinterpret_cast<const RowMeta*>(kept);
    if (!InBounds(context, meta, source, *handle, output.counts)) {
      Fail(context, {ErrorKind::kViolation, Op::kDispatch, epoch, source, slot, 0});
      return false;
    }
    const auto* row =
        context.In<const uint8_t>(context.rank, context.layout.Row(bank, source, slot));
    const auto* scales =
        context.In<const float>(context.rank, context.layout.Scales(bank, source, slot));
    for (uint32_t i = 0; i < meta.selections; ++i) {
      const uint64_t to = handle->Row(context, source, meta.Placements()[i]);
      output.sources[to] = {source, meta.token};
      device.Copy(output.rows + to * row_bytes, row, row_bytes);
      if (shape.dtype == Dtype::kFp8) {
        device.Copy(output.scales + to * shape.ScalesPerRow(), scales,
                    sizeof(float) * shape.ScalesPerRow());
      }
    }
  }
  return true;
}

}  // namespace dispatch

// Runs one dispatch. Returns false, with the reason in context.error, if it did not end well;
// this rank can do nothing more then.
template <class Device>
bool Dispatch(Device& device, const RankContext& context, const DispatchInput& input,
              const DispatchScratch& scratch, const DispatchOutput& output, Handle* handle) {
  if (context.error->kind != ErrorKind::kNone) return false;
  const Epoch epoch = Next(context.epochs->dispatch);
  const uint32_t bank = BankOf(epoch);
  const uint32_t ranks = context.shape.ranks;
  if (!dispatch::Push(device, context, epoch, input, scratch, handle)) return false;
  for (uint32_t i = 0; i < ranks; ++i) {
    const uint32_t peer = context.Peer(i);
    device.StoreRelease(context.In<uint64_t>(peer, context.layout.DispatchFlag(bank, context.rank)),
                        MakeFlag(epoch, scratch.rows_to_rank[peer]));
  }
  const Waiting waiting = {Op::kDispatch, epoch, device.NowNs()};
  for (uint32_t i = 0; i < ranks; ++i) {
    const uint32_t peer = context.Peer(i);
    const auto* flag =
        context.In<const uint64_t>(context.rank, context.layout.DispatchFlag(bank, peer));
    if (!AwaitFlag(device, context, waiting, peer, flag, &handle->rows_from[peer])) return false;
  }
  handle->expert_stride = output.expert_stride;
  dispatch::PlaceSources(context, bank, handle, output.counts);
  for (uint32_t source = 0; source < ranks; ++source) {
    if (!dispatch::FanOut(device, context, epoch, source, output, handle)) return false;
  }
  context.epochs->dispatch = epoch;
  return true;
}

}  // namespace ep

#endif  // CSRC_PROTOCOL_DISPATCH_H_
