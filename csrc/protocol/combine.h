// Combine: the experts' outputs come back weighted and summed, one row a (token, rank).
//
//   sum on the experts' rank  ->  flag every home  ->  await every rank  ->  pull and sum at home
//
// The arithmetic is part of the protocol, so that all engines give the same bits: on each rank an
// fp32 fused multiply-add per selection, in the token's own order, from 0; rounded to BF16; at
// home an fp32 sum of these in rank order, from the first; rounded to BF16. A token without
// selections gets zeros.
//
// Flags go to every peer in every epoch, as in dispatch, and all workers of a rank call Combine
// together.
#ifndef CSRC_PROTOCOL_COMBINE_H_
#define CSRC_PROTOCOL_COMBINE_H_

#include "csrc/protocol/rank.h"
#include "csrc/protocol/wait.h"

namespace ep {

namespace combine {

// Sums this worker's share of what this rank's experts made of the rows from `home`.
template <class Device>
void SumSelections(Device& device, const RankContext& context, uint32_t bank, uint32_t home,
                   const Handle& handle, const Bf16* expert_rows) {
  const uint32_t hidden = context.shape.hidden;
  for (uint32_t slot = device.Worker(); slot < handle.rows_from[home]; slot += device.Workers()) {
    const RowMeta& meta = handle.Meta(context, home, slot);
    const Bf16* rows[kMaxTopk];
    for (uint32_t i = 0; i < meta.selections; ++i) {
      rows[i] = expert_rows + handle.Row(context, home, meta.Placements()[i]) * hidden;
    }
    device.SumWeighted(context.In<Bf16>(context.rank, context.layout.Partial(bank, home, slot)),
                       rows, meta.Weights(), meta.selections, hidden);
  }
}

// Pulls and sums this worker's share of this rank's tokens.
template <class Device>
void SumRanks(Device& device, const RankContext& context, uint32_t bank, const Handle& handle,
              Bf16* combined) {
  const uint32_t hidden = context.shape.hidden;
  for (uint32_t token = device.Worker(); token < handle.tokens; token += device.Workers()) {
    const Destination* from =
        handle.destinations + uint64_t{token} * context.shape.MaxDestinations();
    const uint32_t count = handle.destination_count[token];
    const Bf16* rows[kMaxTopk];
    for (uint32_t i = 0; i < count; ++i) {
      rows[i] = context.In<const Bf16>(from[i].rank,
                                       context.layout.Partial(bank, context.rank, from[i].slot));
    }
    device.SumPartials(combined + uint64_t{token} * hidden, rows, count, hidden);
  }
}

}  // namespace combine

// Runs one worker's part of a combine on `handle`. `expert_rows` [L, handle.expert_stride, hidden]
// holds the experts' outputs at the rows where dispatch put their inputs; `combined` is
// [tokens, hidden]. Returns false, with the reason in context.error, if the combine did not end
// well; this rank can do nothing more then.
template <class Device>
bool Combine(Device& device, const RankContext& context, const Handle& handle,
             const Bf16* expert_rows, Bf16* combined) {
  if (device.Failed(context.error->claimed)) return false;
  const Epoch epoch = Next(context.epochs->combine);
  const uint32_t bank = BankOf(epoch);
  const uint32_t ranks = context.shape.ranks;
  for (uint32_t i = 0; i < ranks; ++i) {
    const uint32_t home = context.Peer(i);
    combine::SumSelections(device, context, bank, home, handle, expert_rows);
    if (!device.ArriveLast(&context.tickets->summed[home])) continue;
    device.StoreRelease(context.In<uint64_t>(home, context.layout.CombineFlag(bank, context.rank)),
                        MakeFlag(epoch, handle.rows_from[home]));
  }
  uint32_t rows[kMaxRanks];  // announced; the handle knows them
  if (!AwaitAll(device, context, Op::kCombine, epoch, rows)) return false;
  combine::SumRanks(device, context, bank, handle, combined);
  if (device.ArriveLast(&context.tickets->finished)) context.epochs->combine = epoch;
  return true;
}

}  // namespace ep

#endif  // CSRC_PROTOCOL_COMBINE_H_
