// Packets: how rows of few tokens travel, without words that announce them.
//
// A packet is 12 bytes of what is sent and the number of the operation that sends it, stored and
// loaded as one. Who has read the wanted number has the bytes, too: nothing is ordered, nobody
// fences, and a row's first bytes are on their way before its last ones are made. A third more
// travels, and all is copied through fast memory at both ends, so it is for few tokens.
//
// Two banks are enough here as well (csrc/protocol/epoch.h): in every operation a rank sends every
// peer one packet at least, which the peer awaits before it ends its own: its counts in a dispatch,
// in a combine one that says it has begun. A packet whose place nobody used for 2^32
// operations would be taken for a new one.
#ifndef CSRC_PROTOCOL_PACKET_H_
#define CSRC_PROTOCOL_PACKET_H_

#include "csrc/protocol/epoch.h"
#include "csrc/protocol/flag.h"
#include "csrc/protocol/meta.h"
#include "csrc/protocol/quant.h"
#include "csrc/protocol/shape.h"
#include "csrc/protocol/std.h"

namespace ep {

struct alignas(16) Packet {
  static constexpr uint32_t kWords = 3;
  static constexpr uint32_t kBytes = 4 * kWords;

  uint32_t words[kWords];
  Epoch epoch;

  // Of so many bytes.
  static constexpr uint32_t Of(uint64_t bytes) {
    return static_cast<uint32_t>((bytes + kBytes - 1) / kBytes);
  }
};
static_assert(sizeof(Packet) == 16);

// Channels of a row that a crew takes on at a time.
inline constexpr uint32_t kPacketChannels = 512;

// What a reader that waits for `want` makes of the number that it has read. One of the next few
// proves that a bank was reused too early; any other is of an earlier operation, whichever used the
// place last.
constexpr Verdict JudgePacket(Epoch have, Epoch want) {
  constexpr Epoch kNextFew = 8;
  if (have == want) return Verdict::kReady;
  return have != 0 && have - want <= kNextFew ? Verdict::kViolation : Verdict::kNotYet;
}

// How many packets the parts of a rank's messages are. A piece of a row is its channels; of FP8 the
// scales stand before its codes.
struct PacketCounts {
  static constexpr uint32_t kScaleBytes = sizeof(float) * kPacketChannels / kChannelsPerScale;

  uint32_t counts;  // rows, and selections of each expert, 16 bits each
  uint32_t meta;    // a row's description
  uint32_t pieces;  // of a row
  uint32_t row;     // a piece of it, the longest
  uint32_t sum;     // a piece of a sum, the longest

  constexpr explicit PacketCounts(const Shape& shape)
      : counts(Packet::Of(sizeof(uint16_t) * (1 + shape.experts_per_rank))),
        meta(Packet::Of(RowMeta::SizeBytes(shape.MaxSelectionsPerRow()))),
        pieces((shape.hidden + kPacketChannels - 1) / kPacketChannels),
        row(Packet::Of(BodyBytes(shape.dtype, kPacketChannels))),
        sum(Packet::Of(sizeof(Bf16) * kPacketChannels)) {}

  // Bytes ahead of a piece's channels.
  static constexpr uint32_t HeadBytes(Dtype dtype) {
    return dtype == Dtype::kFp8 ? kScaleBytes : 0;
  }
  // Of a piece of a row of so many channels.
  static constexpr uint32_t BodyBytes(Dtype dtype, uint32_t channels) {
    const uint32_t each = dtype == Dtype::kFp8 ? sizeof(E4m3) : sizeof(Bf16);
    return HeadBytes(dtype) + each * channels;
  }
  // Room for a body of so many packets.
  static constexpr uint32_t RoomBytes(uint32_t packets) {
    return static_cast<uint32_t>(RoundUp(uint64_t{Packet::kBytes} * packets, sizeof(Packet)));
  }
};

}  // namespace ep

#endif  // CSRC_PROTOCOL_PACKET_H_
