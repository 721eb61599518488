// Dispatch: every token's row goes to the ranks that hold its experts, once each, and is fanned
// out there to the experts' slots.
//
//   plan, quantise, push  ->  flag every peer  ->  await every peer  ->  fan out
//
// Flags go to every peer in every epoch, also where there are no rows: that is what makes two
// banks enough (csrc/protocol/epoch.h).
//
// A device policy moves rows and orders memory; csrc/host/device.h documents what it provides.
// All workers of a rank call Dispatch together, each with a Handle whose last three arrays are
// its own.
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

// Rows of local expert x lie at [x * stride, x * stride + Handle::counts[x]), ordered by source
// rank, then by token; stride is Handle::expert_stride, at least MaxRowsPerExpert().
struct DispatchOutput {
  uint8_t* rows;    // [L, stride] of Layout::RowBytes(): E4M3 or BF16
  float* scales;    // [L, stride, hidden / 128]; FP8 only
  Source* sources;  // [L, stride]
};

// Working memory of one worker, sized by the shape.
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

// Pushes one token's row, with scales and meta, to each of its ranks.
template <class Device>
bool PushToken(Device& device, const RankContext& context, Epoch epoch, const DispatchInput& input,
               uint32_t token, const TokenPlan& plan, Handle* handle) {
  const Shape& shape = context.shape;
  const uint32_t bank = BankOf(epoch);
  Destination* kept = handle->destinations + uint64_t{token} * shape.MaxDestinations();
  handle->destination_count[token] = static_cast<uint8_t>(plan.destination_count);
  if (plan.destination_count == 0) return true;
  const auto row = device.LoadRow(shape, input.rows + uint64_t{token} * shape.hidden);
  if (!row.finite) {
    Fail(device, context, {ErrorKind::kInfiniteInput, Op::kDispatch, epoch, 0, token, 0, 0});
    return false;
  }
  for (uint32_t d = 0; d < plan.destination_count; ++d) {
    const Destination to = kept[d] = plan.destinations[d];
    const uint64_t meta = context.layout.Meta(bank, context.rank, to.slot);
    PutMeta(context, input, token, plan, d, context.In<RowMeta>(to.rank, meta));
    device.PutRow(row,
                  context.In<uint8_t>(to.rank, context.layout.Row(bank, context.rank, to.slot)),
                  context.In<float>(to.rank, context.layout.Scales(bank, context.rank, to.slot)));
  }
  return true;
}

// Plans all tokens and pushes this worker's share of them; the first worker pushes the counts.
template <class Device>
bool Push(Device& device, const RankContext& context, Epoch epoch, const DispatchInput& input,
          const DispatchScratch& scratch, Handle* handle) {
  const Shape& shape = context.shape;
  SequentialPlan plan(shape, scratch.rows_to_rank, scratch.selections_of_expert);
  TokenPlan token_plan;
  for (uint32_t token = 0; token < input.tokens; ++token) {
    if (!plan.Next(input.topk_idx + uint64_t{token} * shape.topk, &token_plan)) {
      Fail(device, context, {ErrorKind::kBadExpert, Op::kDispatch, epoch, 0, token, 0, 0});
      return false;
    }
    if (token % device.Workers() != device.Worker()) continue;
    if (!PushToken(device, context, epoch, input, token, token_plan, handle)) return false;
  }
  if (device.Worker() != 0) return true;
  const uint64_t bytes = sizeof(uint16_t) * shape.experts_per_rank;
  for (uint32_t peer = 0; peer < shape.ranks; ++peer) {
    device.Copy(context.In<uint8_t>(peer, context.layout.Counts(BankOf(epoch), context.rank)),
                scratch.selections_of_expert + peer * shape.experts_per_rank, bytes);
  }
  return true;
}

template <class Device>
void RaiseFlags(Device& device, const RankContext& context, Epoch epoch,
                const uint32_t* rows_to_rank) {
  for (uint32_t i = 0; i < context.shape.ranks; ++i) {
    const uint32_t peer = context.Peer(i);
    const uint64_t flag = context.layout.DispatchFlag(BankOf(epoch), context.rank);
    device.StoreRelease(context.In<uint64_t>(peer, flag), MakeFlag(epoch, rows_to_rank[peer]));
  }
}

// Turns the sources' counts into the place where each source's rows begin at each expert.
inline void PlaceSources(const RankContext& context, uint32_t bank, Handle* handle) {
  const uint32_t experts = context.shape.experts_per_rank;
  for (uint32_t x = 0; x < experts; ++x) handle->counts[x] = 0;
  for (uint32_t source = 0; source < context.shape.ranks; ++source) {
    const uint16_t* sent =
        context.In<const uint16_t>(context.rank, context.layout.Counts(bank, source));
    for (uint32_t x = 0; x < experts; ++x) {
      handle->first_row[source * experts + x] = handle->counts[x];
      handle->counts[x] += sent[x];
    }
  }
}

// Whether a meta that `source` wrote points into the output. A peer's broken word must end in an
// error, not in a write outside of it.
inline bool InBounds(const RankContext& context, const RowMeta& meta, uint32_t source,
                     const Handle& handle) {
  if (meta.token >= context.shape.tokens || meta.selections < 1 ||
      meta.selections > context.shape.topk) {
    return false;
  }
  for (uint32_t i = 0; i < meta.selections; ++i) {
    const Placement at = meta.Placements()[i];
    if (at.expert >= context.shape.experts_per_rank) return false;
    if (handle.FirstRow(context, source, at.expert) + at.index >= handle.counts[at.expert]) {
      return false;
    }
  }
  return true;
}

// Copies this worker's share of one source's rows out of the bank to the slots of their experts.
template <class Device>
bool FanOut(Device& device, const RankContext& context, Epoch epoch, uint32_t source,
            const DispatchOutput& output, Handle* handle) {
  const Shape& shape = context.shape;
  const uint32_t bank = BankOf(epoch);
  const uint64_t row_bytes = context.layout.RowBytes();
  const uint64_t stride = context.layout.MetaStride();
  for (uint32_t slot = device.Worker(); slot < handle->rows_from[source];
       slot += device.Workers()) {
    uint8_t* kept = handle->metas + (uint64_t{source} * shape.tokens + slot) * stride;
    device.Copy(kept,
                context.In<const uint8_t>(context.rank, context.layout.Meta(bank, source, slot)),
                stride);
    const RowMeta& meta = *reinterpret_cast<const RowMeta*>(kept);
    if (!InBounds(context, meta, source, *handle)) {
      Fail(device, context, {ErrorKind::kViolation, Op::kDispatch, epoch, source, slot, 0, 0});
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

// Runs one worker's part of a dispatch. Returns false, with the reason in context.error, if the
// dispatch did not end well; this rank can do nothing more then.
template <class Device>
bool Dispatch(Device& device, const RankContext& context, const DispatchInput& input,
              const DispatchScratch& scratch, const DispatchOutput& output, Handle* handle) {
  if (device.Failed(context.error->claimed)) return false;
  const Epoch epoch = Next(context.epochs->dispatch);
  if (!dispatch::Push(device, context, epoch, input, scratch, handle)) return false;
  if (device.ArriveLast(&context.tickets->pushed)) {
    dispatch::RaiseFlags(device, context, epoch, scratch.rows_to_rank);
  }
  if (!AwaitAll(device, context, Op::kDispatch, epoch, handle->rows_from)) return false;
  dispatch::PlaceSources(context, BankOf(epoch), handle);
  for (uint32_t source = 0; source < context.shape.ranks; ++source) {
    if (!dispatch::FanOut(device, context, epoch, source, output, handle)) return false;
  }
  if (device.ArriveLast(&context.tickets->finished)) context.epochs->dispatch = epoch;
  return true;
}

}  // namespace ep

#endif  // CSRC_PROTOCOL_DISPATCH_H_
