// What a dispatch whose rows travel in packets tells of them: each rank how many there will be, and
// how many each of its experts gets, in packets as well.
#ifndef CSRC_PROTOCOL_COUNT_PACKETS_H_
#define CSRC_PROTOCOL_COUNT_PACKETS_H_

#include "csrc/protocol/bitmap_plan.h"
#include "csrc/protocol/dispatch_step.h"
#include "csrc/protocol/packet.h"
#include "csrc/protocol/rank.h"
#include "csrc/protocol/wait_packets.h"

namespace ep::dispatch {

// What all ranks count for this one, as it comes.
struct CountPackets {
  static constexpr uint32_t kEach = 2 * Packet::kWords;  // counts

  const Step& step;

  const Divisor& PerRank() const { return step.working.packets.count_packets; }
  uint32_t Size() const { return step.context.shape.ranks * PerRank().by; }
  uint32_t PeerOf(uint32_t i) const { return PerRank().Of(i); }
  // Where a packet stands in a bank of a pair area.
  uint64_t OffsetOf(uint32_t i) const {
    return step.context.layout.PacketCount(step.bank, i - PeerOf(i) * PerRank().by);
  }
  const Packet* At(uint32_t i) const {
    return step.context.Here<const Packet>(PeerOf(i), OffsetOf(i));
  }
  void Take(uint32_t i, const Packet& packet) const {
    auto* to = reinterpret_cast<uint32_t*>(step.working.packets.heard) + Packet::kWords * i;
    for (uint32_t w = 0; w < Packet::kWords; ++w) to[w] = packet.words[w];
  }
  // Where the counts of a rank begin among all that are told, or heard.
  uint32_t FirstOf(uint32_t rank) const { return rank * PerRank().by * kEach; }
};

// Finds what this rank counts for all, itself included, by all lanes of a worker.
template <class Device, class Plan>
EP_INLINE void CountForAll(Device& device, const Step& step, const Plan& plan) {
  const Shape& shape = step.context.shape;
  const CountPackets packets = {step};
  EP_ROLLED
  for (uint32_t i = device.Thread(); i < Entries(shape); i += device.Threads()) {
    const uint32_t expert = i - shape.ranks;  // if it is one
    const uint32_t rank = i < shape.ranks ? i : plan.RankOf(expert);
    const uint32_t value = i < shape.ranks ? 0 : 1 + expert - rank * shape.experts_per_rank;
    step.working.packets.told[packets.FirstOf(rank) + value] =
        static_cast<uint16_t>(plan.CountOfAll(i));
  }
  device.Sync();
}

// Tells it, by the signal crews of all workers together.
template <class Device>
EP_INLINE void TellCountsInPackets(Device& device, const Step& step) {
  const CountPackets packets = {step};
  const auto* told = reinterpret_cast<const uint8_t*>(step.working.packets.told);
  EP_ROLLED
  for (uint32_t i = device.Worker() * Device::kLanes + device.Lane(); i < packets.Size();
       i += device.Workers() * Device::kLanes) {
    PutPacket(device, step.context.There<Packet>(packets.PeerOf(i), packets.OffsetOf(i)),
              told + Packet::kBytes * i, step.epoch);
  }
}

// Awaits what all ranks tell, by a worker's signal crew. Fills Places::rows_from.
template <class Device>
EP_INLINE bool AwaitCountsInPackets(Device& device, const Step& step, Waiting& waiting) {
  const RankContext& context = step.context;
  const CountPackets packets = {step};
  if (!AwaitPackets<2>(device, context, waiting, packets)) return false;
  device.SyncCrew();
  bool good = true;
  EP_ROLLED
  for (uint32_t source = device.Lane(); source < context.shape.ranks; source += Device::kLanes) {
    const uint32_t rows = step.working.packets.heard[packets.FirstOf(source)];
    step.working.places.rows_from[source] = rows;
    if (rows <= context.shape.tokens) continue;
    Fail(device, context, {ErrorKind::kViolation, Op::kDispatch, step.epoch, source, rows, 0, 0});
    good = false;
  }
  return !device.AnyOfCrew(!good);
}

// What has come of the counts.
struct CountsInPackets {
  static constexpr bool kAreFast = true;
  const Step& step;

  uint32_t operator()(uint32_t source, uint32_t expert) const {
    return step.working.packets.heard[CountPackets{step}.FirstOf(source) + 1 + expert];
  }
};

}  // namespace ep::dispatch

#endif  // CSRC_PROTOCOL_COUNT_PACKETS_H_
