// What the protocol's bodies ask of the device that runs them.
//
// A rank has workers (a thread on a CPU, a thread block on a GPU), a worker has crews (itself; its
// warps), a crew has lanes. All lanes of a rank run the same body; what they share out is rows in
// pieces: a crew moves one piece at a time, its lanes together.
//
// A device policy is a class with, for where a lane stands:
//   kLanes, Lane()                     lanes of a crew
//   Crew(), Crews()                    crews of the rank
//   Thread(), Threads()                lanes of the worker
//   Worker(), Workers()                workers of the rank
//   kPieceChannels                     channels of a piece; the last of a row may have fewer
// for meeting, which also orders memory among those who meet:
//   SyncCrew(), Sync()                 all lanes of the crew, of the worker
//   Any(bool)                          Sync, and whether any lane of the worker says so
//   ArriveLast(ticket)                 Sync, and whether all other workers have come before, with
//                                      all they did
//   AddLast(counter, mine, all)        on one lane of the crew that brings the counter to `all`:
//                                      true, with all that the others had done; puts it back to 0
// for rows, all lanes of a crew together:
//   Fetch(channels, piece), Pack(…)    a piece of a token's row, as it travels; Pack may quantise
//   PutRow(row, payload, scales)       … to a peer; both point to the beginning of the whole row
//   Read(from, bytes), Write(to, …)    a piece of payload, held in between
//   Zeros(bytes)                       as if read
//   CopyRows(bytes, count, to_of, from_of)   pieces of several rows, from memory of this rank
//   Copy(to, from, bytes)              a multiple of 4 bytes, 4-byte aligned
//   SumWeighted, SumPartials           combine's arithmetic
// for each lane alone:
//   Store(to, value)                   what another rank reads once a flag says so
//   StoreRelease, LoadAcquire          the flags, and with them the order of all before and after
//   NowNs, Aborted, Relax              bounded waiting; kPollsPerLook polls between two looks at
//                                      the clock
//   ClaimOnce, Failed                  the one error of a rank
#ifndef CSRC_PROTOCOL_DEVICE_H_
#define CSRC_PROTOCOL_DEVICE_H_

#include "csrc/protocol/shape.h"
#include "csrc/protocol/std.h"

namespace ep {

// Channels [first, first + count) of a row; whole groups that share a scale.
struct Piece {
  uint32_t first;
  uint32_t count;

  constexpr uint32_t FirstScale() const { return first / kChannelsPerScale; }
  constexpr uint32_t Scales() const { return count / kChannelsPerScale; }
};

// How a row is cut for a device.
template <class Device>
struct Pieces {
  uint32_t hidden;

  constexpr uint32_t Count() const {
    return (hidden + Device::kPieceChannels - 1) / Device::kPieceChannels;
  }
  constexpr Piece operator[](uint32_t index) const {
    const uint32_t first = index * Device::kPieceChannels;
    const uint32_t left = hidden - first;
    return {first, left < Device::kPieceChannels ? left : Device::kPieceChannels};
  }
};

}  // namespace ep

#endif  // CSRC_PROTOCOL_DEVICE_H_
