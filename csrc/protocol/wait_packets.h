// Bounded waiting for packets, and how a worker leaves an operation whose rows they carry.
#ifndef CSRC_PROTOCOL_WAIT_PACKETS_H_
#define CSRC_PROTOCOL_WAIT_PACKETS_H_

#include "csrc/protocol/device.h"
#include "csrc/protocol/packet.h"
#include "csrc/protocol/rank.h"
#include "csrc/protocol/signal.h"
#include "csrc/protocol/wait.h"

namespace ep {

// Packets to await are a List, with
//   Size()               how many
//   At(i)                where packet i comes to stand
//   PeerOf(i)            who sends it
//   Take(i, packet)      what is done with it, on the lane that has it

// As MustStop: since when the crew waits, or kStop.
inline constexpr uint64_t kStop = 0;
template <class Device>
EP_COLD uint64_t LookAtClock(Device device, const RankContext& context, Waiting waiting,
                             uint32_t peer) {
  const bool stop = MustStop(device, context, waiting, peer, 0);
  return stop ? kStop : waiting.since_ns;
}

// A crew awaits all packets of a list, kLoads a lane at a time, and takes each. Returns false, at
// the latest when the operation's time is over, with the reason recorded.
template <uint32_t kLoads, class Device, class List>
EP_INLINE bool AwaitPackets(Device& device, const RankContext& context, Waiting& waiting,
                            const List& list) {
  EP_ROLLED
  for (uint32_t base = device.Lane(); base < RoundUp(list.Size(), Device::kLanes);
       base += kLoads * Device::kLanes) {
    uint32_t left = 0;  // a bit each that has not come
    for (uint32_t l = 0; l < kLoads; ++l) {
      left |= uint32_t{base + l * Device::kLanes < list.Size()} << l;
    }
    EP_ROLLED
    for (uint32_t misses = 0;; ++misses) {
      Packet packet[kLoads] = {};
      for (uint32_t l = 0; l < kLoads; ++l) {
        if (left >> l & 1) packet[l] = device.LoadPacket(list.At(base + l * Device::kLanes));
      }
      uint32_t broken = 0;
      for (uint32_t l = 0; l < kLoads; ++l) {
        if (!(left >> l & 1)) continue;
        const Verdict verdict = JudgePacket(packet[l].epoch, waiting.epoch);
        if (verdict == Verdict::kReady) {
          list.Take(base + l * Device::kLanes, packet[l]);
          left &= ~(1u << l);
        }
        if (verdict == Verdict::kViolation) broken = packet[l].epoch;
      }
      if (!device.AnyOfCrew(left != 0)) break;
      device.Relax(misses);
      if (misses % Device::kPollsPerLook != Device::kPollsPerLook - 1 &&
          !device.AnyOfCrew(broken != 0)) {
        continue;
      }
      const uint32_t mine =
          base + static_cast<uint32_t>(stdlib::countr_zero(left | 1u << kLoads)) * Device::kLanes;
      if (broken != 0) {
        Fail(device, context,
             {ErrorKind::kViolation, waiting.op, waiting.epoch, list.PeerOf(mine),
              MakeFlag(broken, 0), 0, 0});
      }
      const uint32_t first = device.Leading(left == 0);
      const uint32_t peer = list.PeerOf(device.From(mine, first));
      waiting.since_ns = LookAtClock(device, context, waiting, peer);
      if (waiting.since_ns == kStop) return false;
    }
  }
  return true;
}

// A lane sends 12 bytes, which lie anywhere.
template <class Device>
EP_INLINE void PutPacket(Device& device, Packet* to, const uint8_t* from, Epoch epoch) {
  Packet packet;
  for (uint32_t w = 0; w < Packet::kWords; ++w) {
    packet.words[w] = reinterpret_cast<const uint32_t*>(from)[w];
  }
  packet.epoch = epoch;
  device.StorePacket(to, packet);
}

// A crew awaits nothing more in this operation.
template <class Device>
EP_INLINE void HasAllPackets(Device& device, const Working& working) {
  device.Add(working.mail.pending, 1);
}

// A signal crew stays until its worker's crews await nothing more, or all of the rank's where it
// asks the host. It bounds no wait itself: who waits for a packet knows whose it is.
template <class Device>
EP_INLINE bool StayForPackets(Device& device, const RankContext& context, const Working& working,
                              Waiting& waiting) {
  const auto gives_up = [&](uint32_t misses) {
    device.Relax(misses);
    if (misses % Device::kPollsPerLook != Device::kPollsPerLook - 1) return false;
    waiting.since_ns = Waiting::kNotYet;
    return LookAtClock(device, context, waiting, context.rank) == kStop;
  };
  EP_ROLLED
  for (uint32_t misses = 0; device.SeeFast(working.mail.pending) != device.Crews(); ++misses) {
    if (gives_up(misses)) return false;
  }
  return StayForOthers(device, context, gives_up);
}

}  // namespace ep

#endif  // CSRC_PROTOCOL_WAIT_PACKETS_H_
