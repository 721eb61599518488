// The receiving half of a dispatch: rows come out of the bank, chunk by chunk as peers announce
// them, and are laid out for the experts.
#ifndef CSRC_PROTOCOL_LAY_OUT_H_
#define CSRC_PROTOCOL_LAY_OUT_H_

#include "csrc/protocol/device.h"
#include "csrc/protocol/dispatch_step.h"
#include "csrc/protocol/land.h"
#include "csrc/protocol/signal.h"

namespace ep::dispatch {

// The words of a worker's chunks: of all sources, this rank's own last, one chunk after the other.
struct ChunkWords {
  const RankContext& context;
  uint32_t bank;
  ChunkShare share;
  uint32_t sources;

  uint32_t Size() const { return share.Count() * sources; }
  uint32_t SourceOf(uint32_t i) const { return context.Peer(i % sources); }
  Word At(uint32_t i) const {
    const uint32_t source = SourceOf(i);
    return {source, context.layout.ChunkWord(bank, source, share.begin + i / sources)};
  }
  bool IsRight(uint32_t, uint64_t value) const {
    const SlotRange slots = FlagRange(value);
    return slots.begin <= slots.end && slots.end <= context.shape.tokens &&
           slots.Count() <= context.shape.chunk_tokens;
  }
};

// A crew's share of what comes in its worker's chunks, piece by piece.
template <class Device>
class Receiver {
 public:
  // Without `with_own`, this rank's own rows do not come through the bank.
  Receiver(Device& device, const Step& step, bool with_own)
      : step_(step),
        arrivals_(step.context, step.working,
                  {step.context, step.bank,
                   ChunkShare::Of(device, step.context.shape.Chunks()),
                   step.context.shape.ranks - (with_own ? 0 : 1)}),
        i_(device.Crew()) {}

  Arrivals<Device, ChunkWords>& arrivals() { return arrivals_; }
  bool Left() const { return word_ < arrivals_.list().Size(); }

  // Whether a piece can be laid out; with `waits` not before one can, or none is left. A violation,
  // or that it cannot be, is recorded.
  EP_INLINE Verdict Look(Device& device, Waiting& waiting, bool waits) {
    EP_ROLLED
    while (Left()) {
      const Verdict verdict = arrivals_.Look(device, waiting, word_, waits);
      if (verdict != Verdict::kReady) return verdict;
      const uint32_t work = arrivals_.Slots(device, word_).Count() * step_.working.in.count;
      if (i_ < work) return Verdict::kReady;
      i_ -= work;  // crews count on from chunk to chunk
      ++word_;
    }
    return Verdict::kNotYet;
  }

  // Lays out the next piece, which has come.
  EP_INLINE bool LayOut(Device& device) {
    const uint32_t slot = arrivals_.Slots(device, word_).begin + i_ / step_.working.in.count;
    const Piece piece = step_.working.in[i_ % step_.working.in.count];
    i_ += device.Crews();
    return LayOutPiece(device, arrivals_.list().SourceOf(word_), slot, piece);
  }

 private:
  uint32_t ChannelBytes() const { return step_.context.shape.dtype == Dtype::kFp8 ? 1 : 2; }

  // Copies one piece of one source's row out of the bank to where it belongs.
  EP_INLINE bool LayOutPiece(Device& device, uint32_t source, uint32_t slot, Piece piece) {
    const RankContext& context = step_.context;
    const Layout& layout = context.layout;
    const uint64_t first_byte = uint64_t{piece.first} * ChannelBytes();
    const auto* row = context.In<const uint8_t>(context.rank, layout.Row(step_.bank, source, slot));
    const auto held = device.Read(row + first_byte, uint64_t{piece.count} * ChannelBytes());
    const bool scaled = context.shape.dtype == Dtype::kFp8;
    const auto* scales =
        context.In<const float>(context.rank, layout.Scales(step_.bank, source, slot));
    const auto held_scales =
        device.ReadScales(scales + piece.FirstScale(), scaled ? piece.Scales() : 0);
    device.Load(step_.working.crew->meta,
                context.In<const uint8_t>(context.rank, layout.Meta(step_.bank, source, slot)),
                layout.MetaStride());
    return Land(device, step_, source, slot, piece, [&](uint8_t* rows, float* to_scales) {
      device.Write(rows + first_byte, held);
      device.WriteScales(to_scales + piece.FirstScale(), held_scales);
    });
  }

  const Step& step_;
  Arrivals<Device, ChunkWords> arrivals_;
  uint32_t word_ = 0;  // the next chunk's
  uint32_t i_;         // this crew's next piece of it
};

template <class Device>
void ZeroPiece(Device& device, const Step& step, uint64_t row, Piece piece) {
  const RankContext& context = step.context;
  const uint64_t channel_bytes = context.shape.dtype == Dtype::kFp8 ? 1 : 2;
  device.Write(step.output.rows + row * context.layout.RowBytes() + piece.first * channel_bytes,
               device.Zeros(piece.count * channel_bytes));
  if (context.shape.dtype == Dtype::kFp8) {
    float* scales = step.output.scales + row * context.shape.ScalesPerRow() + piece.FirstScale();
    EP_ROLLED
    for (uint32_t i = device.Lane(); i < piece.Scales(); i += Device::kLanes) {
      device.Store(scales + i, 0.0f);
    }
  }
  if (piece.first == 0 && device.Lane() == 0) device.Store(step.output.sources + row, kNoSource);
}

// Zeroes this crew's share of the rows from one expert's last to the next one's first.
template <class Device>
void ZeroPadding(Device& device, const Step& step) {
  const Shape& shape = step.context.shape;
  const Places& places = step.working.places;
  const Pieces& pieces = step.working.in;
  if (device.Crew() >= device.Crews()) return;
  const uint32_t crews = device.Crews() * device.Workers();
  uint32_t i = device.Crew() * device.Workers() + device.Worker();  // counts on through the experts
  EP_ROLLED
  for (uint32_t x = 0; x < shape.experts_per_rank; ++x) {
    const uint64_t first = uint64_t{places.begin[x]} + places.counts[x];
    const uint32_t work = static_cast<uint32_t>(places.begin[x + 1] - first) * pieces.count;
    EP_ROLLED
    for (; i < work; i += crews) {
      ZeroPiece(device, step, first + i / pieces.count, pieces[i % pieces.count]);
    }
    i -= work;
  }
}

}  // namespace ep::dispatch

#endif  // CSRC_PROTOCOL_LAY_OUT_H_
