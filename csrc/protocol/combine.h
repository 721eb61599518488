// Combine: the experts' outputs come back weighted and summed, one row a (token, rank).
//
//   sum on the experts' rank, push home chunk by chunk | sum at home token by token
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
// What a rank makes of its own tokens goes through no bank. Every chunk is announced to every peer
// in every epoch, as in dispatch, and all lanes of a rank call Combine together.
#ifndef CSRC_PROTOCOL_COMBINE_H_
#define CSRC_PROTOCOL_COMBINE_H_

#include "csrc/protocol/combine_step.h"
#include "csrc/protocol/device.h"
#include "csrc/protocol/send_sums.h"
#include "csrc/protocol/signal.h"
#include "csrc/protocol/sum_home.h"
#include "csrc/protocol/wait.h"

namespace ep {

namespace combine {

// Sends, if this crew `sends`; then sums at home what comes, of which what this rank makes itself
// is summed before it waits for the rest.
template <class Device, CombineSum kSum>
EP_INLINE bool Move(Device& device, SumSender<Device, kSum>& sender, HomeSummer<Device, kSum>& home,
                    Waiting& waiting, bool sends) {
  EP_ROLLED
  while (sends && sender.Left(device)) sender.Send(device);
  EP_ROLLED
  while (home.Left(device)) {
    home.Prepare(device);
    if (!home.Await(device, waiting)) return false;
    home.Sum(device);
  }
  return true;
}

}  // namespace combine

// Runs one lane's part of a combine on `handle`, whose shape sums by kSum. `expert_rows` holds the
// experts' outputs at the rows where dispatch put their inputs; `combined` is [tokens, hidden].
// Returns false, with the reason in context.error, if the combine did not end well; this rank can
// do nothing more then.
template <CombineSum kSum, class Device>
EP_INLINE bool CombineBy(Device& device, const RankContext& context, const Handle& handle,
                         const Working& working, const Bf16* expert_rows, Bf16* combined) {
  const Epoch epoch = Next(context.epochs->combine);
  const combine::Step step = {context,     epoch,    BankOf(epoch), handle,
                              expert_rows, combined, working};
  combine::SumSender<Device, kSum> sender(device, step);
  combine::HomeSummer<Device, kSum> home(device, step);
  Waiting waiting = {Op::kCombine, epoch};
  EP_ROLLED
  for (uint32_t r = device.Thread(); r < context.shape.ranks; r += device.Threads()) {
    working.places.rows_from[r] = handle.places.rows_from[r];
    if (!context.shape.FansOut()) working.places.begin[r] = handle.places.begin[r];
  }
  SignalCrew signals(context, working, sender, home.arrivals());
  sender.FindChunks(device);
  home.FindWords(device);
  if (!EnterOperation(device, context, working.mail,
                      combine::MostChunks(context.shape, device.Workers()),
                      home.arrivals().list().Size())) {
    return false;
  }
  if (device.EnterLast(&context.tickets->entered)) context.epochs->combine = epoch;
  sender.RaiseEmpty(device);
  sender.Begin();
  if constexpr (Device::kSignals) {
    if (IsSignalCrew(device)) return signals.Serve(device, waiting, sender.Chunks(), true);
  }
  // With a chunk a worker or less, all are sent before the first can have come.
  const bool sends = context.shape.Chunks() <= device.Workers() || device.Crew() < working.senders;
  if (!combine::Move(device, sender, home, waiting, sends)) return false;
  // A crew that looks itself has looked only at what it needed.
  if constexpr (!Device::kSignals) {
    return AwaitWords(device, context, waiting, home.arrivals().list(), [](uint32_t, uint64_t) {});
  }
  return true;
}

// The same for a shape that is known when it runs.
template <class Device>
bool Combine(Device& device, const RankContext& context, const Handle& handle,
             const Working& working, const Bf16* expert_rows, Bf16* combined) {
  if (context.shape.sum == CombineSum::kExpert) {
    return CombineBy<CombineSum::kExpert>(device, context, handle, working, expert_rows, combined);
  }
  return CombineBy<CombineSum::kRank>(device, context, handle, working, expert_rows, combined);
}

}  // namespace ep

#endif  // CSRC_PROTOCOL_COMBINE_H_
