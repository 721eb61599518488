// What travels beside each dispatched row: whose it is, for which experts, with which weights.
//
//   byte 0        4    5      8                     8 + 4 n                8 + 8 n
//   +-------------+----+------+----------------------+----------------------+
//   | token       | n  | 0    | n x {expert, index}  | n x weight           |
//   | u32         | u8 |      | 2 x u16              | f32                  |
//   +-------------+----+------+----------------------+----------------------+
//
// The n selections that live on the destination rank stand in the token's own order, which is
// the order of combine's sum. `expert` is the destination's local number; `index` counts this
// source's rows at that expert.
#ifndef CSRC_PROTOCOL_META_H_
#define CSRC_PROTOCOL_META_H_

#include "csrc/protocol/shape.h"
#include "csrc/protocol/std.h"

namespace ep {

struct Placement {
  uint16_t expert;
  uint16_t index;
};

struct RowMeta {
  uint32_t token;
  uint8_t selections;
  uint8_t zero[3];

  Placement* Placements() { return reinterpret_cast<Placement*>(this + 1); }
  const Placement* Placements() const { return reinterpret_cast<const Placement*>(this + 1); }
  // Where `count` selections have their weights.
  float* Weights(uint32_t count) { return reinterpret_cast<float*>(Placements() + count); }
  const float* Weights() const { return reinterpret_cast<const float*>(Placements() + selections); }

  static constexpr uint64_t SizeBytes(uint32_t selections) {
    return sizeof(RowMeta) + selections * (sizeof(Placement) + sizeof(float));
  }
  // From one to the next, in memory that GPUs read.
  static constexpr uint64_t StrideBytes(uint32_t selections) {
    return RoundUp(SizeBytes(selections), 16);
  }
};
static_assert(sizeof(RowMeta) == 8 && RowMeta::SizeBytes(16) == 136);
static_assert(kMaxTopk <= 0xFF, "a byte counts a row's selections");

// What a combine sums for a row: the experts' output rows that its copies became, in the token's
// own order, and their weights.
//
//   u32 n | 0 | m x u32 row | m x f32 weight       m = Shape::MaxSelectionsPerRow()
struct RowCopies {
  uint32_t count;
  uint32_t zero;

  uint32_t* Rows() { return reinterpret_cast<uint32_t*>(this + 1); }
  const uint32_t* Rows() const { return reinterpret_cast<const uint32_t*>(this + 1); }
  float* Weights(const Shape& shape) {
    return reinterpret_cast<float*>(Rows() + shape.MaxSelectionsPerRow());
  }
  const float* Weights(const Shape& shape) const {
    return reinterpret_cast<const float*>(Rows() + shape.MaxSelectionsPerRow());
  }

  static constexpr uint64_t SizeBytes(const Shape& shape) {
    return sizeof(RowCopies) + shape.MaxSelectionsPerRow() * (sizeof(uint32_t) + sizeof(float));
  }
};
// Room for any row's description, in a crew's memory.
inline constexpr uint32_t kMostMetaBytes = 8 + 8 * kMaxTopk;

}  // namespace ep

#endif  // CSRC_PROTOCOL_META_H_
