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
  return ((shape.ranks - 1) * shape.Chunks() + workers - 1) / workers;
}

// A crew's share of its worker's chunks: those of all peers in a row, of which worker w has every
// n-th from the w-th on.
template <class Device, CombineSum kSum>
class SumSender {
 public:
  SumSender(Device& device, const Step& step)
      : step_(step),
        worker_(device.Worker()),
        workers_(device.Workers()),
        i_(device.Crew()) {}

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
      if (i % chunks >= ChunksOf(step_, home)) RaiseFlag(device, home, i % chunks, {rows, rows});
    }
  }

  // To the first piece; once `step.working.places` is filled.
  void Begin(Device& device) {
    uint32_t all = 0;
    EP_ROLLED
    for (uint32_t p = 0; p + 1 < step_.context.shape.ranks; ++p) {
      all += ChunksOf(step_, step_.context.Peer(p));
    }
    chunks_ = (all + device.Workers() - 1 - device.Worker()) / device.Workers();
    at_ = {0, device.Worker()};
    Settle(at_);
    FindChunk(device);
  }

  bool Left() const { return at_.peer + 1 < step_.context.shape.ranks; }

  EP_INLINE void Send(Device& device) {
    SendPiece(device, Home(at_), Slots(at_).begin + i_ / step_.working.out.count,
              step_.working.out[i_ % step_.working.out.count]);
    i_ += device.Crews();
    ++done_;
    FindChunk(device);
  }

  // A Sender of csrc/protocol/signal.h.
  uint32_t Chunks() const { return chunks_; }
  uint32_t Work(uint32_t n) const { return Slots(Chunk(n)).Count() * step_.working.out.count; }
  EP_INLINE void Raise(Device& device, uint32_t n) {
    const Place at = Chunk(n);
    RaiseFlag(device, Home(at), at.chunk, Slots(at));
  }

 private:
  // A chunk of a peer, the how manieth of this rank's it is.
  struct Place {
    uint32_t peer;
    uint32_t chunk;
  };
  uint32_t Home(Place at) const { return step_.context.Peer(at.peer); }
  SlotRange Slots(Place at) const {
    const uint32_t rows = step_.working.places.rows_from[Home(at)];
    const uint32_t begin = at.chunk * step_.context.shape.chunk_tokens;
    const uint32_t end = begin + step_.context.shape.chunk_tokens;
    return {begin, end < rows ? end : rows};
  }
  // On to the peer whose chunk it is, where it is beyond those of a peer.
  EP_INLINE void Settle(Place& at) const {
    EP_ROLLED
    while (at.peer + 1 < step_.context.shape.ranks && at.chunk >= ChunksOf(step_, Home(at))) {
      at.chunk -= ChunksOf(step_, Home(at));
      ++at.peer;
    }
  }
  // This worker's n-th.
  Place Chunk(uint32_t n) const {
    Place at = {0, worker_ + n * workers_};
    Settle(at);
    return at;
  }

  // Goes on to the chunk that this crew's next piece is of, over those that it is through with.
  EP_INLINE void FindChunk(Device& device) {
    EP_ROLLED
    while (Left()) {
      const uint32_t work = Slots(at_).Count() * step_.working.out.count;
      if (i_ < work) return;
      i_ -= work;  // crews count on from chunk to chunk
      if (done_ > 0) Complete(device, step_.working, *this, mine_, done_);
      done_ = 0;
      ++mine_;
      at_.chunk += workers_;
      Settle(at_);
    }
  }

  EP_INLINE void RaiseFlag(Device& device, uint32_t home, uint32_t chunk, SlotRange slots) {
    device.RaiseFlag(step_.context, {Op::kCombine, step_.epoch, home, chunk, slots});
  }

  EP_INLINE void SendPiece(Device& device, uint32_t home, uint32_t slot, Piece piece) {
    const RankContext& context = step_.context;
    const auto partial = [&](uint32_t i) {
      const uint64_t at = context.layout.Partial(step_.bank, context.rank, slot, i);
      return context.In<Bf16>(home, at) + piece.first;
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
    const size_t bytes = sizeof(Bf16) * piece.count;
    const auto* from = reinterpret_cast<const uint8_t*>(step_.ExpertRow(row, piece.first));
    device.Write(reinterpret_cast<uint8_t*>(to), device.Read(from, bytes));
  }

  const Step& step_;
  const uint32_t worker_;
  const uint32_t workers_;
  uint32_t chunks_ = 0;  // of this worker
  Place at_ = {};        // the chunk of this crew's next piece
  uint32_t mine_ = 0;    // the how manieth of this worker's
  uint32_t i_;           // this crew's next piece of it
  uint32_t done_ = 0;    // pieces of it that this crew is through with
};

}  // namespace ep::combine

#endif  // CSRC_PROTOCOL_SEND_SUMS_H_
