// Where a calibration's flags and copies land: behind the layout of a rank's region, so that runs
// that move tokens do not pay for it.
//
//   +--------+-------+------------+
//   | layout | flag  | rows       |
//   |        | 128 B | rows x 2 H |
//   +--------+-------+------------+
//
// The rows are written by the previous rank alone, the flag by the other one of ranks 0 and 1.
#ifndef CSRC_RANK_LANDING_H_
#define CSRC_RANK_LANDING_H_

#include <cstdint>

#include "csrc/protocol/layout.h"
#include "csrc/protocol/quant.h"
#include "csrc/protocol/shape.h"

namespace ep {

class Landing {
 public:
  // `shape` has no Problem. Without rows there is no landing at all.
  constexpr Landing(const Shape& shape, uint32_t rows)
      : begin_(Layout(shape).SizeBytes()), row_bytes_(sizeof(Bf16) * shape.hidden), rows_(rows) {}

  constexpr uint64_t Flag() const { return begin_; }
  constexpr uint64_t Row(uint32_t row) const { return begin_ + kLineBytes + row * row_bytes_; }
  constexpr uint64_t RowBytes() const { return row_bytes_; }
  constexpr uint32_t Rows() const { return rows_; }
  constexpr uint64_t SizeBytes() const { return rows_ == 0 ? 0 : Row(rows_) - begin_; }

 private:
  // A flag shares its line with nothing, as those of the layout.
  static constexpr uint64_t kLineBytes = 128;

  uint64_t begin_;
  uint64_t row_bytes_;
  uint32_t rows_;
};

}  // namespace ep

#endif  // CSRC_RANK_LANDING_H_
