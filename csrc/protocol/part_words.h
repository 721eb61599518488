// The words that announce the parts of a worker's tokens: for each of its chunks of tokens and each
// peer those of the chunks in which they have slots.
#ifndef CSRC_PROTOCOL_PART_WORDS_H_
#define CSRC_PROTOCOL_PART_WORDS_H_

#include "csrc/protocol/combine_step.h"
#include "csrc/protocol/rank.h"
#include "csrc/protocol/wait.h"

namespace ep::combine {

// A List, of two words for each of the worker's chunks and each peer: a chunk's tokens have no more
// slots than a chunk of slots, which may begin and end within one. Its tables are in the worker's
// fast memory.
class PartWords {
 public:
  static constexpr uint32_t kMost = 2;  // words of a chunk and peer

  // Of chunks worker, worker + workers, …. `first` and `count` [chunks, peers]: the first chunk of
  // slots and how many are awaited.
  PartWords(const RankContext& context, uint32_t bank, uint32_t worker, uint32_t workers,
            uint32_t* first, uint32_t* count)
      : context_(context),
        bank_(bank),
        worker_(worker),
        workers_(workers),
        chunks_(MostChunksOfWorker(context.shape, workers)),
        first_(first),
        count_(count) {}

  // Fills the tables, by all lanes of the worker.
  template <class Device>
  EP_INLINE void Find(Device& device, const uint32_t* chunk_slots) const {
    const uint32_t ranks = context_.shape.ranks;
    const uint32_t slots = context_.shape.chunk_tokens;
    EP_ROLLED
    for (uint32_t i = device.Thread(); i < chunks_ * Peers(); i += device.Threads()) {
      const uint32_t chunk = worker_ + i / Peers() * workers_;
      const uint32_t peer = context_.Peer(i % Peers());
      first_[i] = count_[i] = 0;
      if (chunk >= context_.shape.Chunks()) continue;
      const uint32_t begin = chunk_slots[chunk * ranks + peer];
      const uint32_t end = chunk_slots[(chunk + 1) * ranks + peer];
      first_[i] = begin / slots;
      count_[i] = end > begin ? (end + slots - 1) / slots - begin / slots : 0;
      // A rank sees some word of every peer in every epoch, also where it needs none.
      if (chunk == 0 && count_[i] == 0) count_[i] = 1;
    }
  }

  uint32_t Size() const { return chunks_ * Peers() * kMost; }
  bool Awaits(uint32_t i) const { return i % kMost < count_[i / kMost]; }
  // The number of a peer's word of a chunk of slots, for the worker's n-th chunk of tokens.
  uint32_t Of(uint32_t n, uint32_t peer, uint32_t chunk) const {
    const uint32_t after = context_.rank + 1;
    const uint32_t p = peer >= after ? peer - after : peer + context_.shape.ranks - after;
    const uint32_t i = n * Peers() + p;
    return i * kMost + chunk - first_[i];
  }
  Word At(uint32_t i) const {
    const uint32_t peer = context_.Peer(i / kMost % Peers());
    return {peer, context_.layout.SumWord(bank_, peer, first_[i / kMost] + i % kMost)};
  }
  bool IsRight(uint32_t, uint64_t value) const {
    const SlotRange slots = FlagRange(value);
    return slots.begin <= slots.end && slots.end <= context_.shape.tokens &&
           slots.Count() <= context_.shape.chunk_tokens;
  }

 private:
  uint32_t Peers() const { return context_.shape.ranks - 1; }

  const RankContext& context_;
  const uint32_t bank_;
  const uint32_t worker_;
  const uint32_t workers_;
  const uint32_t chunks_;  // of the worker
  uint32_t* const first_;
  uint32_t* const count_;
};

}  // namespace ep::combine

#endif  // CSRC_PROTOCOL_PART_WORDS_H_
