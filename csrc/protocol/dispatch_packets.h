// A dispatch of few tokens, whose rows travel in packets (csrc/protocol/packet.h).
//
//   plan -> tell counts, await counts | send pieces of rows -> place -> lay out own | take others'
//
// What csrc/protocol/dispatch.h says holds here, but for words: all workers plan all tokens, and
// crews have fixed shares of the pieces, those of a row spread over workers. A crew puts a piece
// into its fast memory as it travels, sends it from there to every rank that has experts of the
// token, and lays it out from there where it stays on this rank.
#ifndef CSRC_PROTOCOL_DISPATCH_PACKETS_H_
#define CSRC_PROTOCOL_DISPATCH_PACKETS_H_

#include "csrc/protocol/count_packets.h"
#include "csrc/protocol/device.h"
#include "csrc/protocol/dispatch_step.h"
#include "csrc/protocol/land.h"
#include "csrc/protocol/lay_out.h"
#include "csrc/protocol/packet.h"
#include "csrc/protocol/place.h"
#include "csrc/protocol/wait_packets.h"

namespace ep::dispatch {

// The packets of a piece of a row, which the crew awaits: its description, and the piece.
struct RowPackets {
  const Packet* meta;
  const Packet* body;
  uint32_t metas;
  uint32_t bodies;
  uint32_t source;
  uint32_t* meta_words;
  uint32_t* body_words;

  uint32_t Size() const { return bodies + metas; }
  const Packet* At(uint32_t i) const { return i < bodies ? body + i : meta + (i - bodies); }
  uint32_t PeerOf(uint32_t) const { return source; }
  void Take(uint32_t i, const Packet& packet) const {
    uint32_t* to =
        i < bodies ? body_words + Packet::kWords * i : meta_words + Packet::kWords * (i - bodies);
    for (uint32_t w = 0; w < Packet::kWords; ++w) to[w] = packet.words[w];
  }
};

// A crew's share of a dispatch: the pieces of this rank's tokens that it sends, and of what comes
// those that it takes.
template <class Device, class Plan>
class PacketMover {
  static_assert(kMaxTopk <= Device::kLanes, "a lane has a selection");

 public:
  PacketMover(const Device& device, const Step& step, Plan& plan)
      : step_(step),
        plan_(plan),
        packets_(step.working.packets),
        crews_(packets_.crews.by),
        first_(device.Crew() * device.Workers() + device.Worker()) {}

  // What is read of a piece before it is sent.
  struct Fetched {
    typename Device::Channels channels;
    uint32_t expert;  // that the lane's selection names
    float weight;
  };
  // Of the first one of this crew's.
  EP_INLINE Fetched Fetch(Device& device) const { return Fetch(device, first_); }

  // Sends all of them, of which the first is fetched. Returns false, with the reason recorded, if a
  // token is as it must not be.
  EP_INLINE bool Send(Device& device, Fetched& fetched) {
    EP_ROLLED
    for (uint32_t i = first_, n = 0; i < SentPieces(); i += crews_, ++n) {
      if (!SendPiece(device, fetched, i, n < packets_.kept ? n : packets_.kept)) return false;
    }
    return true;
  }

  // Lays out what stays on this rank, then takes what comes. Returns false, with the reason
  // recorded, if that does not end well.
  EP_INLINE bool Take(Device& device, Waiting& waiting) {
    own_first_ = packets_.kept_tokens < step_.input.tokens
                     ? plan_.RowsBelow(step_.context.rank, packets_.kept_tokens)
                     : step_.working.places.rows_from[step_.context.rank];
    // What comes is counted on from what is sent: crews that send less take more.
    uint32_t i = first_ + crews_ - (SentPieces() - packets_.crews.Of(SentPieces()) * crews_);
    if (i >= crews_) i -= crews_;
    uint32_t p = 0;  // the how manieth source's piece i is
    bool more = Settle(&p, &i);
    // Whoever waits for this crew need not wait until its last rows are laid out.
    if (!more) HasAllPackets(device, step_.working);
    uint32_t kept = first_;  // piece
    EP_ROLLED
    for (uint32_t n = 0;; ++n) {
      From from;
      device.SyncCrew();  // nobody still reads what was laid out before
      if (kept < KeptPieces()) {
        from = {step_.context.rank, packets_.Kept(n).slot, NumberOf(kept), n};
        kept += crews_;
        if (from.slot == KeptRow::kNone) continue;
        LoadKept(device, n);
      } else if (more) {
        const uint32_t source = step_.context.Peer(p);
        from = {source, FirstTaken(source) + packets_.pieces.Of(i), NumberOf(i), packets_.kept};
        i += crews_;
        more = Settle(&p, &i);
        if (!AwaitPiece(device, waiting, from)) return false;
        if (!more) HasAllPackets(device, step_.working);
      } else {
        return true;
      }
      device.SyncCrew();
      if (!LayOut(device, from)) return false;
    }
  }

 private:
  // A piece that is to be laid out: its row's source and slot there, which one of the row it is,
  // and which of the crew's slots it is in.
  struct From {
    uint32_t source;
    uint32_t slot;
    uint32_t n;
    uint32_t at;
  };

  uint32_t SentPieces() const { return step_.input.tokens * packets_.pieces.by; }
  uint32_t KeptPieces() const {
    const uint32_t kept = packets_.kept_tokens * packets_.pieces.by;
    return kept < SentPieces() ? kept : SentPieces();
  }
  // Which of its row's a piece is.
  uint32_t NumberOf(uint32_t piece) const {
    return piece - packets_.pieces.Of(piece) * packets_.pieces.by;
  }
  // The first row of a source that comes through the bank, and how many pieces do.
  uint32_t FirstTaken(uint32_t source) const {
    return source == step_.context.rank ? own_first_ : 0;
  }
  uint32_t PiecesTaken(uint32_t source) const {
    return (step_.working.places.rows_from[source] - FirstTaken(source)) * packets_.pieces.by;
  }
  // On to the source whose piece it is, where it is beyond those of a source. Returns whether there
  // is one.
  EP_INLINE bool Settle(uint32_t* p, uint32_t* i) const {
    EP_ROLLED
    for (; *p < step_.context.shape.ranks; ++*p) {
      const uint32_t pieces = PiecesTaken(step_.context.Peer(*p));
      if (*i < pieces) return true;
      *i -= pieces;
    }
    return false;
  }

  Dtype dtype() const { return step_.context.shape.dtype; }
  Piece PieceOf(uint32_t n) const {
    const uint32_t first = n * kPacketChannels;
    const uint32_t left = step_.context.shape.hidden - first;
    return {first, left < kPacketChannels ? left : kPacketChannels};
  }
  uint32_t PacketsOf(Piece piece) const {
    return Packet::Of(PacketCounts::BodyBytes(dtype(), piece.count));
  }

  bool IsOutside() const {
    return Device::kTakesPacked && step_.context.shape.quantize == Quantize::kOutside;
  }
  EP_INLINE Fetched Fetch(Device& device, uint32_t i) const {
    const Shape& shape = step_.context.shape;
    const bool is_any = i < SentPieces();
    const uint32_t token = packets_.pieces.Of(i);
    const uint32_t lane = device.Lane();
    Fetched fetched = {device.Fetch(shape, step_.input.rows + uint64_t{token} * shape.hidden,
                                    is_any && !IsOutside() ? PieceOf(NumberOf(i)) : Piece{}),
                       Plan::kNobody, 0};
    if (is_any && lane < shape.topk) {
      const uint64_t at = uint64_t{token} * shape.topk + lane;
      fetched.expert = static_cast<uint32_t>(step_.input.topk_idx[at]);
      fetched.weight = step_.input.topk_weights[at];
    }
    return fetched;
  }

  // Sends the i-th piece of all out of a slot, and fetches this crew's next one.
  EP_INLINE bool SendPiece(Device& device, Fetched& fetched, uint32_t i, uint32_t slot) {
    const RankContext& context = step_.context;
    const uint32_t token = packets_.pieces.Of(i);
    const uint32_t n = NumberOf(i);
    const Piece piece = PieceOf(n);
    typename Plan::LanePlan plan;
    if (!plan_.FindInLanes(device, token, fetched.expert, &plan)) return BadToken(device);
    const auto row =
        IsOutside()
            ? device.FetchPacked(
                  step_.input.codes + uint64_t{token} * context.shape.hidden,
                  step_.input.scales + uint64_t{token} * context.shape.ScalesPerRow(), piece)
            : device.Pack(context.shape, fetched.channels, piece);
    if (device.AnyOfCrew(!row.finite)) {
      Fail(device, context,
           {ErrorKind::kInfiniteInput, Op::kDispatch, step_.epoch, 0, token, 0, 0});
      return false;
    }
    device.StageRow(row, packets_.Slot(slot));
    const float weight = fetched.weight;
    fetched = Fetch(device, i + crews_);
    KeptRow& kept = packets_.Kept(slot);
    if (device.Lane() == 0) kept.slot = KeptRow::kNone;
    EP_ROLLED
    for (uint32_t left = device.Ballot(plan.first); left != 0; left &= left - 1) {
      const uint32_t lane = static_cast<uint32_t>(stdlib::countr_zero(left));
      const Destination to = {device.From(plan.rank, lane), device.From(plan.slot, lane)};
      const bool stays = to.rank == context.rank && token < packets_.kept_tokens;
      device.SyncCrew();  // nobody still reads the description before
      if (plan.rank == to.rank && (stays || n == 0)) {
        Describe(token, plan, weight, stays ? kept.meta : step_.working.crew->Meta());
      }
      if (stays && device.Lane() == 0) kept.slot = to.slot;
      device.SyncCrew();
      if (!stays) Put(device, to, n, PacketsOf(piece), slot);
    }
    if (n == 0) Keep(device, token, plan);
    device.SyncCrew();  // the slot may be filled anew
    return true;
  }

  // A lane's selection.
  static EP_INLINE void Describe(uint32_t token, const typename Plan::LanePlan& plan, float weight,
                                 RowMeta& meta) {
    if (plan.before == 0) meta = {token, static_cast<uint8_t>(plan.selections), {}};
    meta.Placements()[plan.before] = plan.placement;
    meta.Weights(plan.selections)[plan.before] = weight;
  }
  // Sends a piece, and with the first how its row is described: all who take a piece wait for it.
  EP_INLINE void Put(Device& device, Destination to, uint32_t n, uint32_t bodies, uint32_t slot) {
    const Layout& layout = step_.context.layout;
    const uint32_t metas = n == 0 ? layout.Packets().meta : 0;
    Packet* const meta =
        step_.context.There<Packet>(to.rank, layout.PacketRow(step_.bank, to.slot));
    Packet* const body =
        step_.context.There<Packet>(to.rank, layout.PacketPiece(step_.bank, to.slot, n));
    EP_ROLLED
    for (uint32_t i = device.Lane(); i < bodies + metas; i += Device::kLanes) {
      const bool is_body = i < bodies;
      const uint32_t at = is_body ? i : i - bodies;
      PutPacket(device, (is_body ? body : meta) + at,
                (is_body ? packets_.Slot(slot) : step_.working.crew->meta) + Packet::kBytes * at,
                step_.epoch);
    }
  }
  // Remembers where a token's row went.
  EP_INLINE void Keep(const Device& device, uint32_t token, const typename Plan::LanePlan& plan) {
    const uint32_t most = step_.context.shape.MaxDestinations();
    Destination* kept = step_.handle.destinations + uint64_t{token} * most;
    if (plan.first) kept[plan.destination] = {plan.rank, plan.slot};
    if (device.Lane() >= plan.destinations && device.Lane() < most) {
      kept[device.Lane()] = kNoDestination;
    }
  }

  bool BadToken(Device& device) {
    if (plan_.BadToken() != kNoToken) {
      Fail(device, step_.context,
           {ErrorKind::kBadExpert, Op::kDispatch, step_.epoch, 0, plan_.BadToken(), 0, 0});
    }
    return false;
  }

  // Brings to the crew's memory how the row of a piece that it keeps is described.
  EP_INLINE void LoadKept(const Device& device, uint32_t at) {
    const auto* from = reinterpret_cast<const uint32_t*>(&packets_.Kept(at).meta);
    auto* to = reinterpret_cast<uint32_t*>(step_.working.crew->meta);
    EP_ROLLED
    for (uint32_t w = device.Lane(); w < step_.context.layout.MetaStride() / sizeof(*to);
         w += Device::kLanes) {
      to[w] = from[w];
    }
  }

  // Awaits a piece, and how its row is described.
  EP_INLINE bool AwaitPiece(Device& device, Waiting& waiting, const From& from) {
    const RankContext& context = step_.context;
    const Layout& layout = context.layout;
    return AwaitPackets<3>(
        device, context, waiting,
        RowPackets{context.Here<const Packet>(from.source, layout.PacketRow(step_.bank, from.slot)),
                   context.Here<const Packet>(from.source,
                                              layout.PacketPiece(step_.bank, from.slot, from.n)),
                   layout.Packets().meta, PacketsOf(PieceOf(from.n)), from.source,
                   reinterpret_cast<uint32_t*>(step_.working.crew->meta),
                   reinterpret_cast<uint32_t*>(packets_.Slot(from.at))});
  }

  // Copies a piece, whose row's description is in the crew's memory, to where it belongs.
  EP_INLINE bool LayOut(Device& device, const From& from) {
    constexpr uint32_t kScales = kPacketChannels / kChannelsPerScale;
    const RankContext& context = step_.context;
    const uint32_t copies = FindCopies(device, step_, from.source, from.slot);
    if (copies == 0) return false;
    const Piece piece = PieceOf(from.n);
    const uint32_t channel_bytes = dtype() == Dtype::kFp8 ? sizeof(E4m3) : sizeof(Bf16);
    const uint8_t* body = packets_.Slot(from.at);
    const uint32_t* rows = step_.working.crew->rows;
    const auto held = device.ReadFast(body + PacketCounts::HeadBytes(dtype()),
                                      size_t{piece.count} * channel_bytes);
    EP_ROLLED
    for (uint32_t i = 0; i < copies; ++i) {
      device.Write(
          step_.output.rows + rows[i] * context.layout.RowBytes() + piece.first * channel_bytes,
          held);
    }
    EP_ROLLED
    for (uint32_t i = device.Lane(); dtype() == Dtype::kFp8 && i < copies * kScales;
         i += Device::kLanes) {
      if (i % kScales >= piece.Scales()) continue;
      device.Store(step_.output.scales +
                       uint64_t{rows[i / kScales]} * context.shape.ScalesPerRow() +
                       piece.FirstScale() + i % kScales,
                   reinterpret_cast<const float*>(body)[i % kScales]);
    }
    if (from.n == 0) KeepRow(device, step_, from.source, from.slot, copies);
    return true;
  }

  const Step& step_;
  Plan& plan_;
  const PacketWorking& packets_;
  const uint32_t crews_;  // of the rank
  const uint32_t first_;  // piece that this crew sends
  uint32_t own_first_ = 0;
};

}  // namespace ep::dispatch

namespace ep {

// As Dispatch of csrc/protocol/dispatch.h, of a shape with packets.
template <class Device, class Plan>
bool DispatchInPackets(Device& device, const RankContext& context, const DispatchInput& input,
                       Plan& plan, const Working& working, const DispatchOutput& output,
                       const Handle& handle) {
  const Epoch epoch = Next(context.epochs->dispatch);
  const dispatch::Step step = {context, epoch, BankOf(epoch), input, output, handle, working};
  const auto ids = plan.BeginAll(device, input.topk_idx, input.tokens);
  dispatch::PacketMover<Device, Plan> mover(device, step, plan);
  auto first = mover.Fetch(device);
  if (!EnterOperation(device, context, working.mail, 1, 0)) return false;
  if (device.EnterLast(&context.tickets->entered)) context.epochs->dispatch = epoch;
  plan.LoadAll(device, ids);
  dispatch::CountForAll(device, step, plan);
  Waiting waiting = {Op::kDispatch, epoch};
  bool good;
  if (IsSignalCrew(device)) {
    dispatch::TellCountsInPackets(device, step);
    good = dispatch::AwaitCountsInPackets(device, step, waiting);
  } else {
    good = mover.Send(device, first);
  }
  if (device.Any(!good)) return false;
  if (!dispatch::PlaceSources(device, step, dispatch::CountsInPackets{step})) return false;
  if (!IsSignalCrew(device)) {
    good = mover.Take(device, waiting);
  } else {
    if (device.Worker() == 0) dispatch::KeepPlaces(step, device.Lane(), Device::kLanes);
    good = StayForPackets(device, context, working, waiting);
  }
  if (good && context.shape.layout == OutputLayout::kContig) dispatch::ZeroPadding(device, step);
  return good;
}

}  // namespace ep

#endif  // CSRC_PROTOCOL_DISPATCH_PACKETS_H_
