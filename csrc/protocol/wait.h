// Bounded waiting for peers' words.
//
// Who waits may ask the rank's host whether to stop only in one crew of a rank: a word of the
// host's costs a GPU a microsecond, and those who ask queue up. All others learn of an end from the
// rank's error, in its own memory.
#ifndef CSRC_PROTOCOL_WAIT_H_
#define CSRC_PROTOCOL_WAIT_H_

#include "csrc/protocol/device.h"
#include "csrc/protocol/error.h"
#include "csrc/protocol/flag.h"
#include "csrc/protocol/rank.h"
#include "csrc/protocol/std.h"

namespace ep {

// A word of this rank's region and the rank that writes it.
struct Word {
  uint32_t peer;
  uint64_t offset;
};

// Words to await are a List, with
//   Size()               how many
//   Awaits(i)            whether it is any
//   At(i)                a Word
//   IsRight(i, value)    whether a word of the wanted epoch may say so

// One crew's waits of one operation.
struct Waiting {
  Op op;
  Epoch epoch;
  // The first look at the clock: a wait that soon ends costs none.
  uint64_t since_ns = kNotYet;
  static constexpr uint64_t kNotYet = ~uint64_t{0};
};

// What a lane sees of one word. A violation is recorded.
struct Sight {
  uint64_t value = 0;
  Verdict verdict = Verdict::kNotYet;
};
template <class Device, class List>
EP_INLINE Sight SeeWord(Device& device, const RankContext& context, const Waiting& waiting,
                        const List& list, uint32_t i) {
  const Word word = list.At(i);
  Sight sight;
  sight.value = device.LoadAcquire(context.Own<const uint64_t>(word.offset));
  sight.verdict = Judge(sight.value, waiting.epoch);
  if (sight.verdict == Verdict::kReady && !list.IsRight(i, sight.value)) {
    sight.verdict = Verdict::kViolation;
  }
  if (sight.verdict == Verdict::kViolation) {
    Fail(device, context,
         {ErrorKind::kViolation, waiting.op, waiting.epoch, word.peer, sight.value, 0, 0});
  }
  return sight;
}

// Whether a crew that has looked in vain at `peer`'s word must give up, with the reason recorded;
// all its lanes ask, and the first one's word counts.
template <class Device>
EP_INLINE bool MustStop(Device& device, const RankContext& context, Waiting& waiting, uint32_t peer,
                        uint64_t seen) {
  bool stop = device.Failed(context.error->claimed);
  if (!stop && device.Lane() == 0) {
    const uint64_t now_ns = device.NowNs();
    if (waiting.since_ns == Waiting::kNotYet) waiting.since_ns = now_ns;
    const uint64_t waited_ns = now_ns - waiting.since_ns;
    ErrorKind kind = waited_ns > context.wait_timeout_ns ? ErrorKind::kTimeout : ErrorKind::kNone;
    if (AsksTheHost(device) && device.Aborted()) kind = ErrorKind::kAborted;
    if constexpr (kIsPosting<Device>) {
      const uint64_t failure = AsksTheHost(device) ? device.LoadAcquire(context.post.stop) : 0;
      if (failure != 0) {
        Fail(device, context,
             {StopKind(failure), waiting.op, waiting.epoch, StopPeer(failure), 0, waited_ns, 0});
        stop = true;
      }
    }
    if (kind != ErrorKind::kNone) {
      stop = true;
      Fail(device, context, {kind, waiting.op, waiting.epoch, peer, seen, waited_ns, 0});
    }
  }
  return device.AnyOfCrew(stop);
}

// The same after so many looks, of which most do not ask.
template <class Device>
EP_INLINE bool GivesUp(Device& device, const RankContext& context, Waiting& waiting,
                       uint32_t misses, uint32_t peer, uint64_t seen) {
  device.Relax(misses);
  if constexpr (kIsPosting<Device>) device.TakeMail(context, waiting);
  if (misses % Device::kPollsPerLook != Device::kPollsPerLook - 1) return false;
  return MustStop(device, context, waiting, peer, seen);
}

// A crew awaits all words of a list, a lane each at a time, and calls take(i, value) on it. Returns
// false, at the latest when the operation's time is over, with the reason recorded.
template <class Device, class List, class Take>
EP_INLINE bool AwaitWords(Device& device, const RankContext& context, Waiting& waiting,
                          const List& list, Take take) {
  EP_ROLLED
  for (uint32_t base = 0; base < list.Size(); base += Device::kLanes) {
    const uint32_t i = base + device.Lane();
    const bool awaits = i < list.Size() && list.Awaits(i);
    Sight sight;
    EP_ROLLED
    for (uint32_t misses = 0;; ++misses) {
      if (awaits && sight.verdict == Verdict::kNotYet) {
        sight = SeeWord(device, context, waiting, list, i);
        if (sight.verdict == Verdict::kReady) take(i, sight.value);
      }
      if (device.AnyOfCrew(sight.verdict == Verdict::kViolation)) return false;
      const uint32_t ready = device.Leading(!awaits || sight.verdict == Verdict::kReady);
      if (ready == Device::kLanes) break;
      if (GivesUp(device, context, waiting, misses, list.At(base + ready).peer,
                  device.From(sight.value, ready))) {
        return false;
      }
    }
  }
  return true;
}

}  // namespace ep

#endif  // CSRC_PROTOCOL_WAIT_H_
