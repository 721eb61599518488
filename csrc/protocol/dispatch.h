// Dispatch: every token's row goes to the ranks that hold its experts, once each, and is laid out
// there for the experts: fanned out to their slots, or kept once (OutputLayout).
//
//   plan -> tell counts -> await counts, place -> push chunk by chunk | lay out chunk by chunk
//
// Every rank tells every peer its counts and announces every chunk in every epoch, also where there
// are no rows, and leaves only when it has seen all words of all peers, each by some worker: that
// is what makes two banks enough (csrc/protocol/epoch.h).
//
// All lanes of a rank call Dispatch together; csrc/protocol/device.h says what a device policy
// provides, csrc/protocol/plan.h what a plan does.
#ifndef CSRC_PROTOCOL_DISPATCH_H_
#define CSRC_PROTOCOL_DISPATCH_H_

#include "csrc/protocol/count.h"
#include "csrc/protocol/device.h"
#include "csrc/protocol/lay_out.h"
#include "csrc/protocol/place.h"
#include "csrc/protocol/push.h"
#include "csrc/protocol/signal.h"
#include "csrc/protocol/wait.h"

namespace ep {

namespace dispatch {

// Pushes what is left of a window, if this crew `pushes`; then, of the `last`, awaits and lays out
// what comes. Returns false, with the reason recorded, if that does not end well.
template <class Device, class Plan>
EP_INLINE bool Move(Device& device, Pusher<Device, Plan>& pusher, Receiver<Device>& receiver,
                    Waiting& waiting, bool pushes, bool last) {
  EP_ROLLED
  while (pushes && pusher.Left(device)) {
    if (!pusher.Push(device)) return false;
  }
  if (!last) return true;
  receiver.Begin(device);
  EP_ROLLED
  while (receiver.Left()) {
    const Verdict verdict = receiver.Look(device, waiting, true);
    if (verdict == Verdict::kViolation) return false;
    if (verdict == Verdict::kReady && !receiver.LayOut(device)) return false;
  }
  return true;
}

}  // namespace dispatch

// Runs one lane's part of a dispatch. Returns false, with the reason in context.error, if the
// dispatch did not end well; this rank can do nothing more then.
template <class Device, class Plan>
bool Dispatch(Device& device, const RankContext& context, const DispatchInput& input, Plan& plan,
              const Working& working, const DispatchOutput& output, const Handle& handle) {
  const Epoch epoch = Next(context.epochs->dispatch);
  const dispatch::Step step = {context, epoch, BankOf(epoch), input, output, handle, working};
  // Where the counts are out, the places are found before rows move. Then rows are laid out while
  // others leave, and those that stay here need no bank. Else counts and rows are under way
  // together.
  const bool lands_own = dispatch::LandsOwn<Device>(plan);
  dispatch::Pusher<Device, Plan> pusher(device, step, plan);
  dispatch::Receiver<Device> receiver(device, step, !lands_own);
  Waiting waiting = {Op::kDispatch, epoch};
  SignalCrew signals(context, working, pusher, receiver.arrivals());
  if (!EnterOperation(device, context, working.mail, pusher.Chunks(),
                      receiver.arrivals().list().Size())) {
    return false;
  }
  if (device.EnterLast(&context.tickets->entered)) context.epochs->dispatch = epoch;
  pusher.RaiseEmpty(device);
  // All of a worker meet at each of its windows: with several, nothing is laid out before the last.
  const bool together = lands_own && pusher.Windows() <= 1;
  const bool pushes = !together || device.Crew() < working.senders;
  bool good = true;
  // Whoever has failed still comes along where all of a worker meet.
  EP_ROLLED
  for (bool last = false; !last;) {
    const bool first = pusher.IsBeforeFirst();
    last = !pusher.NextWindow(device) || together;
    if (first && !plan.CountsAreOut() && device.Worker() == 0) {
      TellCounts(device, context, epoch, plan);
    }
    if (lands_own ? first : last) {
      if (device.Any(!good) || !dispatch::Place(device, step, waiting)) return false;
    }
    if (!good) continue;
    if constexpr (Device::kSignals) {
      if (IsSignalCrew(device)) {
        // Where all find the places after they have pushed, none must wait for a fence before; but
        // a message that has the counts waits for all that is announced.
        if (last || lands_own || kIsPosting<Device>) {
          good = signals.Serve(device, waiting, pusher.ChunksUpToWindow(), last);
        }
        continue;
      }
    }
    good = dispatch::Move(device, pusher, receiver, waiting, pushes, last);
  }
  if (good && context.shape.layout == OutputLayout::kContig) dispatch::ZeroPadding(device, step);
  return good;
}

}  // namespace ep

#endif  // CSRC_PROTOCOL_DISPATCH_H_
