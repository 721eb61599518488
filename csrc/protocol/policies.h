// What the protocol's bodies ask of the device that runs them, and of the plan of its tokens: all
// verbs that there are, checked beside each device and plan.
//
// A rank has workers (a thread on a CPU, a thread block on a GPU), a worker has crews (itself; its
// warps), a crew has lanes. All lanes of a rank run the same body; what they share out is rows in
// pieces: a crew moves one piece at a time, its lanes together.
#ifndef CSRC_PROTOCOL_POLICIES_H_
#define CSRC_PROTOCOL_POLICIES_H_

#include "csrc/protocol/device.h"
#include "csrc/protocol/message.h"
#include "csrc/protocol/plan.h"
#include "csrc/protocol/quant.h"
#include "csrc/protocol/rank.h"

namespace ep {

template <class Device>
concept DevicePolicy =
    requires(Device device, const Device& asked, uint32_t* word, bool mine, uint8_t* bytes,
             const RankContext& context, const Message& message, const Shape& shape, Piece piece,
             Bf16* channels, float* scales, E4m3* codes, uint64_t* flag) {
      // Where a lane stands: lanes of a crew, crews of the worker that move rows, lanes of the
      // worker, workers of the rank. With kSignals there is one crew more, whose Crew() is Crews().
      requires Device::kLanes >= 1;
      { Device::kSignals };
      asked.Lane() < Device::kLanes;
      asked.Crew() < asked.Crews();
      asked.Thread() < asked.Threads();
      asked.Worker() < asked.Workers();

      // Meeting, which also orders memory among those who meet: all lanes of the crew, of the
      // worker; then whether any lane of the worker says so.
      device.SyncCrew();
      device.Sync();
      bool(device.Any(mine));
      // Of the crew, ordering nothing: whether any lane says so, which as bits, and what one gives.
      bool(device.AnyOfCrew(mine));
      uint32_t{device.Ballot(mine)};
      uint32_t{device.From(uint32_t{0}, uint32_t{0})};
      // SyncCrew, and how many lanes from the first on say so.
      uint32_t{device.Leading(mine)};
      // Whether a lane of this worker comes last of the rank's; puts the ticket back to 0. It
      // orders what the workers' lanes did before.
      bool(device.EnterLast(word));

      // Rows, all lanes of a crew together, of at most kHeldChannels or kHeldBytes: a piece of a
      // token's row, as it travels, which may quantise, and where it goes; with kTakesPacked it may
      // be quantised already.
      uint32_t{Device::kHeldChannels};
      uint32_t{Device::kHeldBytes};
      bool{Device::kTakesPacked};
      device.PutRow(device.Pack(shape, device.Fetch(shape, channels, piece), piece), bytes, scales);
      device.PutRow(device.FetchPacked(codes, scales, piece), bytes, scales);
      // A piece of payload and of scales, held in between; zeros as if read.
      device.Write(bytes, device.Read(bytes, size_t{0}));
      device.Write(bytes, device.Zeros(size_t{0}));
      device.WriteScales(scales, device.ReadScales(scales, uint32_t{0}));
      // Into the crew's fast memory, for all its lanes; and anywhere. Multiples of 4 bytes.
      device.Load(bytes, bytes, size_t{0});
      device.Copy(bytes, bytes, size_t{0});

      // A lane alone: what others read once a word says so; that what is done and ordered before
      // comes before what this lane tells other ranks; telling them.
      device.Store(word, uint32_t{0});
      device.Release();
      device.RaiseFlag(context, message);
      // A word, and with it the order of all after.
      uint64_t{device.LoadAcquire(flag)};
      // Bounded waiting: kPollsPerLook polls between two looks at the clock.
      uint32_t{Device::kPollsPerLook};
      uint64_t{device.NowNs()};
      device.Relax(uint32_t{0});
      // Asks the host whether to stop; one crew of a rank alone may (AsksTheHost).
      bool(device.Aborted());
      // The one error of a rank.
      bool(device.ClaimOnce(word));
      bool(device.Failed(*word));
    };

// A device whose workers have a signal crew, and fast memory between it and the others.
template <class Device>
concept SignallingDevice =
    DevicePolicy<Device> && Device::kSignals && requires(Device device, uint32_t* word) {
      // SyncCrew, and adds to a word, after all that the crew has done.
      device.Add(word, uint32_t{1});
      // A word with the order of all before, or after.
      device.StoreFast(word, uint32_t{1});
      uint32_t{device.LoadFast(word)};
      // The same for all lanes of the crew, who all see one value.
      uint32_t{device.SeeFast(word)};
      // Adds 1 for the crew; what it was before.
      uint32_t{device.Take(word)};
      // Between two looks.
      device.RelaxFast();
      // By any lanes of the worker.
      device.OrShared(word, uint32_t{1});
      device.AddShared(word, uint32_t{1});
      // Of the rank, ordering nothing: adds 1, and how far it is.
      device.Arrive(word);
      uint32_t{device.Arrived(word)};
      // As EnterLast, on all lanes of the worker, with all that the others had done.
      bool(device.ArriveLast(word));
      // Lanes of the crew that give the same value, as bits.
      uint32_t{device.Match(uint32_t{0})};
    };

// A device for rows in packets.
template <class Device>
concept PacketDevice =
    SignallingDevice<Device> && requires(Device device, Packet* packet, uint8_t* bytes,
                                         const Shape& shape, Piece piece, Bf16* channels) {
      // A lane alone: stores a packet as one, which becomes visible by itself; loads one as one.
      device.StorePacket(packet, Packet{});
      Packet{device.LoadPacket(packet)};
      // All lanes of a crew: a packed piece into its fast memory, scales first; and payload from
      // there, to be written.
      device.StageRow(device.Pack(shape, device.Fetch(shape, channels, piece), piece), bytes);
      device.Write(bytes, device.ReadFast(bytes, size_t{0}));
    };

// Where each token's row goes.
template <class Plan, class Device>
concept RowPlan = requires(Plan plan, const Plan& asked, Device& device, const int32_t* topk_idx) {
  // Tokens that it can look at together, a multiple of a chunk's.
  uint32_t{asked.WindowTokens()};
  // Whether peers have been told the totals before the operation began.
  bool(asked.CountsAreOut());
  // By all lanes of a worker, of so many tokens, before tokens [first, end) are looked up.
  plan.Load(device, topk_idx, uint32_t{0}, uint32_t{0}, uint32_t{0});
  // By all lanes of the first worker, after its first Load: the two that follow are good until a
  // token is looked up.
  plan.CountAll(device);
  uint32_t{asked.RowsToRank(uint32_t{0})};
  uint32_t{asked.SelectionsOfExpert(uint32_t{0})};
  // By all lanes of a crew, before it looks up tokens of the chunk that begins with this one.
  plan.Begin(uint32_t{0});
  // By all lanes of a crew, in ascending order: a token's TokenPlan, good until the next Find;
  // without placements unless asked for them, null if its ids are no set of experts.
  plan.Find(device, uint32_t{0}, true)->destination_count;
  // The slots at a rank of tokens [begin, end), a chunk's, all of which have been looked up.
  SlotRange{asked.Slots(uint32_t{0}, uint32_t{0}, uint32_t{0})};
  // A token whose ids this lane found wrong, or kNoToken.
  uint32_t{asked.BadToken()};
};

}  // namespace ep

#endif  // CSRC_PROTOCOL_POLICIES_H_
