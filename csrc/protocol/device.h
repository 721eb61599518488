// What the protocol's bodies ask of the device that runs them.
//
// A rank has workers (a thread on a CPU, a thread block on a GPU), a worker has crews (itself; its
// warps), a crew has lanes. All lanes of a rank run the same body; what they share out is rows in
// pieces: a crew moves one piece at a time, its lanes together.
//
// A device policy is a class with, for where a lane stands:
//   kLanes, Lane()                     lanes of a crew
//   Crew(), Crews()                    crews of the worker that move rows
//   kSignals                           whether it has one more, whose Crew() is Crews(), which
//   signals Thread(), Threads()                lanes of the worker Worker(), Workers() workers of
//   the rank
// for meeting, which also orders memory among those who meet:
//   SyncCrew(), Sync()                 all lanes of the crew, of the worker
//   Any(bool)                          Sync, and whether any lane of the worker says so
//   AnyOfCrew(bool), Ballot(bool)      whether any lane of the crew says so, and which, as bits;
//                                      orders nothing
//   Leading(bool)                      SyncCrew, and how many lanes from the first on say so
//   From(value, lane)                  what that lane of the crew gives; orders nothing
//   ArriveLast(ticket)                 true on all lanes of the worker that comes last of the
//   rank's,
//                                      with all that the others had done; puts the ticket back to 0
//   Arrive(counter), Arrived(counter)  adds 1 to a counter of the rank, and how far it is, by a
//   lane;
//                                      order nothing
//   EnterLast(ticket)                  the same of one lane a worker, which orders nothing
// where there is a signal crew, for it and the others:
//   Add(counter, value)                SyncCrew, and adds to a word of fast memory, after all that
//   the
//                                      crew has done
//   StoreFast, LoadFast                a word of fast memory, with the order of all before, or
//   after Take(word)                         adds 1 to it for the crew; what it was before
//   RelaxFast()                        between two looks at fast memory
//   SeeFast(word)                      the same for all lanes of the crew, who all see one value
//   OrShared, AddShared                to a word of fast memory, by any lanes of the worker
// for rows, all lanes of a crew together; of at most kHeldChannels or kHeldBytes:
//   Fetch(shape, row, piece)           a piece of a token's row
//   Pack(shape, channels, piece)       … as it travels; may quantise
//   kTakesPacked, FetchPacked(codes, scales, piece)   whether it may be quantised already, and then
//   PutRow(row, payload, scales)       … to where a row begins
//   Read(from, bytes), Write(to, …)    a piece of payload, held in between
//   ReadScales(from, count), WriteScales(to, …)   of a piece
//   Zeros(bytes)                       as if read
//   Load(fast, from, bytes)            into the crew's fast memory, for all its lanes; a multiple
//   of
//                                      4 bytes
//   Copy(to, from, bytes)              a multiple of 4 bytes, 4-byte aligned
//   SumWeighted, SumOwn, SumPartials   combine's arithmetic; to memory, to the crew's fast memory,
//                                      and of parts of which one may lie there
// for each lane alone:
//   Store(to, value)                   what another rank or worker reads once a word says so
//   Release()                          what is done and ordered before comes before what this lane
//                                      tells other ranks after it
//   RaiseFlag(context, message)        tells another rank
//   LoadAcquire                        a word, and with it the order of all after
//   NowNs, Relax                       bounded waiting; kPollsPerLook polls between two looks
//   Aborted                            asks the host; one crew of a rank alone may (AsksTheHost)
//   ClaimOnce, Failed                  the one error of a rank
#ifndef CSRC_PROTOCOL_DEVICE_H_
#define CSRC_PROTOCOL_DEVICE_H_

#include "csrc/protocol/shape.h"
#include "csrc/protocol/std.h"

namespace ep {

// Channels [first, first + count) of a row; it begins where a group that shares a scale does.
struct Piece {
  uint32_t first;
  uint32_t count;

  constexpr uint32_t FirstScale() const { return first / kChannelsPerScale; }
  constexpr uint32_t Scales() const { return (count + kChannelsPerScale - 1) / kChannelsPerScale; }
};

// How rows are cut: into `count` pieces of `channels`, of which the last may have fewer.
struct Pieces {
  uint32_t hidden;
  uint32_t channels;
  uint32_t count;

  // So that `crews` crews have a piece each of `rows` rows, and no piece is longer than `most`
  // channels or shorter than a unit.
  static constexpr Pieces Cut(uint32_t hidden, uint32_t unit, uint32_t most, uint32_t rows,
                              uint32_t crews) {
    const uint32_t units = (hidden + unit - 1) / unit;
    const uint32_t least = (units + most / unit - 1) / (most / unit);
    const uint32_t wanted = rows == 0 ? least : crews / rows;
    const uint32_t count = wanted < least ? least : wanted < units ? wanted : units;
    const uint32_t each = (units + count - 1) / count;
    return {hidden, each * unit, (units + each - 1) / each};
  }
  // Channels [at, at + most) of a piece, as far as it has them.
  static constexpr Piece Step(Piece piece, uint32_t at, uint32_t most) {
    const uint32_t left = piece.first + piece.count - at;
    return {at, left < most ? left : most};
  }
  constexpr Piece operator[](uint32_t index) const {
    const uint32_t first = index * channels;
    const uint32_t left = hidden - first;
    return {first, left < channels ? left : channels};
  }
};

// Whether this is its worker's crew that signals.
template <class Device>
bool IsSignalCrew(const Device& device) {
  return !Device::kSignals || device.Crew() == device.Crews();
}

// The one crew of a rank that asks the host whether to stop, where that costs something.
template <class Device>
bool AsksTheHost(const Device& device) {
  return !Device::kSignals || (device.Worker() == 0 && IsSignalCrew(device));
}

}  // namespace ep

#endif  // CSRC_PROTOCOL_DEVICE_H_
