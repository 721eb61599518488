// The words that announce the parts of a worker's tokens: of each peer those of the chunks in which
// its tokens have slots.
#ifndef CSRC_PROTOCOL_PART_WORDS_H_
#define CSRC_PROTOCOL_PART_WORDS_H_

#include "csrc/protocol/rank.h"
#include "csrc/protocol/wait.h"

namespace ep::combine {

// The most words of a peer that any worker awaits: its tokens' slots may begin and end within a
// chunk.
constexpr uint32_t MostWords(const Shape& shape, uint32_t workers) {
  const uint32_t most = (shape.Chunks() + workers - 1) / workers + 1;
  return most < shape.Chunks() ? most : shape.Chunks();
}

// A List, of MostWords for each peer, of which the last may not be awaited. Its tables are in the
// worker's fast memory.
class PartWords {
 public:
  // `first` and `count` [ranks]: of the p-th peer, the first chunk and how many are awaited.
  PartWords(const RankContext& context, uint32_t bank, uint32_t most, uint32_t* first,
            uint32_t* count)
      : context_(context), bank_(bank), most_(most), first_(first), count_(count) {}

  // Fills the tables for tokens of chunks [share.begin, share.end), by all lanes of the worker.
  template <class Device>
  EP_INLINE void Find(Device& device, const uint32_t* chunk_slots, Share share) const {
    const uint32_t ranks = context_.shape.ranks;
    const uint32_t slots = context_.shape.chunk_tokens;
    EP_ROLLED
    for (uint32_t p = device.Thread(); p + 1 < ranks; p += device.Threads()) {
      const uint32_t peer = context_.Peer(p);
      const uint32_t first = chunk_slots[share.begin * ranks + peer] / slots;
      uint32_t end = (chunk_slots[share.end * ranks + peer] + slots - 1) / slots;
      // A rank sees some word of every peer in every epoch, also where it needs none.
      if (share.begin == 0 && end == 0) end = 1;
      first_[p] = first;
      count_[p] = share.Count() > 0 && end > first ? end - first : 0;
    }
  }

  uint32_t Size() const { return (context_.shape.ranks - 1) * most_; }
  bool Awaits(uint32_t i) const { return i % most_ < count_[i / most_]; }
  // The number of a peer's word of a chunk.
  uint32_t Of(uint32_t peer, uint32_t chunk) const {
    const uint32_t after = context_.rank + 1;
    const uint32_t p = peer >= after ? peer - after : peer + context_.shape.ranks - after;
    return p * most_ + chunk - first_[p];
  }
  Word At(uint32_t i) const {
    const uint32_t peer = context_.Peer(i / most_);
    return {peer, context_.layout.SumWord(bank_, peer, first_[i / most_] + i % most_)};
  }
  bool IsRight(uint32_t, uint64_t value) const {
    const SlotRange slots = FlagRange(value);
    return slots.begin <= slots.end && slots.end <= context_.shape.tokens &&
           slots.Count() <= context_.shape.chunk_tokens;
  }

 private:
  const RankContext& context_;
  const uint32_t bank_;
  const uint32_t most_;
  uint32_t* const first_;
  uint32_t* const count_;
};

}  // namespace ep::combine

#endif  // CSRC_PROTOCOL_PART_WORDS_H_
