// Combine: the experts' outputs come back weighted and summed, one row a (token, rank).
//
//   sum on the experts' rank  ->  flag every home  ->  await every rank  ->  pull and sum at home
//
// The arithmetic is part of the protocol, so that all engines give the same bits: on each rank an
// fp32 fused multiply-add per selection, in the token's own order, from 0; rounded to BF16; at
// home an fp32 sum of these in rank order, from the first; rounded to BF16. A token without
// selections gets zeros. Where received rows were not fanned out, the experts' kernel has made the
// first of these sums itself, and its rows are copied.
//
// With CombineSum::kExpert nothing is summed on the experts' rank: one row a selection comes back,
// and at home an fp32 fused multiply-add per selection, in the token's own order, from 0, is
// rounded to BF16.
//
// Flags go to every peer in every epoch, as in dispatch, and all lanes of a rank call Combine
// together.
#ifndef CSRC_PROTOCOL_COMBINE_H_
#define CSRC_PROTOCOL_COMBINE_H_

#include "csrc/protocol/device.h"
#include "csrc/protocol/rank.h"
#include "csrc/protocol/wait.h"

namespace ep {

namespace combine {

// What goes where in one combine.
struct Step {
  const RankContext& context;
  Epoch epoch;
  uint32_t bank;
  const Handle& handle;
  const Bf16* expert_rows;
  Bf16* combined;
};

// Copies one piece of what this rank's experts made of a row from `home` to where it is pulled.
template <class Device>
void CopySelections(Device& device, const Step& step, uint32_t home, uint32_t slot, Piece piece) {
  const RankContext& context = step.context;
  const Places& places = step.handle.places;
  const bool fans_out = context.shape.FansOut();
  const RowMeta* meta = fans_out ? &step.handle.Meta(context, home, slot) : nullptr;
  device.CopyRows(
      sizeof(Bf16) * piece.count, fans_out ? meta->selections : 1u,
      [&](uint32_t i) {
        const uint64_t partial = context.layout.Partial(step.bank, home, slot, i);
        return context.In<Bf16>(context.rank, partial) + piece.first;
      },
      [&](uint32_t i) {
        const uint64_t row =
            fans_out ? places.Row(context, home, meta->Placements()[i]) : places.Row(home, slot);
        return step.expert_rows + row * context.shape.hidden + piece.first;
      });
}

// Sums one piece of what this rank's experts made of a row from `home`.
template <class Device>
void SumSelections(Device& device, const Step& step, uint32_t home, uint32_t slot, Piece piece) {
  const RankContext& context = step.context;
  if (!context.shape.FansOut() || context.shape.sum == CombineSum::kExpert) {
    return CopySelections(device, step, home, slot, piece);
  }
  const RowMeta& meta = step.handle.Meta(context, home, slot);
  const float* weights = meta.Weights();
  auto* partial = context.In<Bf16>(context.rank, context.layout.Partial(step.bank, home, slot));
  device.SumWeighted(
      partial + piece.first, piece.count, meta.selections,
      [&](uint32_t i) {
        const Placement at = meta.Placements()[i];
        return step.expert_rows + piece.first +
               step.handle.places.Row(context, home, at) * context.shape.hidden;
      },
      [&](uint32_t i) { return weights[i]; });
}

template <class Device>
void RaiseFlag(Device& device, const Step& step, uint32_t home, uint32_t rows) {
  const uint64_t flag = step.context.layout.CombineFlag(step.bank, step.context.rank);
  device.StoreRelease(step.context.In<uint64_t>(home, flag), MakeFlag(step.epoch, rows));
}

// Flags the homes that have no rows here, all at once: one lane that flagged them in turn would
// wait for each.
template <class Device>
void FlagEmptyHomes(Device& device, const Step& step) {
  if (device.Worker() != 0) return;
  for (uint32_t h = device.Thread(); h < step.context.shape.ranks; h += device.Threads()) {
    const uint32_t home = step.context.Peer(h);
    if (step.handle.places.rows_from[home] == 0) RaiseFlag(device, step, home, 0);
  }
}

// Sums this crew's share for all homes, this rank last, and flags each as soon as its rows are
// complete.
template <class Device>
void SumForHomes(Device& device, const Step& step) {
  const RankContext& context = step.context;
  const Pieces<Device> pieces = {context.shape.hidden};
  uint32_t i = device.Crew();  // counts on from home to home
  for (uint32_t h = 0; h < context.shape.ranks; ++h) {
    const uint32_t home = context.Peer(h);
    const uint32_t rows = step.handle.places.rows_from[home];
    if (rows == 0) continue;
    const uint32_t work = rows * pieces.Count();
    uint32_t done = 0;
    for (; i < work; i += device.Crews(), ++done) {
      SumSelections(device, step, home, i / pieces.Count(), pieces[i % pieces.Count()]);
    }
    i -= work;
    if (device.AddLast(&context.tickets->summed[home], done, work)) {
      RaiseFlag(device, step, home, rows);
    }
  }
}

// Pulls and sums one piece of all that a token's selections made.
template <class Device>
void SumAtHome(Device& device, const Step& step, uint32_t token, Piece piece) {
  const RankContext& context = step.context;
  const Selection* selections = step.handle.selections + uint64_t{token} * context.shape.topk;
  device.SumWeighted(
      step.combined + uint64_t{token} * context.shape.hidden + piece.first, piece.count,
      step.handle.selection_count[token],
      [&](uint32_t i) {
        const Selection& of = selections[i];
        const uint64_t partial =
            context.layout.Partial(step.bank, context.rank, of.from.slot, of.index);
        return context.In<const Bf16>(of.from.rank, partial) + piece.first;
      },
      [&](uint32_t i) { return selections[i].weight; });
}

// Pulls and sums this crew's share of this rank's tokens.
template <class Device>
void SumRanks(Device& device, const Step& step) {
  const RankContext& context = step.context;
  const uint32_t hidden = context.shape.hidden;
  const Pieces<Device> pieces = {hidden};
  const uint32_t work = step.handle.tokens * pieces.Count();
  for (uint32_t i = device.Crew(); i < work; i += device.Crews()) {
    const uint32_t token = i / pieces.Count();
    const Piece piece = pieces[i % pieces.Count()];
    if (context.shape.sum == CombineSum::kExpert) {
      SumAtHome(device, step, token, piece);
      continue;
    }
    const Destination* from =
        step.handle.destinations + uint64_t{token} * context.shape.MaxDestinations();
    device.SumPartials(step.combined + uint64_t{token} * hidden + piece.first, piece.count,
                       step.handle.destination_count[token], [&](uint32_t d) {
                         const uint64_t partial =
                             context.layout.Partial(step.bank, context.rank, from[d].slot);
                         return context.In<const Bf16>(from[d].rank, partial) + piece.first;
                       });
  }
}

}  // namespace combine

// Runs one lane's part of a combine on `handle`. `expert_rows` holds the experts' outputs at the
// rows where dispatch put their inputs; `combined` is [tokens, hidden]. `rows_from` [ranks] is
// working memory of the worker. Returns false, with the reason in context.error, if the combine did
// not end well; this rank can do nothing more then.
template <class Device>
bool Combine(Device& device, const RankContext& context, const Handle& handle, uint32_t* rows_from,
             const Bf16* expert_rows, Bf16* combined) {
  if (device.Any(device.Failed(context.error->claimed))) return false;
  const Epoch epoch = Next(context.epochs->combine);
  const combine::Step step = {context, epoch, BankOf(epoch), handle, expert_rows, combined};
  combine::FlagEmptyHomes(device, step);
  combine::SumForHomes(device, step);
  // Every worker has read it before it arrived.
  if (device.ArriveLast(&context.tickets->entered) && device.Thread() == 0) {
    context.epochs->combine = epoch;
  }
  // How many rows each rank announces, the handle knows.
  if (!AwaitAll(device, context, Op::kCombine, epoch, rows_from)) return false;
  combine::SumRanks(device, step);
  return true;
}

}  // namespace ep

#endif  // CSRC_PROTOCOL_COMBINE_H_
