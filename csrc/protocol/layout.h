// Where every byte of one rank's symmetric region lies.
//
// All ranks allocate the same layout, so an offset computed here is good in any peer's region.
// Nothing else states it: bodies ask here, and transports are told a size. B banks, R ranks,
// T tokens, K chunks, k top-k, L local experts, H hidden:
//
//   +--------+-------------+---------+---------+-----------+--------------+---------+------------+
//   | header | dispatch    | combine | counts  | metas     | scales       | rows    | partials   |
//   | 4 KiB  | words       | words   |         |           | (FP8)        |         |            |
//   |        | B R         | B R     | B R     | B R T     | B R T        | B R T   | B R T P    |
//   |        | x 8 (1 + K) | x 8 K   | x 2 L   | x 8 + 8 k | x 4 H / 128  | x H, 2H | x 2 H      |
//   +--------+-------------+---------+---------+-----------+--------------+---------+------------+
//
// Entry [bank][peer] of every section is written by that peer alone: its words, how many selections
// it has for each local expert, its rows, once each, whatever the number of experts here; and the
// partial sums that its experts made of this rank's rows, [slot][P]: one a row, or where nothing is
// summed there one a selection, of which P are the most.
// The words of an entry begin on a 128-byte line of their own, so that peers never share one.
#ifndef CSRC_PROTOCOL_LAYOUT_H_
#define CSRC_PROTOCOL_LAYOUT_H_

#include "csrc/protocol/epoch.h"
#include "csrc/protocol/meta.h"
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
inline constexpr uint64_t kRegionMagic = 0x3230466572507045;  // "EpPreF02"

class Layout {
 public:
  // `shape` has no Problem.
  constexpr explicit Layout(const Shape& shape)
      : ranks_(shape.ranks),
        tokens_(shape.tokens),
        partials_per_row_(shape.PartialsPerRow()),
        row_bytes_(shape.dtype == Dtype::kFp8 ? shape.hidden : 2ull * shape.hidden),
        way_(uint64_t{static_cast<uint32_t>(shape.layout)} << 32 |
             static_cast<uint32_t>(shape.sum)),
        chunk_tokens_(shape.chunk_tokens),
        dispatch_word_{kHeaderBytes, RoundUp(kWordBytes * (1 + shape.Chunks()), kLineBytes)},
        combine_word_{EndOf(dispatch_word_, Pairs()),
                      RoundUp(kWordBytes * shape.Chunks(), kLineBytes)},
        count_{EndOf(combine_word_, Pairs()),
               RoundUp(sizeof(uint16_t) * shape.experts_per_rank, kLineBytes)},
        meta_{EndOf(count_, Pairs()), RoundUp(RowMeta::SizeBytes(shape.topk), kVectorBytes)},
        scale_{EndOf(meta_, Slots()),
               shape.dtype == Dtype::kFp8
                   ? RoundUp(sizeof(float) * shape.ScalesPerRow(), kVectorBytes)
                   : 0},
        row_{EndOf(scale_, Slots()), RoundUp(row_bytes_, kVectorBytes)},
        partial_{EndOf(row_, Slots()), 2ull * shape.hidden} {}

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
  // uint16_t [experts_per_rank].
  constexpr uint64_t Counts(uint32_t bank, uint32_t source) const {
    return At(count_, Pair(bank, source));
  }
  constexpr uint64_t Meta(uint32_t bank, uint32_t source, uint32_t slot) const {
    return At(meta_, Slot(bank, source, slot));
  }
  // float [ScalesPerRow]; FP8 only.
  constexpr uint64_t Scales(uint32_t bank, uint32_t source, uint32_t slot) const {
    return At(scale_, Slot(bank, source, slot));
  }
  constexpr uint64_t Row(uint32_t bank, uint32_t source, uint32_t slot) const {
    return At(row_, Slot(bank, source, slot));
  }
  // BF16 [hidden]. `slot` is this rank's row's at `expert_rank`, `i` below
  // Shape::PartialsPerRow().
  constexpr uint64_t Partial(uint32_t bank, uint32_t expert_rank, uint32_t slot,
                             uint32_t i = 0) const {
    return At(partial_, Slot(bank, expert_rank, slot) * partials_per_row_ + i);
  }

  constexpr uint64_t MetaStride() const { return meta_.stride; }
  // Bytes of one dispatched row's payload.
  constexpr uint64_t RowBytes() const { return row_bytes_; }
  // The offset one past the end, so it cannot disagree with the others.
  constexpr uint64_t SizeBytes() const { return EndOf(partial_, Slots() * partials_per_row_); }

  // Equal only where all offsets are, and where ranks mean the same by what comes back and by a
  // word; FNV-1a over what determines them.
  constexpr uint64_t Hash() const {
    uint64_t hash = 0xCBF29CE484222325;
    const Section sections[] = {dispatch_word_, combine_word_, count_,  meta_,
                                scale_,         row_,          partial_};
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

  struct Section {
    uint64_t offset;
    uint64_t stride;
  };

  constexpr uint64_t Pairs() const { return uint64_t{kBanks} * ranks_; }
  constexpr uint64_t Slots() const { return Pairs() * tokens_; }
  constexpr uint64_t Pair(uint32_t bank, uint32_t peer) const {
    return uint64_t{bank} * ranks_ + peer;
  }
  constexpr uint64_t Slot(uint32_t bank, uint32_t peer, uint32_t slot) const {
    return Pair(bank, peer) * tokens_ + slot;
  }
  static constexpr uint64_t At(const Section& section, uint64_t entry) {
    return section.offset + entry * section.stride;
  }
  // Sections begin on a line of their own.
  static constexpr uint64_t EndOf(const Section& section, uint64_t entries) {
    return RoundUp(At(section, entries), kLineBytes);
  }

  uint64_t ranks_;
  uint64_t tokens_;
  uint64_t partials_per_row_;
  uint64_t row_bytes_;
  uint64_t way_;  // layout and sum
  uint64_t chunk_tokens_;
  Section dispatch_word_;
  Section combine_word_;
  Section count_;
  Section meta_;
  Section scale_;
  Section row_;
  Section partial_;
};

}  // namespace ep

#endif  // CSRC_PROTOCOL_LAYOUT_H_
