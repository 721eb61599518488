// Where every byte of one rank's symmetric region lies.
//
// All ranks allocate the same layout, so an offset computed here is good in any peer's region.
// Nothing else states it: bodies ask here, and transports are told a size. B banks, R ranks,
// T tokens, K chunks, k top-k, L local experts, H hidden:
//
//   +--------+-------------+---------+---------------------------------------------------------+
//   | header | dispatch    | combine | pair areas, R of                                        |
//   | 4 KiB  | words       | words   | B x { … | counts | metas | scales | rows | … | partials } |
//   |        |             |         |         |        |       | (FP8)  |      |   |           |
//   |        | B R         | B R     |         | 1      | T     | T      | T    |   | T P       |
//   |        | x 8 (1 + K) | x 8 K   |         | x 2 L  | x 8 + | x 4 H  | x H, |   | x 2 H     |
//   |        |             |         |         |        | 8 k   | / 128  | 2 H  |   |           |
//   +--------+-------------+---------+---------------------------------------------------------+
//
// Where rows travel in packets (Shape::packets), a bank of a pair area has besides
//
//   +-------+--------+----------------------------------------+------------------------+
//   | begun | counts | T x { meta | pieces of a row: packets } | T x pieces of a sum    |
//   +-------+--------+----------------------------------------+------------------------+
//
// A pair area is what one peer writes: how many selections it has for each local expert, its rows,
// once each, whatever the number of experts here; and the partial sums that its experts made of
// this rank's rows, [slot][P]: one a row, or where nothing is summed there one a selection, of
// which P are the most. Ahead of each operation's part is room for its words (…), where those come
// with a message (csrc/device/post.h), so that they travel in one piece with what follows. A pair
// area is all that two ranks need to share, besides their words, and lies at any address, so its
// offsets count from its own begin. Words [bank][peer] are that peer's alone, too. Those of an
// entry begin on a 128-byte line of their own, so that peers never share one.
#ifndef CSRC_PROTOCOL_LAYOUT_H_
#define CSRC_PROTOCOL_LAYOUT_H_

#include "csrc/protocol/epoch.h"
#include "csrc/protocol/error.h"
#include "csrc/protocol/meta.h"
#include "csrc/protocol/packet.h"
#include "csrc/protocol/shape.h"
#include "csrc/protocol/std.h"

namespace ep {

// First bytes of a region; peers compare it before they trust an offset.
struct RegionHeader {
  uint64_t magic;
  uint64_t layout_hash;
  uint32_t rank;
  uint32_t zero;
};
inline constexpr uint64_t kRegionMagic = 0x3330466572507045;  // "EpPreF03"

class Layout {
 public:
  // `shape` has no Problem.
  constexpr explicit Layout(const Shape& shape)
      : ranks_(shape.ranks),
        tokens_(shape.tokens),
        partials_per_row_(shape.PartialsPerRow()),
        chunk_tokens_(shape.chunk_tokens),
        row_bytes_(shape.dtype == Dtype::kFp8 ? shape.hidden : 2ull * shape.hidden),
        way_(uint64_t{static_cast<uint32_t>(shape.layout)} << 32 |
             static_cast<uint32_t>(shape.sum)),
        dispatch_word_{kHeaderBytes, Stride(kWordBytes * (1 + shape.Chunks()), kLineBytes)},
        combine_word_{EndOf(dispatch_word_, Pairs()),
                      Stride(kWordBytes * shape.Chunks(), kLineBytes)},
        posted_dispatch_{0, dispatch_word_.stride},
        count_{EndOf(posted_dispatch_, 1),
               Stride(sizeof(uint16_t) * shape.experts_per_rank, kLineBytes)},
        meta_{EndOf(count_, 1), Stride(RowMeta::StrideBytes(shape.topk), kVectorBytes)},
        scale_{EndOf(meta_, tokens_),
               shape.dtype == Dtype::kFp8
                   ? Stride(sizeof(float) * shape.ScalesPerRow(), kVectorBytes)
                   : 0},
        row_{EndOf(scale_, tokens_), Stride(row_bytes_, kVectorBytes)},
        posted_combine_{EndOf(row_, tokens_), combine_word_.stride},
        partial_{EndOf(posted_combine_, 1), 2 * shape.hidden},
        packets_(shape),
        packet_begun_{EndOf(partial_, tokens_ * partials_per_row_), sizeof(Packet)},
        packet_count_{EndOf(packet_begun_, shape.packets ? 1 : 0), sizeof(Packet)},
        packet_row_{
            EndOf(packet_count_, shape.packets ? packets_.counts : 0),
            Stride(sizeof(Packet) * (packets_.meta + packets_.pieces * packets_.row), kLineBytes)},
        packet_sum_{EndOf(packet_row_, shape.packets ? tokens_ : 0),
                    Stride(sizeof(Packet) * packets_.pieces * packets_.sum, kLineBytes)},
        bank_bytes_(EndOf(packet_sum_, shape.packets ? tokens_ : 0)),
        pairs_(EndOf(combine_word_, Pairs())) {}

  // How many rows a source sends in all.
  constexpr uint64_t CountsWord(uint32_t bank, uint32_t source) const {
    return At(dispatch_word_, Pair(bank, source));
  }
  // Which of a source's slots hold the rows of a chunk of its tokens.
  constexpr uint64_t ChunkWord(uint32_t bank, uint32_t source, uint32_t chunk) const {
    return CountsWord(bank, source) + kWordBytes * (1 + chunk);
  }
  // Which of this rank's slots at `expert_rank` have their partial sums here.
  constexpr uint64_t SumWord(uint32_t bank, uint32_t expert_rank, uint32_t chunk) const {
    return At(combine_word_, Pair(bank, expert_rank)) + kWordBytes * chunk;
  }
  // The words of an operation that one rank raises for another: counts first, then chunk by chunk.
  constexpr uint32_t Words(Op op) const {
    return (tokens_ + chunk_tokens_ - 1) / chunk_tokens_ + (op == Op::kDispatch ? 1 : 0);
  }
  // Where they stand, `peer`'s.
  constexpr uint64_t WordsOf(Op op, uint32_t bank, uint32_t peer) const {
    return op == Op::kDispatch ? CountsWord(bank, peer) : SumWord(bank, peer, 0);
  }

  // Where what `peer` writes lies in a region.
  constexpr uint64_t PairArea(uint32_t peer) const { return pairs_ + peer * PairBytes(); }
  constexpr uint64_t PairBytes() const { return kBanks * bank_bytes_; }
  constexpr uint64_t BankBytes() const { return bank_bytes_; }

  // From here on, in a pair area.
  constexpr uint64_t Bank(uint32_t bank) const { return bank == 0 ? 0 : bank_bytes_; }
  // uint16_t [experts_per_rank].
  constexpr uint64_t Counts(uint32_t bank) const { return In(bank, count_, 0); }
  constexpr uint64_t Meta(uint32_t bank, uint32_t slot) const { return In(bank, meta_, slot); }
  // float [ScalesPerRow]; FP8 only.
  constexpr uint64_t Scales(uint32_t bank, uint32_t slot) const { return In(bank, scale_, slot); }
  constexpr uint64_t Row(uint32_t bank, uint32_t slot) const { return In(bank, row_, slot); }
  // BF16 [hidden]. `slot` is this rank's row's at the peer, `i` below Shape::PartialsPerRow().
  constexpr uint64_t Partial(uint32_t bank, uint32_t slot, uint32_t i = 0) const {
    return In(bank, partial_, slot * partials_per_row_ + i);
  }

  // The packets that say that a rank has begun a combine, and what it counts in a dispatch.
  constexpr uint64_t PacketBegun(uint32_t bank) const { return In(bank, packet_begun_, 0); }
  constexpr uint64_t PacketCount(uint32_t bank, uint32_t i) const {
    return In(bank, packet_count_, i);
  }
  // Those of a row: its description, then piece by piece.
  constexpr uint64_t PacketRow(uint32_t bank, uint32_t slot) const {
    return In(bank, packet_row_, slot);
  }
  constexpr uint64_t PacketPiece(uint32_t bank, uint32_t slot, uint32_t piece) const {
    return PacketRow(bank, slot) + sizeof(Packet) * (packets_.meta + piece * packets_.row);
  }
  // Of the partial sum that comes back of this rank's row in a slot at the peer.
  constexpr uint64_t PacketSum(uint32_t bank, uint32_t slot, uint32_t piece) const {
    return In(bank, packet_sum_, slot) + sizeof(Packet) * piece * packets_.sum;
  }
  constexpr const PacketCounts& Packets() const { return packets_; }

  // Where words travel that come with a message, until they are raised.
  constexpr uint64_t PostedWords(Op op, uint32_t bank) const {
    return In(bank, op == Op::kDispatch ? posted_dispatch_ : posted_combine_, 0);
  }

  constexpr uint64_t MetaStride() const { return meta_.stride; }
  // Bytes of one dispatched row's payload.
  constexpr uint64_t RowBytes() const { return row_bytes_; }
  // The offset one past the end, so it cannot disagree with the others.
  constexpr uint64_t SizeBytes() const { return PairArea(ranks_); }

  // Equal only where all offsets are, and where ranks mean the same by what comes back and by a
  // word; FNV-1a over what determines them.
  constexpr uint64_t Hash() const {
    uint64_t hash = 0xCBF29CE484222325;
    const Section sections[] = {dispatch_word_, combine_word_, count_,     meta_,
                                scale_,         row_,          partial_,   packet_begun_,
                                packet_count_,  packet_row_,   packet_sum_};
    for (const Section& section : sections) {
      hash = (hash ^ section.offset) * 0x100000001B3;
      hash = (hash ^ section.stride) * 0x100000001B3;
    }
    hash = (hash ^ way_) * 0x100000001B3;
    hash = (hash ^ chunk_tokens_) * 0x100000001B3;
    hash = (hash ^ row_bytes_) * 0x100000001B3;
    return (hash ^ SizeBytes()) * 0x100000001B3;
  }

 private:
  static constexpr uint64_t kHeaderBytes = 4096;
  static constexpr uint64_t kLineBytes = 128;
  static constexpr uint64_t kWordBytes = sizeof(uint64_t);
  // What lies in a slot begins where a GPU can move 16 bytes at once.
  static constexpr uint64_t kVectorBytes = 16;
  static_assert(sizeof(RegionHeader) <= kHeaderBytes);

  // Of at most 2^32 entries, so that an entry is one product of 32 bits each.
  struct Section {
    uint64_t offset;
    uint32_t stride;
  };

  constexpr uint32_t Pairs() const { return kBanks * ranks_; }
  constexpr uint32_t Pair(uint32_t bank, uint32_t peer) const { return bank * ranks_ + peer; }
  constexpr uint64_t In(uint32_t bank, const Section& section, uint32_t entry) const {
    return At(section, entry) + Bank(bank);
  }
  static constexpr uint64_t At(const Section& section, uint32_t entry) {
    return section.offset + uint64_t{entry} * section.stride;
  }
  static constexpr uint32_t Stride(uint64_t bytes, uint64_t multiple) {
    return static_cast<uint32_t>(RoundUp(bytes, multiple));
  }
  // Sections begin on a line of their own.
  static constexpr uint64_t EndOf(const Section& section, uint32_t entries) {
    return RoundUp(At(section, entries), kLineBytes);
  }

  uint32_t ranks_;
  uint32_t tokens_;
  uint32_t partials_per_row_;
  uint32_t chunk_tokens_;
  uint64_t row_bytes_;
  uint64_t way_;  // layout and sum
  Section dispatch_word_;
  Section combine_word_;
  // Of a bank of a pair area.
  Section posted_dispatch_;
  Section count_;
  Section meta_;
  Section scale_;
  Section row_;
  Section posted_combine_;
  Section partial_;
  PacketCounts packets_;
  Section packet_begun_;
  Section packet_count_;
  Section packet_row_;
  Section packet_sum_;
  uint64_t bank_bytes_;
  uint64_t pairs_;  // where their areas begin
};

}  // namespace ep

#endif  // CSRC_PROTOCOL_LAYOUT_H_
