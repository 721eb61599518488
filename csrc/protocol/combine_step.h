// What the steps of a combine share.
#ifndef CSRC_PROTOCOL_COMBINE_STEP_H_
#define CSRC_PROTOCOL_COMBINE_STEP_H_

#include "csrc/protocol/device.h"
#include "csrc/protocol/rank.h"

namespace ep::combine {

// Chunks are dealt out to workers in turn, so that all work on neighbouring rows at a time. A
// worker has so many of a pair's at most.
constexpr uint32_t MostChunksOfWorker(const Shape& shape, uint32_t workers) {
  return (shape.Chunks() + workers - 1) / workers;
}
// Words of fast memory for a worker's tables: of what it sends to each peer, and of what it awaits.
constexpr uint32_t TableWords(const Shape& shape, uint32_t workers) {
  return 2 * shape.ranks * (1 + MostChunksOfWorker(shape, workers));
}

// What goes where in one combine.
struct Step {
  const RankContext& context;
  Epoch epoch;
  uint32_t bank;
  const Handle& handle;
  const Bf16* expert_rows;
  Bf16* combined;
  // Its places hold rows_from and, where no row is fanned out, begin.
  const Working& working;

  // One channel of a row of the experts' outputs.
  const Bf16* ExpertRow(uint64_t row, uint32_t channel) const {
    return expert_rows + row * context.shape.hidden + channel;
  }
};

// Chunks of slots in which so many rows come back.
inline uint32_t ChunksOf(const Step& step, uint32_t rows) {
  const uint32_t slots = step.context.shape.chunk_tokens;
  return (rows + slots - 1) / slots;
}

// Brings to the crew's memory which rows the copies of the row in `slot` of `home` became.
template <class Device>
EP_INLINE void LoadCopies(Device& device, const Step& step, uint32_t home, uint32_t slot) {
  device.Load(step.working.crew->meta,
              reinterpret_cast<const uint8_t*>(step.handle.Copies(step.context, home, slot)),
              RowCopies::SizeBytes(step.context.shape));
}

// Sums one piece of what this rank's experts made of that row: in the token's own order, from 0,
// rounded to BF16. sum(channels, count, row_of, weight_of) is the device's verb. Where rows fan out
// and are summed here.
template <class Device, class Sum>
EP_INLINE void SumCopies(Device& device, const Step& step, uint32_t home, uint32_t slot,
                         Piece piece, Sum sum) {
  LoadCopies(device, step, home, slot);
  const RowCopies& copies = step.working.crew->Copies();
  const uint32_t* rows = copies.Rows();
  const float* weights = copies.Weights(step.context.shape);
  sum(
      piece.count, copies.count, [&](uint32_t i) { return step.ExpertRow(rows[i], piece.first); },
      [&](uint32_t i) { return weights[i]; });
}

}  // namespace ep::combine

#endif  // CSRC_PROTOCOL_COMBINE_STEP_H_
