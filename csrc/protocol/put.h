// How a GPU reaches ranks whose memory is not mapped: it puts messages and adds to counters.
//
// Of a peer that is not mapped, RankContext::regions has an image: memory of this rank with the
// layout of a region, of which flags and extents are touched and nothing else. Bodies write into it
// and read out of it as if it were the peer's region. What moves, moves with a flag:
//
//   dispatch   our image of the peer  ->  the peer's region         at the same offsets, and
//   combine    our region's partials  ->  the peer's image of us    then the flag in its region
//
// Networks of this kind have counters to add to and no store of a word (UCX's device API). A flag
// has a single writer, so the difference to what was sent last, modulo 2^64, brings the peer's word
// to the new value in one step. What was sent last stands in the image's own word of the flag, so
// image and peer's word begin with the same value: 0, as a region does.
//
// The add orders nothing by itself, nor does UCX's: a fence for the whole system comes before each.
// It covers what other lanes put, too, if a barrier or a ticket lies between.
//
// Nobody waits until a message has left before he writes anew where it was sent from, and none has
// to. That happens two epochs later, and who starts e+2 has seen the peer's flag of e+1; so the
// peer had finished e; so it had seen our flag of e, which lies behind the data. The network has
// read all of it by then, however late it reads. The other way about, what arrives from e+2 meets
// nobody who still reads e, for the same reason as on mapped memory: we have seen the peer's flag
// of e+1, which it raises when it is done with e (csrc/protocol/epoch.h).
#ifndef CSRC_PROTOCOL_PUT_H_
#define CSRC_PROTOCOL_PUT_H_

#include "csrc/protocol/epoch.h"
#include "csrc/protocol/extents.h"
#include "csrc/protocol/flag.h"
#include "csrc/protocol/rank.h"
#include "csrc/protocol/std.h"

namespace ep {

// What puts to a peer write to; both null where the peer is mapped, and for this rank itself.
struct PutPeer {
  uint8_t* region;
  uint8_t* image_of_us;  // the peer's image of our region
};

// A device policy that puts; csrc/protocol/device.h lists what it asks of Base besides.
template <class Base>
class PutDevice : public Base {
 public:
  // `peers` is [ranks]. It and the context outlive the device.
  PutDevice(const Base& base, const PutPeer* peers, const RankContext& context)
      : Base(base), peers_(peers), context_(context) {}

  void StoreRelease(uint64_t* flag, uint64_t value) {
    const Word word = Find(flag);
    if (word.peer == context_.rank) return Base::StoreRelease(flag, value);
    ForEachExtent(word, value, [&](uint8_t* to, const uint8_t* from, uint64_t bytes) {
      Base::PutAlone(to, from, bytes);
    });
    Base::FenceSystem();
    AddDifference(word, flag, value);
  }

 protected:
  // Where a flag stands: a peer that is not mapped, or this rank, which stands for all that is; and
  // its offset in the peer's region.
  struct Word {
    uint32_t peer;
    uint64_t offset;
  };

  Word Find(const uint64_t* flag) const {
    const auto at = reinterpret_cast<uint64_t>(flag);
    for (uint32_t peer = 0; peer < context_.shape.ranks; ++peer) {
      if (peers_[peer].region == nullptr) continue;
      const uint64_t offset = at - reinterpret_cast<uint64_t>(context_.regions[peer]);
      if (offset < context_.layout.SizeBytes()) return {peer, offset};
    }
    return {context_.rank, 0};
  }

  // Calls each(to, from, bytes) for all that a flag announces.
  template <class Each>
  void ForEachExtent(Word word, uint64_t value, Each each) const {
    const Layout& layout = context_.layout;
    const uint32_t bank = BankOf(FlagEpoch(value));
    const uint32_t rows = FlagRows(value);
    const bool dispatches = word.offset == layout.DispatchFlag(bank, context_.rank);
    const uint8_t* from = context_.regions[dispatches ? word.peer : context_.rank];
    uint8_t* to = dispatches ? peers_[word.peer].region : peers_[word.peer].image_of_us;
    const auto each_at = [&](uint64_t offset, uint64_t bytes) {
      each(to + offset, from + offset, bytes);
    };
    if (dispatches) {
      ForEachDispatchExtent(context_.shape, layout, bank, context_.rank, rows, each_at);
    } else {
      ForEachCombineExtent(layout, bank, word.peer, rows, each_at);
    }
  }

  // `flag` is the image's word.
  void AddDifference(Word word, uint64_t* flag, uint64_t value) {
    const uint64_t last = *flag;
    *flag = value;
    Base::AddRelaxedSystem(reinterpret_cast<uint64_t*>(peers_[word.peer].region + word.offset),
                           value - last);
  }

  const PutPeer* const peers_;
  const RankContext& context_;
};

}  // namespace ep

#endif  // CSRC_PROTOCOL_PUT_H_
