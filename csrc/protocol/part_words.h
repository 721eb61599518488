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

// A List. Its tables are in the worker's fast memory.
class PartWords {
 public:
  // `first` [ranks] and `before` [ranks]: by how manieth peer, its first chunk and how many words
  // those before it have; before[ranks - 1] is how many there are in all.
  PartWords(const RankContext& context, uint32_t bank, uint32_t* first, uint32_t* before)
      : context_(context), bank_(bank), first_(first), before_(before) {}

  // Fills the tables for tokens of chunks [share.begin, share.end), by one lane.
  EP_INLINE void Find(const uint32_t* chunk_slots, Share share) const {
    const uint32_t ranks = context_.shape.ranks;
    const uint32_t slots = context_.shape.chunk_tokens;
    uint32_t words = 0;
    EP_ROLLED
    for (uint32_t p = 0; p + 1 < ranks; ++p) {
      const uint32_t peer = context_.Peer(p);
      first_[p] = chunk_slots[share.begin * ranks + peer] / slots;
      before_[p] = words;
      uint32_t end = (chunk_slots[share.end * ranks + peer] + slots - 1) / slots;
      // A rank sees some word of every peer in every epoch, also where it needs none.
      if (share.begin == 0 && end == 0) end = 1;
      if (share.Count() > 0 && end > first_[p]) words += end - first_[p];
    }
    before_[ranks - 1] = words;
  }

  uint32_t Size() const { return before_[context_.shape.ranks - 1]; }
  // The number of a peer's word of a chunk.
  uint32_t Of(uint32_t peer, uint32_t chunk) const {
    const uint32_t after = context_.rank + 1;
    const uint32_t p = peer >= after ? peer - after : peer + context_.shape.ranks - after;
    return before_[p] + chunk - first_[p];
  }
  Word At(uint32_t i) const {
    uint32_t p = 0;
    EP_ROLLED
    while (i >= before_[p + 1]) ++p;
    const uint32_t peer = context_.Peer(p);
    return {peer, context_.layout.SumWord(bank_, peer, first_[p] + i - before_[p])};
  }
  bool IsRight(uint32_t, uint64_t value) const {
    const SlotRange slots = FlagRange(value);
    return slots.begin <= slots.end && slots.end <= context_.shape.tokens &&
           slots.Count() <= context_.shape.chunk_tokens;
  }

 private:
  const RankContext& context_;
  const uint32_t bank_;
  uint32_t* const first_;
  uint32_t* const before_;
};

}  // namespace ep::combine

#endif  // CSRC_PROTOCOL_PART_WORDS_H_
