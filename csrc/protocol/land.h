// Where a received row comes to lie for the experts' kernels, and what is remembered of it: the
// last step of a dispatch for a row, whether it came from a peer or stays on this rank.
#ifndef CSRC_PROTOCOL_LAND_H_
#define CSRC_PROTOCOL_LAND_H_

#include "csrc/protocol/dispatch_step.h"

namespace ep::dispatch {

// Says in the crew's memory where the copies go of the row in `slot` of `source`, whose description
// stands there. Returns how many there are, or 0, with the reason recorded, if the description
// leads out of the output: a peer's broken word must end in an error, not in a write outside of it.
template <class Device>
EP_INLINE uint32_t FindCopies(Device& device, const Step& step, uint32_t source, uint32_t slot) {
  const RankContext& context = step.context;
  const Places& places = step.working.places;
  CrewMemory& crew = *step.working.crew;
  const RowMeta& meta = crew.Meta();
  const uint32_t selections = meta.selections;
  bool good = meta.token < context.shape.tokens && selections >= 1 &&
              selections <= context.shape.MaxSelectionsPerRow() && slot < places.rows_from[source];
  EP_ROLLED
  for (uint32_t i = device.Lane(); good && i < selections; i += Device::kLanes) {
    const Placement at = meta.Placements()[i];
    good = at.expert < context.shape.experts_per_rank &&
           places.FirstRow(context, source, at.expert) + at.index < places.counts[at.expert];
    if (!good || !context.shape.FansOut()) continue;
    crew.rows[i] = static_cast<uint32_t>(places.Row(context, source, at));
  }
  if (!context.shape.FansOut() && device.Lane() == 0) {
    crew.rows[0] = static_cast<uint32_t>(places.Row(source, slot));
  }
  if (device.AnyOfCrew(!good)) {
    Fail(device, context, {ErrorKind::kViolation, Op::kDispatch, step.epoch, source, slot, 0, 0});
    return 0;
  }
  device.SyncCrew();
  return context.shape.FansOut() ? selections : 1;
}

// Remembers whose row it was, and what combines need of it: once a row.
template <class Device>
EP_INLINE void KeepRow(Device& device, const Step& step, uint32_t source, uint32_t slot,
                       uint32_t copies) {
  const RankContext& context = step.context;
  const CrewMemory& crew = *step.working.crew;
  const RowMeta& meta = crew.Meta();
  EP_ROLLED
  for (uint32_t i = device.Lane(); i < copies; i += Device::kLanes) {
    step.output.sources[crew.rows[i]] = {source, meta.token};
  }
  const uint64_t stride = context.layout.MetaStride();
  if (!context.shape.FansOut()) {
    device.Copy(step.output.metas + crew.rows[0] * stride, crew.meta, stride);
    return;
  }
  RowCopies* kept = step.handle.Copies(context, source, slot);
  const float* weights = meta.Weights();
  if (device.Lane() == 0) *kept = {copies, 0};
  EP_ROLLED
  for (uint32_t i = device.Lane(); i < copies; i += Device::kLanes) {
    kept->Rows()[i] = crew.rows[i];
    kept->Weights(context.shape)[i] = weights[i];
  }
}

}  // namespace ep::dispatch

#endif  // CSRC_PROTOCOL_LAND_H_
