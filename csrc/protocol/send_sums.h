// The sending half of a combine: what this rank's experts made of peers' rows goes to their homes,
// summed here or a row a selection, and a word for each chunk of slots that is through.
#ifndef CSRC_PROTOCOL_SEND_SUMS_H_
#define CSRC_PROTOCOL_SEND_SUMS_H_

#include "csrc/protocol/combine_step.h"
#include "csrc/protocol/message.h"
#include "csrc/protocol/signal.h"

namespace ep::combine {

// How many chunks any worker can have.
constexpr uint32_t MostChunks(const Shape& shape, uint32_t workers) {
  return (shape.ranks - 1) * MostChunksOfWorker(shape, workers);
}

// A crew's share of its worker's chunks: of each peer's every n-th.
template <class Device, CombineSum kSum>
class SumSender {
 public:
  SumSender(const Device& device, const Step& step)
      : step_(step),
        workers_(device.Workers()),
        first_(step.working.tables),
        count_(step.working.tables + step.context.shape.ranks),
        queue_(step.working.mail.taken) {}

  // Announces chunks without rows, by all lanes of all workers.
  void RaiseEmpty(Device& device) {
    const RankContext& context = step_.context;
    const uint32_t chunks = context.shape.Chunks();
    const uint32_t lanes = device.Threads() * device.Workers();
    EP_ROLLED
    for (uint32_t i = device.Worker() * device.Threads() + device.Thread();
         i < (context.shape.ranks - 1) * chunks; i += lanes) {
      const uint32_t home = context.Peer(i / chunks);
      const uint32_t rows = step_.working.places.rows_from[home];
      if (i % chunks >= ChunksOf(step_, rows)) RaiseFlag(device, home, i % chunks, {rows, rows});
    }
  }

  // Finds this worker's chunks for each peer, by all its lanes. Workers take turns at who has one
  // more.
  EP_INLINE void FindChunks(Device& device) {
    const RankContext& context = step_.context;
    const uint32_t peers = context.shape.ranks - 1;
    const uint32_t workers = device.Workers();
    EP_ROLLED
    for (uint32_t p = device.Thread(); p < peers; p += device.Threads()) {
      uint32_t worker = device.Worker() + p * workers / peers;
      if (worker >= workers) worker -= workers;
      const uint32_t chunks = ChunksOf(step_, step_.handle.places.rows_from[context.Peer(p)]);
      first_[p] = worker;
      count_[p] = (chunks + workers - 1 - worker) / workers;
    }
  }
  // To the first of them, once all lanes have found.
  EP_INLINE void Begin() {
    Settle(at_);
    EP_ROLLED
    for (uint32_t p = 0; p + 1 < step_.context.shape.ranks; ++p) chunks_ += count_[p];
  }

  // Whether a piece is left for this crew, which sends.
  EP_INLINE bool Left(Device& device) {
    if (!queue_.Begun()) queue_.Next(device);
    EP_ROLLED
    while (queue_.At() < chunks_ * PerChunk()) {
      EP_ROLLED
      for (; mine_ < queue_.At() / PerChunk(); ++mine_) {
        ++at_.chunk;
        Settle(at_);
      }
      if (Row() < Slots(at_).Count()) return true;
      queue_.SkipTo(device, (mine_ + 1) * PerChunk());
    }
    return false;
  }

  EP_INLINE void Send(Device& device) {
    SendPiece(device, Home(at_), Slots(at_).begin + Row(),
              step_.working.out[queue_.At() % step_.working.out.count]);
    const uint32_t n = mine_;
    const uint32_t next = queue_.At() + 1;
    queue_.Next(device);
    CompletePiece(device, step_.working, *this, n,
                  [&] { return next == n * PerChunk() + Work(n); });
  }

  // A Sender of csrc/protocol/signal.h.
  uint32_t Chunks() const { return chunks_; }
  uint32_t Work(uint32_t n) const { return Slots(Chunk(n)).Count() * step_.working.out.count; }
  EP_INLINE void Raise(Device& device, uint32_t n) {
    const Place at = Chunk(n);
    RaiseFlag(device, Home(at), ChunkOf(at), Slots(at));
  }

 private:
  // Pieces are counted as if every chunk were full.
  uint32_t PerChunk() const {
    const Shape& shape = step_.context.shape;
    const uint32_t rows = shape.chunk_tokens < shape.tokens ? shape.chunk_tokens : shape.tokens;
    return rows * step_.working.out.count;
  }
  uint32_t Row() const { return queue_.At() % PerChunk() / step_.working.out.count; }

  // Of the how manieth peer, and of this worker's chunks for it the how manieth.
  struct Place {
    uint32_t peer;
    uint32_t chunk;
  };
  uint32_t Home(Place at) const { return step_.context.Peer(at.peer); }
  uint32_t ChunkOf(Place at) const { return first_[at.peer] + at.chunk * workers_; }
  SlotRange Slots(Place at) const {
    const uint32_t rows = step_.working.places.rows_from[Home(at)];
    const uint32_t begin = ChunkOf(at) * step_.context.shape.chunk_tokens;
    const uint32_t end = begin + step_.context.shape.chunk_tokens;
    return {begin, end < rows ? end : rows};
  }
  // On to the peer whose chunk it is, where it is beyond those of a peer.
  EP_INLINE void Settle(Place& at) const {
    EP_ROLLED
    while (at.peer + 1 < step_.context.shape.ranks && at.chunk >= count_[at.peer]) {
      at.chunk -= count_[at.peer];
      ++at.peer;
    }
  }
  // This worker's n-th.
  Place Chunk(uint32_t n) const {
    Place at = {0, n};
    Settle(at);
    return at;
  }

  EP_INLINE void RaiseFlag(Device& device, uint32_t home, uint32_t chunk, SlotRange slots) {
    device.RaiseFlag(step_.context, {Op::kCombine, step_.epoch, home, chunk, slots});
  }

  EP_INLINE void SendPiece(Device& device, uint32_t home, uint32_t slot, Piece piece) {
    const RankContext& context = step_.context;
    const auto partial = [&](uint32_t i) {
      const uint64_t at = context.layout.Partial(step_.bank, slot, i);
      return context.There<Bf16>(home, at) + piece.first;
    };
    if constexpr (kSum == CombineSum::kRank) {
      if (context.shape.FansOut()) {
        return SumCopies(device, step_, home, slot, piece,
                         [&](uint32_t channels, uint32_t count, auto row_of, auto weight_of) {
                           device.SumWeighted(partial(0), channels, count, row_of, weight_of);
                         });
      }
    }
    // The experts' kernel has made the sum itself, or home makes it.
    const bool copies = context.shape.FansOut();
    if (copies) LoadCopies(device, step_, home, slot);
    const RowCopies& of = step_.working.crew->Copies();
    EP_ROLLED
    for (uint32_t i = 0; i < (copies ? of.count : 1u); ++i) {
      Copy(device, partial(i), copies ? of.Rows()[i] : step_.working.places.Row(home, slot), piece);
    }
  }
  EP_INLINE void Copy(Device& device, Bf16* to, uint64_t row, Piece piece) {
    const auto* from = reinterpret_cast<const uint8_t*>(step_.ExpertRow(row, piece.first));
    const uint32_t bytes = sizeof(Bf16) * piece.count;
    EP_ROLLED
    for (uint32_t at = 0; at < bytes; at += Device::kHeldBytes) {
      const uint32_t left = bytes - at;
      device.Write(reinterpret_cast<uint8_t*>(to) + at,
                   device.Read(from + at, left < Device::kHeldBytes ? left : Device::kHeldBytes));
    }
  }

  const Step& step_;
  const uint32_t workers_;
  // [peers], in fast memory: this worker's first chunk for each, and how many.
  uint32_t* const first_;
  uint32_t* const count_;
  uint32_t chunks_ = 0;  // of this worker
  Place at_ = {};        // the chunk of this crew's next piece
  uint32_t mine_ = 0;    // the how manieth of this worker's
  Queue<Device> queue_;
};

}  // namespace ep::combine

#endif  // CSRC_PROTOCOL_SEND_SUMS_H_
