// Where every byte of one rank's symmetric region lies.
//
// All ranks allocate the same layout, so an offset computed here is good in any peer's region.
// Nothing else states it: bodies ask here, and transports are told a size. B banks, R ranks,
// T tokens, k top-k, L local experts, H hidden:
//
//   +--------+----------+---------+---------+-----------+--------------+-----------+--------------+
//   | header | dispatch | combine | counts  | metas     | scales       | rows      | partials     |
//   | 4 KiB  | flags    | flags   |         |           | (FP8)        |           |              |
//   |        | B R      | B R     | B R     | B R T     | B R T        | B R T     | B R T P      |
//   |        | x 128 B  | x 128 B | x 2 L   | x 8 + 8 k | x 4 H / 128  | x H, 2 H  | x 2 H        |
//   +--------+----------+---------+---------+-----------+--------------+-----------+--------------+
//
// Entry [bank][peer] of every section but the last is written by that peer alone: its flag, how
// many selections it has for each local expert, and its rows, once each, whatever the number of
// experts here. Partials are written by the owner, [bank][home][slot][P], and read by `home`: one a
// row, or where nothing is summed here one a selection, of which P are the most.
// A flag has a 128-byte line of its own, so that peers never share one.
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
inline constexpr uint64_t kRegionMagic = 0x3130466572507045;  // "EpPreF01"

class Layout {
 public:
  // `shape` has no Problem.
  constexpr explicit Layout(const Shape& shape)
      : ranks_(shape.ranks),
        tokens_(shape.tokens),
        partials_per_row_(shape.PartialsPerRow()),
        way_(uint64_t{static_cast<uint32_t>(shape.layout)} << 32 |
             static_cast<uint32_t>(shape.sum)),
        flag_{kHeaderBytes, kLineBytes},
        combine_flag_{EndOf(flag_, Pairs()), kLineBytes},
        count_{EndOf(combine_flag_, Pairs()),
               RoundUp(sizeof(uint16_t) * shape.experts_per_rank, kLineBytes)},
        meta_{EndOf(count_, Pairs()), RoundUp(RowMeta::SizeBytes(shape.topk), 16)},
        scale_{EndOf(meta_, Slots()),
               shape.dtype == Dtype::kFp8 ? RoundUp(sizeof(float) * shape.ScalesPerRow(), 16) : 0},
        row_{EndOf(scale_, Slots()),
             shape.dtype == Dtype::kFp8 ? shape.hidden : 2ull * shape.hidden},
        partial_{EndOf(row_, Slots()), 2ull * shape.hidden} {}

  constexpr uint64_t DispatchFlag(uint32_t bank, uint32_t source) const {
    return At(flag_, Pair(bank, source));
  }
  constexpr uint64_t CombineFlag(uint32_t bank, uint32_t expert_rank) const {
    return At(combine_flag_, Pair(bank, expert_rank));
  }
  // uint16_t [experts_per_rank].
  constexpr uint64_t Counts(uint32_t bank, uint32_t source) const {
    return At(count_, Pair(bank, source));
  }
  constexpr uint64_t Meta(uint32_t bank, uint32_t source, uint32_t slot) const {
    return At(meta_, Slot(bank, source, slot));
  }
  // float [hidden / 128]; FP8 only.
  constexpr uint64_t Scales(uint32_t bank, uint32_t source, uint32_t slot) const {
    return At(scale_, Slot(bank, source, slot));
  }
  constexpr uint64_t Row(uint32_t bank, uint32_t source, uint32_t slot) const {
    return At(row_, Slot(bank, source, slot));
  }
  // BF16 [hidden]. `i` is below Shape::PartialsPerRow().
  constexpr uint64_t Partial(uint32_t bank, uint32_t home, uint32_t slot, uint32_t i = 0) const {
    return At(partial_, Slot(bank, home, slot) * partials_per_row_ + i);
  }

  constexpr uint64_t MetaStride() const { return meta_.stride; }
  // Bytes of one dispatched row's payload. A multiple of 128, as hidden is.
  constexpr uint64_t RowBytes() const { return row_.stride; }
  // The offset one past the end, so it cannot disagree with the others.
  constexpr uint64_t SizeBytes() const { return EndOf(partial_, Slots() * partials_per_row_); }

  // Equal only where all offsets are, and where ranks mean the same by what comes back; FNV-1a over
  // what determines them.
  constexpr uint64_t Hash() const {
    uint64_t hash = 0xCBF29CE484222325;
    const Section sections[] = {flag_, combine_flag_, count_, meta_, scale_, row_, partial_};
    for (const Section& section : sections) {
      hash = (hash ^ section.offset) * 0x100000001B3;
      hash = (hash ^ section.stride) * 0x100000001B3;
    }
    hash = (hash ^ way_) * 0x100000001B3;
    return (hash ^ SizeBytes()) * 0x100000001B3;
  }

 private:
  static constexpr uint64_t kHeaderBytes = 4096;
  static constexpr uint64_t kLineBytes = 128;
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
  uint64_t way_;  // layout and sum
  Section flag_;
  Section combine_flag_;
  Section count_;
  Section meta_;
  Section scale_;
  Section row_;
  Section partial_;
};

}  // namespace ep

#endif  // CSRC_PROTOCOL_LAYOUT_H_
