// Bounded waiting for peers' words.
//
// A crew reads a list of words in order, a lane each, as many at a time as it has lanes. What it may
// know of the host it asks itself only if it is the signal crew: a word of the host's costs a GPU a
// microsecond, and those who ask queue up. All others learn of an end from the rank's error.
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

// One crew's waits of one operation.
struct Waiting {
  Op op;
  Epoch epoch;
  // The first look at the clock: a wait that soon ends costs none.
  uint64_t since_ns = kNotYet;
  static constexpr uint64_t kNotYet = ~uint64_t{0};
};

// Whether to give up a wait for `peer`'s word, last seen as `seen`, with the reason recorded. One
// lane of a crew asks, now and then.
template <class Device>
bool GivesUp(Device& device, const RankContext& context, Waiting& waiting, uint32_t peer,
             uint64_t seen) {
  if (device.Failed(context.error->claimed)) return true;
  const uint64_t now_ns = device.NowNs();
  if (waiting.since_ns == Waiting::kNotYet) waiting.since_ns = now_ns;
  const uint64_t waited_ns = now_ns - waiting.since_ns;
  ErrorKind kind = waited_ns > context.wait_timeout_ns ? ErrorKind::kTimeout : ErrorKind::kNone;
  if (IsSignalCrew(device) && device.Aborted()) kind = ErrorKind::kAborted;
  if (kind == ErrorKind::kNone) return false;
  Fail(device, context, {kind, waiting.op, waiting.epoch, peer, seen, waited_ns, 0});
  return true;
}

// Reads the words of a List in order, all lanes of a crew together. A List has
//   Size()               of how many words
//   At(i)                a Word
//   IsRight(i, value)    whether a word of the wanted epoch may say so
template <class List>
class WordReader {
 public:
  WordReader(const RankContext& context, const List& list) : context_(context), list_(list) {}

  // Reads another list, from its begin.
  void Restart(const List& list) {
    list_ = list;
    at_ = base_ = ready_ = 0;
  }

  bool Left() const { return at_ < list_.Size(); }
  uint32_t At() const { return at_; }
  // Beyond `count` words, all of which are ready.
  void Skip(uint32_t count) { at_ += count; }
  // How many words are known to be ready.
  uint32_t Ready() const { return base_ + ready_ - at_; }

  // Whether the next word is ready: as far as is known or can be seen at once, or with `waits` not
  // before it is, at the latest when the operation's time is over. A violation, and that it does not
  // come, is recorded and the answer is kViolation.
  template <class Device>
  EP_INLINE Verdict Look(Device& device, Waiting& waiting, bool waits) {
    if (Ready() > 0) return Verdict::kReady;
    base_ = at_;
    ready_ = 0;
    for (uint32_t misses = 0;; ++misses) {
      const Verdict verdict = LookOnce(device, waiting);
      if (verdict != Verdict::kNotYet || !waits) return verdict;
      if (misses % Device::kPollsPerLook == Device::kPollsPerLook - 1) {
        bool stop = false;
        // The first lane has the word that is awaited.
        if (device.Lane() == 0) {
          stop = GivesUp(device, context_, waiting, list_.At(at_).peer, seen_);
        }
        if (device.AnyOfCrew(stop)) return Verdict::kViolation;
      }
      device.Relax(misses);
    }
  }

  // Waits for all that are left.
  template <class Device>
  bool AwaitAll(Device& device, Waiting& waiting) {
    while (Left()) {
      if (Look(device, waiting, true) != Verdict::kReady) return false;
      Skip(Ready());
    }
    return true;
  }

  // What this lane has seen of the word that lies so far behind the next one as it behind the first
  // lane; good on the first Ready() lanes just after a look.
  uint64_t Seen() const { return seen_; }
  // What the next word says, which is ready.
  template <class Device>
  uint64_t Value(Device& device) const {
    return device.From(seen_, at_ - base_);
  }

 private:
  template <class Device>
  EP_INLINE Verdict LookOnce(Device& device, const Waiting& waiting) {
    const uint32_t i = base_ + device.Lane();
    Verdict verdict = Verdict::kNotYet;
    if (i < list_.Size()) {
      const Word word = list_.At(i);
      seen_ = device.LoadAcquire(context_.template In<const uint64_t>(context_.rank, word.offset));
      verdict = Judge(seen_, waiting.epoch);
      if (verdict == Verdict::kReady && !list_.IsRight(i, seen_)) verdict = Verdict::kViolation;
      if (verdict == Verdict::kViolation) {
        Fail(device, context_,
             {ErrorKind::kViolation, waiting.op, waiting.epoch, word.peer, seen_, 0, 0});
      }
    }
    if (device.AnyOfCrew(verdict == Verdict::kViolation)) return Verdict::kViolation;
    ready_ = device.Leading(verdict == Verdict::kReady);
    return ready_ > 0 ? Verdict::kReady : Verdict::kNotYet;
  }

  const RankContext& context_;
  List list_;
  uint32_t at_ = 0;
  // Lane l has seen word base_ + l, and the first `ready_` of them are good.
  uint32_t base_ = 0;
  uint32_t ready_ = 0;
  uint64_t seen_ = 0;
};

// All chunks' words of all peers.
struct AllWords {
  const RankContext& context;
  Op op;
  uint32_t bank;

  uint32_t Size() const { return (context.shape.ranks - 1) * context.shape.Chunks(); }
  Word At(uint32_t i) const {
    const uint32_t peers = context.shape.ranks - 1;
    const uint32_t peer = context.Peer(i % peers);
    const uint32_t chunk = i / peers;
    return {peer, op == Op::kDispatch ? context.layout.ChunkWord(bank, peer, chunk)
                                      : context.layout.SumWord(bank, peer, chunk)};
  }
  bool IsRight(uint32_t, uint64_t) const { return true; }
};

// What makes two banks enough: a rank leaves an operation only when every peer has come into it,
// also where it needs none of its rows. One crew sees to that for all.
template <class Device>
bool AwaitEveryPeer(Device& device, const RankContext& context, Waiting& waiting) {
  if (!IsSignalCrew(device)) return true;
  WordReader reader(context, AllWords{context, waiting.op, BankOf(waiting.epoch)});
  return reader.AwaitAll(device, waiting);
}

}  // namespace ep

#endif  // CSRC_PROTOCOL_WAIT_H_
