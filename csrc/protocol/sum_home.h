// The receiving half of a combine: what all ranks made of this rank's tokens is summed here, a
// token as soon as all its parts have come.
#ifndef CSRC_PROTOCOL_SUM_HOME_H_
#define CSRC_PROTOCOL_SUM_HOME_H_

#include "csrc/protocol/combine_step.h"
#include "csrc/protocol/part_words.h"
#include "csrc/protocol/signal.h"

namespace ep::combine {

// A crew's share of its worker's tokens, which are those of every n-th chunk.
template <class Device, CombineSum kSum>
class HomeSummer {
 public:
  HomeSummer(Device& device, const Step& step)
      : step_(step),
        worker_(device.Worker()),
        workers_(device.Workers()),
        queue_(step.working.mail.taken + 1),
        arrivals_(step.context, step.working,
                  PartWords(step.context, step.bank, device.Worker(), device.Workers(),
                            step.working.tables + 2 * step.context.shape.ranks,
                            step.working.tables + step.context.shape.ranks *
                                                      (2 + MostChunksOfWorker(step.context.shape,
                                                                              device.Workers())))) {
  }

  Arrivals<Device, PartWords>& arrivals() { return arrivals_; }
  // Finds what this worker awaits, by all its lanes.
  EP_INLINE void FindWords(Device& device) {
    arrivals_.list().Find(device, step_.handle.chunk_slots);
  }

  // Whether a piece is left for this crew.
  EP_INLINE bool Left(Device& device) {
    if (!queue_.Begun()) queue_.Next(device);
    EP_ROLLED
    while (First() < step_.handle.tokens) {
      if (Token() < step_.handle.tokens) return true;
      queue_.SkipTo(device, (Chunk() + 1) * PerChunk());
    }
    return false;
  }

  // Finds what the next piece is the sum of, and sums what this rank makes of it itself.
  EP_INLINE void Prepare(Device& device) {
    FindParts(device);
    sums_own_ = kSum == CombineSum::kRank && own_ < kMaxTopk && step_.context.shape.FansOut();
    if (!sums_own_) return;
    SumCopies(device, step_, step_.context.rank, step_.working.crew->from[own_].slot,
              step_.working.in[queue_.At() % step_.working.in.count],
              [&](uint32_t channels, uint32_t count, auto row_of, auto weight_of) {
                device.SumOwn(step_.working.sum, channels, count, row_of, weight_of);
              });
  }

  // Waits until all parts of the next piece, which is prepared, are there. Returns false, with the
  // reason recorded, if they do not come.
  EP_INLINE bool Await(Device& device, Waiting& waiting) {
    const uint32_t chunk_slots = step_.context.shape.chunk_tokens;
    EP_ROLLED
    for (; there_ < count_; ++there_) {
      const Destination from = step_.working.crew->from[there_];
      if (from.rank == step_.context.rank) continue;
      const uint32_t word = arrivals_.list().Of(Chunk(), from.rank, from.slot / chunk_slots);
      if (arrivals_.Look(device, waiting, word, true) != Verdict::kReady) return false;
      const SlotRange slots = arrivals_.Slots(device, word);
      if (slots.begin <= from.slot && from.slot < slots.end) continue;
      Fail(device, step_.context,
           {ErrorKind::kViolation, Op::kCombine, step_.epoch, from.rank,
            MakeRange(step_.epoch, slots), 0, 0});
      return false;
    }
    return true;
  }

  // Sums the next piece, all of whose parts are there.
  EP_INLINE void Sum(Device& device) {
    const Piece piece = step_.working.in[queue_.At() % step_.working.in.count];
    Bf16* out = step_.combined + uint64_t{Token()} * step_.context.shape.hidden + piece.first;
    if constexpr (kSum == CombineSum::kExpert) {
      SumSelections(device, Token(), piece, out);
    } else {
      SumParts(device, piece, out, sums_own_ ? own_ : kMaxTopk);
    }
    queue_.Next(device);
  }

 private:
  // Pieces are counted as if every chunk were full.
  uint32_t PerChunk() const {
    const Shape& shape = step_.context.shape;
    const uint32_t tokens = shape.chunk_tokens < shape.tokens ? shape.chunk_tokens : shape.tokens;
    return tokens * step_.working.in.count;
  }
  // The how manieth of this worker's the next piece's chunk is.
  uint32_t Chunk() const { return queue_.At() / PerChunk(); }
  uint32_t First() const {
    return (worker_ + Chunk() * workers_) * step_.context.shape.chunk_tokens;
  }
  uint32_t Token() const { return First() + queue_.At() % PerChunk() / step_.working.in.count; }

  // Brings the token's destinations to the crew's memory, and what is to be awaited to its front.
  EP_INLINE void FindParts(Device& device) {
    const uint32_t token = Token();
    const Handle& handle = step_.handle;
    CrewMemory& crew = *step_.working.crew;
    const uint32_t most = step_.context.shape.MaxDestinations();
    device.Load(reinterpret_cast<uint8_t*>(crew.from),
                reinterpret_cast<const uint8_t*>(
                    handle.destinations + uint64_t{token} * step_.context.shape.MaxDestinations()),
                sizeof(Destination) * most);
    own_ = kMaxTopk;
    EP_ROLLED
    for (count_ = 0; count_ < most && crew.from[count_].rank != kNoDestination.rank; ++count_) {
      if (crew.from[count_].rank == step_.context.rank) own_ = count_;
    }
    there_ = 0;
  }

  // The parts' sum in rank order; what this rank made of part `own` is in the crew's memory.
  EP_INLINE void SumParts(Device& device, Piece piece, Bf16* out, uint32_t own) {
    const RankContext& context = step_.context;
    const Destination* from = step_.working.crew->from;
    device.SumPartials(out, piece.count, count_, own, step_.working.sum, [&](uint32_t d) {
      if (from[d].rank == context.rank) {
        return step_.ExpertRow(step_.working.places.Row(context.rank, from[d].slot), piece.first);
      }
      return PartialOf(from[d], 0, piece);
    });
  }

  // The weighted sum of all selections' rows, in the token's own order.
  EP_INLINE void SumSelections(Device& device, uint32_t token, Piece piece, Bf16* out) {
    const RankContext& context = step_.context;
    const Selection* selections = step_.handle.selections + uint64_t{token} * context.shape.topk;
    device.SumWeighted(
        out, piece.count, step_.handle.selection_count[token],
        [&](uint32_t i) {
          const Selection& of = selections[i];
          if (of.from.rank != context.rank) return PartialOf(of.from, of.index, piece);
          const RowCopies* copies = step_.handle.Copies(context, context.rank, of.from.slot);
          return step_.ExpertRow(copies->Rows()[of.index], piece.first);
        },
        [&](uint32_t i) { return selections[i].weight; });
  }

  const Bf16* PartialOf(const Destination& from, uint32_t i, Piece piece) const {
    const uint64_t at = step_.context.layout.Partial(step_.bank, from.slot, i);
    return HereOf<Device, const Bf16>(step_.context, from.rank, at) + piece.first;
  }

  const Step& step_;
  const uint32_t worker_;
  const uint32_t workers_;
  Queue<Device> queue_;
  // Of the token of the next piece, once it is prepared.
  bool sums_own_ = false;
  uint32_t count_ = 0;
  uint32_t own_ = 0;    // which part this rank makes itself
  uint32_t there_ = 0;  // parts that are there, from the first on
  Arrivals<Device, PartWords> arrivals_;
};

}  // namespace ep::combine

#endif  // CSRC_PROTOCOL_SUM_HOME_H_
