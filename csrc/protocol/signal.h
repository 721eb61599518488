// Words between a worker and its peers: what it announces as its crews complete chunks, and what it
// awaits.
//
// On a GPU one crew of each worker does nothing else (Device::kSignals): a word that is awaited
// costs the whole multiprocessor its first-level cache, and one that is announced a fence for the
// whole system. The other crews add to counters, and find what has come, in the worker's fast
// memory. On a CPU a worker's only crew does both itself.
#ifndef CSRC_PROTOCOL_SIGNAL_H_
#define CSRC_PROTOCOL_SIGNAL_H_

#include "csrc/protocol/device.h"
#include "csrc/protocol/rank.h"
#include "csrc/protocol/wait.h"

namespace ep {

// The words that a worker awaits.
template <class Device, class List>
class Arrivals {
 public:
  Arrivals(const RankContext& context, const Working& working, const List& list)
      : context_(context), mail_(working.mail), list_(list) {}

  const List& list() const { return list_; }

  // Whether word i is there; with `waits` not before it is. kViolation if the rank has failed
  // meanwhile.
  EP_INLINE Verdict Look(Device& device, Waiting& waiting, uint32_t i, bool waits) {
    EP_ROLLED
    for (uint32_t misses = 0;; ++misses) {
      const Verdict verdict = LookOnce(device, waiting, i);
      if (verdict != Verdict::kNotYet || !waits) return verdict;
      if constexpr (!Device::kSignals) {
        if (GivesUp(device, context_, waiting, misses, list_.At(i).peer, sight_.value)) {
          return Verdict::kViolation;
        }
      } else {
        if (device.SeeFast(mail_.stop) != 0) return Verdict::kViolation;
        device.RelaxFast();
      }
    }
  }
  // What word i announces, which is there.
  SlotRange Slots(Device&, uint32_t i) const {
    if constexpr (Device::kSignals) return FlagRange(mail_.slots[i]);
    return FlagRange(sight_.value);
  }

  // Of the signal crew.
  bool Left() const { return base_ < list_.Size(); }
  // Looks at the words that it awaits next, a lane each, and delivers those that are there. kReady
  // if some were new.
  EP_INLINE Verdict Poll(Device& device, const Waiting& waiting) {
    const uint32_t i = base_ + device.Lane();
    const bool awaits = i < list_.Size() && list_.Awaits(i);
    if (awaits && sight_.verdict == Verdict::kNotYet) {
      sight_ = SeeWord(device, context_, waiting, list_, i);
      if (sight_.verdict == Verdict::kReady) mail_.slots[i] = static_cast<uint32_t>(sight_.value);
    }
    if (device.AnyOfCrew(sight_.verdict == Verdict::kViolation)) return Verdict::kViolation;
    // What is not awaited is there.
    const uint32_t there = device.Ballot(!awaits || sight_.verdict == Verdict::kReady);
    if (there == delivered_) return Verdict::kNotYet;
    delivered_ = there;
    device.SyncCrew();
    if (device.Lane() == 0) device.StoreFast(mail_.there + base_ / Device::kLanes, there);
    if (there != device.Ballot(true)) return Verdict::kReady;
    base_ += Device::kLanes;
    delivered_ = 0;
    sight_ = {};
    return Verdict::kReady;
  }
  // Whose word it awaits next; any peer, if none.
  uint32_t MissingPeer() const {
    const uint32_t first = base_ + static_cast<uint32_t>(stdlib::countr_one(delivered_));
    return first < list_.Size() ? list_.At(first).peer : context_.Peer(0);
  }

 private:
  EP_INLINE Verdict LookOnce(Device& device, Waiting& waiting, uint32_t i) {
    if constexpr (Device::kSignals) {
      const uint32_t there = device.SeeFast(mail_.there + i / Device::kLanes);
      return there >> i % Device::kLanes & 1 ? Verdict::kReady : Verdict::kNotYet;
    }
    sight_ = SeeWord(device, context_, waiting, list_, i);
    return sight_.verdict;
  }

  const RankContext& context_;
  const Mail mail_;
  const List list_;
  // Of the signal crew: lane l looks at word base_ + l; the bits of those that it has delivered.
  uint32_t base_ = 0;
  uint32_t delivered_ = 0;
  Sight sight_;
};

// A crew has completed a piece of the worker's n-th chunk; ends() tells a worker with one crew
// whether it was the last. sender.Raise(device, n) announces the chunk, on one lane.
template <class Device, class Sender, class Ends>
EP_INLINE void CompletePiece(Device& device, const Working& working, Sender& sender, uint32_t n,
                             Ends ends) {
  if constexpr (Device::kSignals) {
    device.Add(working.mail.pending + n, 1);
  } else if (ends()) {
    device.Release();
    sender.Raise(device, n);
  }
}

// A signal crew leaves, whose worker has all that it awaits: who asks the host only when no other
// worker waits for peers. gives_up(misses) says whether it must stop to wait for that.
template <class Device, class GivesUp>
EP_INLINE bool StayForOthers(Device& device, const RankContext& context, GivesUp gives_up) {
  uint32_t* served = &context.tickets->served;
  if (device.Worker() != 0) {
    if (device.Lane() == 0) device.Arrive(served);
    return true;
  }
  EP_ROLLED
  for (uint32_t misses = 0;; ++misses) {
    const uint32_t others = device.From(device.Arrived(served), 0);
    if (others + 1 == device.Workers()) break;
    if (gives_up(misses)) return false;
  }
  if (device.Lane() == 0) *served = 0;
  return true;
}

// What a signal crew does for its worker. A Sender has, for those of the worker's chunks that have
// rows,
//   Chunks()           how many
//   Work(n)            of how many pieces the n-th is
//   Raise(device, n)   announces it, on one lane, once Release has been called
template <class Device, class Sender, class List>
class SignalCrew {
 public:
  SignalCrew(const RankContext& context, const Working& working, Sender& sender,
             Arrivals<Device, List>& arrivals)
      : context_(context), mail_(working.mail), sender_(sender), arrivals_(arrivals) {}

  // Announces chunks as they are completed, and delivers what arrives, until so many are announced
  // and, if `awaits_all`, all has arrived. Returns false if the rank has failed.
  EP_INLINE bool Serve(Device& device, Waiting& waiting, uint32_t chunks, bool awaits_all) {
    bool good = true;
    EP_ROLLED
    for (uint32_t misses = 0; good && (Announced() < chunks || (awaits_all && arrivals_.Left()));) {
      bool moved = Announced() < chunks && Announce(device);
      if (arrivals_.Left()) {
        const Verdict verdict = arrivals_.Poll(device, waiting);
        moved |= verdict == Verdict::kReady;
        good = verdict != Verdict::kViolation;
      }
      if (moved) {
        misses = 0;
      } else if (good) {
        good = !GivesUp(device, context_, waiting, misses++, arrivals_.MissingPeer(), 0);
      }
    }
    if (!good && device.Lane() == 0) device.StoreFast(mail_.stop, 1);
    return good && (!awaits_all || Leave(device, waiting));
  }

 private:
  EP_INLINE bool Leave(Device& device, Waiting& waiting) {
    return StayForOthers(device, context_, [&](uint32_t misses) {
      return GivesUp(device, context_, waiting, misses, context_.Peer(0), 0);
    });
  }

  uint32_t Announced() const { return base_ + static_cast<uint32_t>(stdlib::popcount(announced_)); }

  // Announces what is complete of the next chunks, a lane each. Returns whether there was any.
  EP_INLINE bool Announce(Device& device) {
    const uint32_t n = base_ + device.Lane();
    const bool waits = n < sender_.Chunks() && !(announced_ >> device.Lane() & 1);
    const bool complete = waits && device.LoadFast(mail_.pending + n) == sender_.Work(n);
    const uint32_t now = device.Ballot(complete);
    if (now == 0) return false;
    if (complete) {
      device.Release();
      sender_.Raise(device, n);
    }
    announced_ |= now;
    if (announced_ == device.Ballot(true)) {
      base_ += Device::kLanes;
      announced_ = 0;
    }
    return true;
  }

  const RankContext& context_;
  const Mail mail_;
  Sender& sender_;
  Arrivals<Device, List>& arrivals_;
  // Lane l looks after chunk base_ + l; the bits of those that are announced.
  uint32_t base_ = 0;
  uint32_t announced_ = 0;
};

}  // namespace ep

#endif  // CSRC_PROTOCOL_SIGNAL_H_
