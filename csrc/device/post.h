// How workers reach peers whose memory is not mapped: they ring a bell, and find mail.
//
// What a rank sends such a peer goes into an image of its pair area there, words included. The last
// word of an operation rings the peer's bell, a word of the host's. A proxy of the host's
// (csrc/proxy) moves the message; the peer's proxy leaves mail, another word of the host's, once
// all has arrived. Who of a rank asks the host takes it: it raises in its own region the words that
// came with the rows, and from there on nothing differs from a peer that is mapped. Where that is
// more than one worker, as on CPUs, each raises the same.
//
// Bells and mail are flags (csrc/protocol/flag.h), one for each (operation, bank, peer). None is
// overwritten unread:
//   * a bell of e+2 is rung after a word of the peer's e+1 was seen, so the peer had ended e, so it
//     had our message of e, which our proxy sent after it had read the bell of e;
//   * the mail of e+2 comes from a peer that has seen a word of our e+1, which we raise when we
//   have
//     ended e, and so had taken that mail.
#ifndef CSRC_DEVICE_POST_H_
#define CSRC_DEVICE_POST_H_

#include "csrc/protocol/device.h"
#include "csrc/protocol/message.h"
#include "csrc/protocol/rank.h"
#include "csrc/protocol/wait.h"

namespace ep {

// What a device is that posts, over one that maps all its peers. Of that it needs besides
//   AddLast(counter, of)            adds 1, with the order of all who add; whether it was the last
//                                   of so many, which puts the counter back to 0
//   StoreForHost(word, value)       with release order for the host as well
//   ReleaseOwn()                    puts all that came before ahead of the words that this lane
//                                   raises next
//   RaiseOwn(word, value)           a word of its own region
template <class Base>
class PostDevice : public Base {
 public:
  using Base::Base;
  static constexpr bool kPosts = true;

  // Where a peer is proxied, what adds words up and the bell order what came before: a fence for
  // the whole system, of which a GPU's takes 1.5 us, is left to words of peers that are mapped.
  void Release() { released_ = false; }
  void RaiseFlag(const RankContext& context, const Message& message) {
    if (!context.IsProxied(message.peer)) {
      if (!released_) Base::Release();
      released_ = true;
      return Base::RaiseFlag(context, message);
    }
    const Layout& layout = context.layout;
    const uint32_t bank = BankOf(message.epoch);
    const uint32_t words = layout.Words(message.op);
    auto* posted = context.There<uint64_t>(message.peer, layout.PostedWords(message.op, bank));
    Base::Store(posted + message.Index(), message.Value());
    Gathered& gathered = *context.post.GatheredFor(message.op, message.peer);
    // The counts, and the last chunk of a combine, end where the rows do.
    if (message.Index() == (message.op == Op::kDispatch ? 0 : words - 1)) {
      gathered.rows = message.slots.end;
    }
    if (!Base::AddLast(&gathered.words, words)) return;
    Base::StoreForHost(context.post.Bell(message.op, bank, message.peer),
                       MakeFlag(message.epoch, gathered.rows));
  }

  // Raises what has come of an operation, by all lanes of a crew that has looked in vain.
  void TakeMail(const RankContext& context, const Waiting& waiting) {
    if (!AsksTheHost(*this)) return;
    EP_ROLLED
    for (uint32_t base = 0; base < context.shape.ranks; base += Base::kLanes) {
      const uint32_t peer = base + Base::Lane();
      const Verdict mail = peer < context.shape.ranks && context.IsProxied(peer)
                               ? LookForMail(context, waiting, peer)
                               : Verdict::kNotYet;
      uint32_t come = Base::Ballot(mail == Verdict::kReady);
      // What lies behind a word that one lane has read is there for all.
      Base::SyncCrew();
      EP_ROLLED
      for (; come != 0; come &= come - 1) {
        RaiseWords(context, waiting, base + static_cast<uint32_t>(stdlib::countr_zero(come)));
      }
    }
  }

 private:
  // kReady if there is mail whose words are not raised yet.
  Verdict LookForMail(const RankContext& context, const Waiting& waiting, uint32_t peer) {
    const uint32_t bank = BankOf(waiting.epoch);
    const uint64_t* raised =
        context.Own<const uint64_t>(context.layout.WordsOf(waiting.op, bank, peer)) +
        context.layout.Words(waiting.op) - 1;
    if (FlagEpoch(Base::LoadAcquire(raised)) == waiting.epoch) return Verdict::kNotYet;
    const uint64_t mail = Base::LoadAcquire(context.post.Mail(waiting.op, bank, peer));
    const Verdict verdict = Judge(mail, waiting.epoch);
    if (verdict == Verdict::kViolation) {
      Fail(*this, context, {ErrorKind::kViolation, waiting.op, waiting.epoch, peer, mail, 0, 0});
    }
    return verdict;
  }

  // All words of a peer, counts first, the last one last.
  void RaiseWords(const RankContext& context, const Waiting& waiting, uint32_t peer) {
    const Layout& layout = context.layout;
    const uint32_t bank = BankOf(waiting.epoch);
    const uint32_t words = layout.Words(waiting.op);
    const auto* posted =
        context.InboxOf<const uint64_t>(peer, layout.PostedWords(waiting.op, bank));
    auto* raised = context.Own<uint64_t>(layout.WordsOf(waiting.op, bank, peer));
    // Once: a fence for each word would cost a GPU some microseconds where there are many.
    Base::ReleaseOwn();
    EP_ROLLED
    for (uint32_t i = Base::Lane(); i < words; i += Base::kLanes) {
      Base::RaiseOwn(raised + i, posted[i]);
    }
  }

  bool released_ = false;  // since this lane has last been told to
};

}  // namespace ep

#endif  // CSRC_DEVICE_POST_H_
