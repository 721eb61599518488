// What the steps of a dispatch share.
#ifndef CSRC_PROTOCOL_DISPATCH_STEP_H_
#define CSRC_PROTOCOL_DISPATCH_STEP_H_

#include "csrc/protocol/device.h"
#include "csrc/protocol/message.h"
#include "csrc/protocol/rank.h"

namespace ep {

struct DispatchInput {
  uint32_t tokens;            // of this rank
  const Bf16* rows;           // [tokens, hidden]
  const int32_t* topk_idx;    // [tokens, topk]
  const float* topk_weights;  // [tokens, topk]
  // Quantize::kOutside only, and instead of `rows`, which is null then.
  const E4m3* codes = nullptr;    // [tokens, hidden]
  const float* scales = nullptr;  // [tokens, Shape::ScalesPerRow()]
};

// Rank and token that a received row comes from.
struct Source {
  uint32_t rank;
  uint32_t token;
};
// Of a row that only fills up its expert's.
inline constexpr Source kNoSource = {0xFFFFFFFF, 0xFFFFFFFF};

// Row tensors. Their blocks begin at Places::begin. Where rows fan out, block x has the rows of
// local expert x, Places::counts[x] of them, ordered by source rank, then by token; else block s
// has those of source s, Places::rows_from[s] of them, by token. In layout `contig` the rows from
// one expert's last to the next one's first are zeroed.
struct DispatchOutput {
  uint8_t* rows;    // of Layout::RowBytes(): E4M3 or BF16
  float* scales;    // [ScalesPerRow]; FP8 only
  Source* sources;  // one a row
  uint8_t* metas;   // of Layout::MetaStride(): who takes a row, where none is fanned out
};

namespace dispatch {

// What goes where in one dispatch.
struct Step {
  const RankContext& context;
  Epoch epoch;
  uint32_t bank;
  const DispatchInput& input;
  const DispatchOutput& output;
  const Handle& handle;
  const Working& working;
};

// The chunks of all ranks whose rows one worker pushes and lays out.
template <class Device>
Share ChunksOfWorker(const Device& device, const Shape& shape) {
  return Share::Of(shape.Chunks(), device.Worker(), device.Workers());
}

}  // namespace dispatch
}  // namespace ep

#endif  // CSRC_PROTOCOL_DISPATCH_STEP_H_
