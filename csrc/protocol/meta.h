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
};
static_assert(sizeof(RowMeta) == 8 && RowMeta::SizeBytes(kMaxTopk) == 264);

}  // namespace ep

#endif  // CSRC_PROTOCOL_META_H_
