// A combine of few tokens, whose partial sums travel in packets (csrc/protocol/packet.h).
//
//   say that it has begun | sum on the experts' rank, send home piece by piece | sum at home
//
// The arithmetic is that of csrc/protocol/combine.h. Crews have fixed shares of all pieces: first
// of those that are sent, then of those that are summed at home.
#ifndef CSRC_PROTOCOL_COMBINE_PACKETS_H_
#define CSRC_PROTOCOL_COMBINE_PACKETS_H_

#include "csrc/protocol/combine_step.h"
#include "csrc/protocol/device.h"
#include "csrc/protocol/packet.h"
#include "csrc/protocol/wait_packets.h"

namespace ep::combine {

// The packets by which all others say that they have begun.
struct BegunPackets {
  const Step& step;

  uint32_t Size() const { return step.context.shape.ranks - 1; }
  uint32_t PeerOf(uint32_t i) const { return step.context.Peer(i); }
  const Packet* At(uint32_t i) const {
    return step.context.Here<const Packet>(PeerOf(i), step.context.layout.PacketBegun(step.bank));
  }
  void Take(uint32_t, const Packet&) const {}
};

// Says that this rank has begun, and awaits the same of all others, by one crew of a rank.
template <class Device>
EP_INLINE bool Meet(Device& device, const Step& step, Waiting& waiting) {
  const BegunPackets packets = {step};
  EP_ROLLED
  for (uint32_t i = device.Lane(); i < packets.Size(); i += Device::kLanes) {
    device.StorePacket(
        step.context.There<Packet>(packets.PeerOf(i), step.context.layout.PacketBegun(step.bank)),
        Packet{{}, step.epoch});
  }
  return AwaitPackets<1>(device, step.context, waiting, packets);
}

// The packets of a piece of a partial sum.
struct SumPackets {
  const Packet* body;
  uint32_t bodies;
  uint32_t from;
  uint32_t* words;

  uint32_t Size() const { return bodies; }
  uint32_t PeerOf(uint32_t) const { return from; }
  const Packet* At(uint32_t i) const { return body + i; }
  void Take(uint32_t i, const Packet& packet) const {
    for (uint32_t w = 0; w < Packet::kWords; ++w) words[Packet::kWords * i + w] = packet.words[w];
  }
};

// A crew's share of a combine.
template <class Device>
class PacketSummer {
 public:
  PacketSummer(const Device& device, const Step& step)
      : step_(step),
        packets_(step.working.packets),
        crews_(packets_.crews.by),
        next_(device.Crew() * device.Workers() + device.Worker()) {}

  // Sends this crew's pieces home, then sums those of this rank's tokens. Returns false, with the
  // reason recorded, if their parts do not come. What both need is there once, for its code to
  // come.
  EP_INLINE bool Run(Device& device, Waiting& waiting) {
    const uint32_t at_home = step_.handle.tokens * packets_.pieces.by;
    bool has_all = false;
    EP_ROLLED
    for (;; next_ += crews_) {
      const bool sends = Settle();
      if (!sends && next_ >= at_home) break;
      const uint32_t row = packets_.pieces.Of(next_);
      const uint32_t n = next_ - row * packets_.pieces.by;
      const uint32_t count = sends ? 0 : FindParts(device, row);
      const Sum sum = sends ? Sum{step_.context.Peer(p_), row, 0} : OwnOf(count);
      if (sum.part < kMaxTopk && step_.context.shape.FansOut()) SumHere(device, sum, PieceOf(n));
      device.SyncCrew();
      if (sends) {
        Send(device, sum, n);
      } else {
        if (!AwaitOthers(device, waiting, count, n)) return false;
        // Whoever waits for this crew need not wait for its last sum.
        has_all = next_ + crews_ >= at_home;
        if (has_all) HasAllPackets(device, step_.working);
        SumParts(device, row, PieceOf(n), count);
      }
      device.SyncCrew();  // what was read may be written anew
    }
    if (!has_all) HasAllPackets(device, step_.working);
    return true;
  }

 private:
  Piece PieceOf(uint32_t n) const {
    const uint32_t first = n * kPacketChannels;
    const uint32_t left = step_.context.shape.hidden - first;
    return {first, left < kPacketChannels ? left : kPacketChannels};
  }
  Bf16* Part(uint32_t i) const { return reinterpret_cast<Bf16*>(packets_.Slot(i)); }
  static uint32_t PacketsOf(Piece piece) { return Packet::Of(sizeof(Bf16) * piece.count); }
  uint64_t RowOf(uint32_t home, uint32_t slot) const {
    return step_.working.places.Row(home, slot);
  }

  // What this rank's experts made of a row of `home`, as one of the crew's parts; kMaxTopk:
  // nothing.
  struct Sum {
    uint32_t home;
    uint32_t slot;
    uint32_t part;
  };

  // On to the peer whose piece the next one is. Returns whether it is sent.
  EP_INLINE bool Settle() {
    EP_ROLLED
    for (; p_ + 1 < step_.context.shape.ranks; ++p_) {
      const uint32_t pieces =
          step_.working.places.rows_from[step_.context.Peer(p_)] * packets_.pieces.by;
      if (next_ < pieces) return true;
      next_ -= pieces;
    }
    return false;
  }

  EP_INLINE void SumHere(Device& device, const Sum& sum, Piece piece) {
    SumCopies(device, step_, sum.home, sum.slot, piece,
              [&](uint32_t channels, uint32_t count, auto row_of, auto weight_of) {
                device.SumOwn(Part(sum.part), channels, count, row_of, weight_of);
              });
  }

  EP_INLINE void Send(Device& device, const Sum& sum, uint32_t n) {
    const RankContext& context = step_.context;
    const Piece piece = PieceOf(n);
    const auto* from = reinterpret_cast<const uint8_t*>(Part(0));
    // The experts' kernel has made the sum itself.
    if (!context.shape.FansOut()) {
      from =
          reinterpret_cast<const uint8_t*>(step_.ExpertRow(RowOf(sum.home, sum.slot), piece.first));
    }
    auto* to = context.There<Packet>(sum.home, context.layout.PacketSum(step_.bank, sum.slot, n));
    EP_ROLLED
    for (uint32_t i = device.Lane(); i < PacketsOf(piece); i += Device::kLanes) {
      PutPacket(device, to + i, from + Packet::kBytes * i, step_.epoch);
    }
  }

  // Brings a token's destinations to the crew's memory. Returns how many there are.
  EP_INLINE uint32_t FindParts(Device& device, uint32_t token) {
    const uint32_t most = step_.context.shape.MaxDestinations();
    Destination* from = step_.working.crew->from;
    device.Load(
        reinterpret_cast<uint8_t*>(from),
        reinterpret_cast<const uint8_t*>(step_.handle.destinations + uint64_t{token} * most),
        sizeof(Destination) * most);
    uint32_t count = 0;
    EP_ROLLED
    while (count < most && from[count].rank != kNoDestination.rank) ++count;
    return count;
  }

  // Which of a token's parts this rank makes itself.
  EP_INLINE Sum OwnOf(uint32_t count) const {
    Sum own = {step_.context.rank, 0, kMaxTopk};
    EP_ROLLED
    for (uint32_t d = 0; d < count; ++d) {
      const Destination from = step_.working.crew->from[d];
      if (from.rank == step_.context.rank) own = {from.rank, from.slot, d};
    }
    return own;
  }

  // Awaits what the others send of the n-th piece of a token.
  EP_INLINE bool AwaitOthers(Device& device, Waiting& waiting, uint32_t count, uint32_t n) {
    const RankContext& context = step_.context;
    EP_ROLLED
    for (uint32_t d = 0; d < count; ++d) {
      const Destination from = step_.working.crew->from[d];
      if (from.rank == context.rank) continue;
      const SumPackets packets = {
          context.Here<const Packet>(from.rank, context.layout.PacketSum(step_.bank, from.slot, n)),
          PacketsOf(PieceOf(n)), from.rank, reinterpret_cast<uint32_t*>(Part(d))};
      if (!AwaitPackets<3>(device, context, waiting, packets)) return false;
    }
    device.SyncCrew();
    return true;
  }

  // The parts' sum in rank order, all of which are in the crew's memory, but for what an expert's
  // kernel has summed itself.
  EP_INLINE void SumParts(Device& device, uint32_t token, Piece piece, uint32_t count) {
    const Destination* from = step_.working.crew->from;
    Bf16* out = step_.combined + uint64_t{token} * step_.context.shape.hidden + piece.first;
    device.SumPartials(out, piece.count, count, kMaxTopk, nullptr, [&](uint32_t d) -> const Bf16* {
      if (from[d].rank != step_.context.rank || step_.context.shape.FansOut()) return Part(d);
      return step_.ExpertRow(RowOf(step_.context.rank, from[d].slot), piece.first);
    });
  }

  const Step& step_;
  const PacketWorking& packets_;
  const uint32_t crews_;  // of the rank
  uint32_t p_ = 0;        // the how manieth peer's the next piece is
  uint32_t next_;         // piece of this crew
};

}  // namespace ep::combine

namespace ep {

// As Combine of csrc/protocol/combine.h, of a shape with packets.
template <class Device>
bool CombineInPackets(Device& device, const RankContext& context, const Handle& handle,
                      const Working& working, const Bf16* expert_rows, Bf16* combined) {
  const Epoch epoch = Next(context.epochs->combine);
  const combine::Step step = {context,     epoch,    BankOf(epoch), handle,
                              expert_rows, combined, working};
  EP_ROLLED
  for (uint32_t r = device.Thread(); r < context.shape.ranks; r += device.Threads()) {
    working.places.rows_from[r] = handle.places.rows_from[r];
    if (!context.shape.FansOut()) working.places.begin[r] = handle.places.begin[r];
  }
  if (!EnterOperation(device, context, working.mail, 1, 0)) return false;
  if (device.EnterLast(&context.tickets->entered)) context.epochs->combine = epoch;
  Waiting waiting = {Op::kCombine, epoch};
  if (IsSignalCrew(device)) {
    if (device.Worker() == 0 && !combine::Meet(device, step, waiting)) return false;
    return StayForPackets(device, context, working, waiting);
  }
  combine::PacketSummer<Device> summer(device, step);
  return summer.Run(device, waiting);
}

}  // namespace ep

#endif  // CSRC_PROTOCOL_COMBINE_PACKETS_H_
