// What the last dispatch and the last combine of a rank left behind, as others would lay it out:
// each tensor as consecutive bytes, the rows of an expert right after those of the one before,
// or where rows are kept once, those of a source.
#ifndef CSRC_CHECK_CONTENTS_H_
#define CSRC_CHECK_CONTENTS_H_

#include <cstdint>
#include <span>
#include <vector>

#include "csrc/base/status.h"
#include "csrc/rank/tensors.h"

namespace ep {

// Its tensors; N is the number of rows received. csrc/abi/ep.h has the same numbers.
enum class Tensor : uint32_t {
  kX = 1,            // BF16 [tokens, hidden], before they are quantised wherever that is
  kTopkIdx = 2,      // int32 [tokens, topk]
  kTopkWeights = 3,  // float [tokens, topk]
  kRecvCount = 4,    // int32 [L]
  kRecvX = 5,        // E4M3 or BF16 [N, hidden]
  kRecvScales = 6,   // float [N, ScalesPerRow()]; no bytes where rows are BF16
  kRecvSrc = 7,      // int32 [N, 2]: source rank, token
  kExpertOut = 8,    // BF16 [N, hidden]
  kCombined = 9,     // BF16 [tokens, hidden]
};

class Contents {
 public:
  // `dispatched` and `combined` are the sets that the last operations used. `tensors` outlives
  // the contents, and what they show is gone with the next operation.
  Contents(const Tensors* tensors, uint32_t dispatched, uint32_t combined)
      : tensors_(tensors), dispatched_(dispatched), combined_(combined) {}

  uint64_t Bytes(Tensor tensor) const;
  // Copies bytes from `offset` on, as many as `to` holds.
  Status Copy(Tensor tensor, uint64_t offset, std::span<uint8_t> to) const;

 private:
  using Pieces = std::vector<std::span<const uint8_t>>;
  Pieces PiecesOf(Tensor tensor) const;
  Pieces RowsOfBlocks(const uint8_t* rows, uint64_t row_bytes) const;

  const Tensors* tensors_;
  uint32_t dispatched_;
  uint32_t combined_;
};

}  // namespace ep

#endif  // CSRC_CHECK_CONTENTS_H_
