// The receiving half of a combine: what all ranks made of this rank's tokens is summed here, a token
// as soon as all its parts have come.
#ifndef CSRC_PROTOCOL_SUM_HOME_H_
#define CSRC_PROTOCOL_SUM_HOME_H_

#include "csrc/protocol/combine_step.h"
#include "csrc/protocol/wait.h"

namespace ep::combine {

// The words that announce one token's parts, in rank order, but of that which this rank makes
// itself.
struct PartWords {
  const RankContext* context;
  uint32_t bank;
  const Destination* from;  // in the crew's memory
  uint32_t count;
  uint32_t own;  // or count, if this rank makes none

  uint32_t Size() const { return count - (own < count); }
  const Destination& Part(uint32_t i) const { return from[i + (i >= own)]; }
  Word At(uint32_t i) const {
    const Destination& part = Part(i);
    return {part.rank,
            context->layout.SumWord(bank, part.rank, part.slot / context->shape.chunk_tokens)};
  }
  bool IsRight(uint32_t i, uint64_t value) const {
    const SlotRange slots = FlagRange(value);
    const uint32_t chunk_slots = context->shape.chunk_tokens;
    const uint32_t slot = Part(i).slot;
    return slots.begin == slot / chunk_slots * chunk_slots && slot < slots.end &&
           slots.Count() <= chunk_slots;
  }
};

// A crew's share of its worker's tokens, of which worker w has every n-th from the w-th on.
template <class Device, CombineSum kSum>
class HomeSummer {
 public:
  HomeSummer(Device& device, const Step& step)
      : step_(step),
        tokens_((step.handle.tokens + device.Workers() - 1 - device.Worker()) / device.Workers()),
        pieces_(Pieces::Cut(step.context.shape.hidden, Device::kUnitChannels,
                            Device::kPieceChannels, tokens_, device.Crews())),
        i_(device.Crew()),
        reader_(step.context, Words()) {}

  bool Left() const { return i_ < tokens_ * pieces_.count; }

  // Whether the next piece can be summed at once.
  EP_INLINE Verdict Look(Device& device, Waiting& waiting) {
    if (!Left()) return Verdict::kNotYet;
    FindParts(device);
    while (reader_.Left()) {
      const Verdict verdict = reader_.Look(device, waiting, false);
      if (verdict != Verdict::kReady) return verdict;
      reader_.Skip(reader_.Ready());
    }
    return Verdict::kReady;
  }

  // Sums the next piece, of whose parts what this rank makes itself is summed before it waits for
  // the others. Returns false, with the reason recorded, if they do not come.
  EP_INLINE bool Sum(Device& device, Waiting& waiting) {
    FindParts(device);
    const Piece piece = pieces_[i_ % pieces_.count];
    const bool sums_own =
        kSum == CombineSum::kRank && own_ < count_ && step_.context.shape.FansOut();
    if (sums_own) {
      SumCopies(device, step_, step_.context.rank, step_.working.crew->from[own_].slot, piece,
                [&](uint32_t channels, uint32_t count, auto row_of, auto weight_of) {
                  device.SumOwn(step_.working.sum, channels, count, row_of, weight_of);
                });
    }
    if (!reader_.AwaitAll(device, waiting)) return false;
    Bf16* out = step_.combined + uint64_t{Token(device)} * step_.context.shape.hidden + piece.first;
    if constexpr (kSum == CombineSum::kExpert) {
      SumSelections(device, Token(device), piece, out);
    } else {
      SumParts(device, piece, out, sums_own ? own_ : kMaxTopk);
    }
    i_ += device.Crews();
    found_ = false;
    return true;
  }

 private:
  uint32_t Token(const Device& device) const {
    return device.Worker() + i_ / pieces_.count * device.Workers();
  }
  PartWords Words() const {
    return {&step_.context, step_.bank, step_.working.crew->from, count_, own_};
  }

  // Brings the token's destinations to the crew's memory, and what is to be awaited to its front.
  EP_INLINE void FindParts(Device& device) {
    if (found_) return;
    found_ = true;
    const uint32_t token = Token(device);
    const Handle& handle = step_.handle;
    CrewMemory& crew = *step_.working.crew;
    count_ = handle.destination_count[token];
    device.Load(reinterpret_cast<uint8_t*>(crew.from),
                reinterpret_cast<const uint8_t*>(
                    handle.destinations + uint64_t{token} * step_.context.shape.MaxDestinations()),
                sizeof(Destination) * step_.context.shape.MaxDestinations());
    own_ = 0;
    while (own_ < count_ && crew.from[own_].rank != step_.context.rank) ++own_;
    reader_.Restart(Words());
  }

  // The parts' sum in rank order; what this rank made of part `own` is in the crew's memory.
  EP_INLINE void SumParts(Device& device, Piece piece, Bf16* out, uint32_t own) {
    const RankContext& context = step_.context;
    const Destination* from = step_.working.crew->from;
    device.SumPartials(out, piece.count, count_, own, step_.working.sum, [&](uint32_t d) {
      if (from[d].rank == context.rank) {
        return step_.ExpertRow(step_.handle.places.Row(context.rank, from[d].slot), piece.first);
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
    const uint64_t at = step_.context.layout.Partial(step_.bank, from.rank, from.slot, i);
    return step_.context.In<const Bf16>(step_.context.rank, at) + piece.first;
  }

  const Step& step_;
  const uint32_t tokens_;  // of this worker
  const Pieces pieces_;
  uint32_t i_;  // this crew's next piece
  // Of the token of the next piece, once `found_`.
  bool found_ = false;
  uint32_t count_ = 0;
  uint32_t own_ = 0;  // which part this rank makes itself
  WordReader<PartWords> reader_;
};

}  // namespace ep::combine

#endif  // CSRC_PROTOCOL_SUM_HOME_H_
