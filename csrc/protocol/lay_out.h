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
  Share share;
  uint32_t sources;

  uint32_t Size() const { return share.Count() * sources; }
  bool Awaits(uint32_t) const { return true; }
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
                  {step.context, step.bank, ChunksOfWorker(device, step.context.shape),
                   step.context.shape.ranks - (with_own ? 0 : 1)}),
        queue_(step.working.mail.taken + 1) {}

  Arrivals<Device, ChunkWords>& arrivals() { return arrivals_; }
  EP_INLINE void Begin(Device& device) { queue_.Next(device); }
  bool Left() const { return Word() < arrivals_.list().Size(); }

  // Whether a piece can be laid out; with `waits` not before one can, or none is left. A violation,
  // or that it cannot be, is recorded.
  EP_INLINE Verdict Look(Device& device, Waiting& waiting, bool waits) {
    EP_ROLLED
    while (Left()) {
      const Verdict verdict = arrivals_.Look(device, waiting, Word(), waits);
      if (verdict != Verdict::kReady) return verdict;
      if (Row() < arrivals_.Slots(device, Word()).Count()) return Verdict::kReady;
      queue_.SkipTo(device, (Word() + 1) * PerWord());
    }
    return Verdict::kNotYet;
  }

  // Lays out the next piece, which has come.
  EP_INLINE bool LayOut(Device& device) {
    const uint32_t slot = arrivals_.Slots(device, Word()).begin + Row();
    const Piece piece = step_.working.in[queue_.At() % step_.working.in.count];
    const bool good = LayOutPiece(device, arrivals_.list().SourceOf(Word()), slot, piece);
    queue_.Next(device);
    return good;
  }

 private:
  uint32_t ChannelBytes() const { return step_.context.shape.dtype == Dtype::kFp8 ? 1 : 2; }

  // Pieces are counted as if every chunk were full.
  uint32_t ChunkRows() const {
    const Shape& shape = step_.context.shape;
    return shape.chunk_tokens < shape.tokens ? shape.chunk_tokens : shape.tokens;
  }
  uint32_t PerWord() const { return ChunkRows() * step_.working.in.count; }
  uint32_t Word() const { return queue_.At() / PerWord(); }
  uint32_t Row() const { return queue_.At() % PerWord() / step_.working.in.count; }

  // Copies one piece of one source's row out of the bank to where it belongs.
  EP_INLINE bool LayOutPiece(Device& device, uint32_t source, uint32_t slot, Piece piece) {
    const RankContext& context = step_.context;
    const Layout& layout = context.layout;
    const uint32_t channel_bytes = ChannelBytes();
    const uint32_t most = Device::kHeldBytes / channel_bytes;
    // Where the bank begins: one address that all three share, as a GPU has no register to spare.
    const auto* bank = HereOf<Device, const uint8_t>(context, source, layout.Bank(step_.bank));
    const auto* row = bank + layout.Row(0, slot);
    const auto read = [&](uint32_t at) {
      const Piece step = Pieces::Step(piece, at, most);
      return device.Read(row + step.first * channel_bytes, step.count * channel_bytes);
    };
    auto held = read(piece.first);
    const auto* scales = reinterpret_cast<const float*>(bank + layout.Scales(0, slot));
    const auto held_scales = device.ReadScales(
        scales + piece.FirstScale(), context.shape.dtype == Dtype::kFp8 ? piece.Scales() : 0);
    device.Load(step_.working.crew->meta, bank + layout.Meta(0, slot), layout.MetaStride());
    const uint32_t copies = FindCopies(device, step_, source, slot);
    if (copies == 0) return false;
    const uint32_t* rows = step_.working.crew->rows;
    EP_ROLLED
    for (uint32_t i = 0; i < copies; ++i) {
      device.WriteScales(step_.output.scales + uint64_t{rows[i]} * context.shape.ScalesPerRow() +
                             piece.FirstScale(),
                         held_scales);
    }
    EP_ROLLED
    for (uint32_t at = piece.first;;) {
      EP_ROLLED
      for (uint32_t i = 0; i < copies; ++i) {
        device.Write(step_.output.rows + rows[i] * layout.RowBytes() + at * channel_bytes, held);
      }
      at += most;
      if (at >= piece.first + piece.count) break;
      held = read(at);
    }
    if (piece.first == 0) KeepRow(device, step_, source, slot, copies);
    return true;
  }

  const Step& step_;
  Arrivals<Device, ChunkWords> arrivals_;
  Queue<Device> queue_;
};

template <class Device>
void ZeroPiece(Device& device, const Step& step, uint64_t row, Piece piece) {
  const RankContext& context = step.context;
  const uint32_t channel_bytes = context.shape.dtype == Dtype::kFp8 ? 1 : 2;
  EP_ROLLED
  for (uint32_t at = piece.first; at < piece.first + piece.count;) {
    const Piece part = Pieces::Step(piece, at, Device::kHeldBytes / channel_bytes);
    device.Write(step.output.rows + row * context.layout.RowBytes() + at * channel_bytes,
                 device.Zeros(part.count * channel_bytes));
    at += part.count;
  }
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
