// Where the rows of each source lie in the output: from what all sources count, which comes ahead
// of their rows.
#ifndef CSRC_PROTOCOL_PLACE_H_
#define CSRC_PROTOCOL_PLACE_H_

#include "csrc/protocol/dispatch_step.h"
#include "csrc/protocol/wait.h"

namespace ep::dispatch {

// The words by which all sources tell their counts.
struct CountsWords {
  const RankContext& context;
  uint32_t bank;

  uint32_t Size() const { return context.shape.ranks; }
  bool Awaits(uint32_t) const { return true; }
  Word At(uint32_t i) const {
    const uint32_t source = context.Peer(i);
    return {source, context.layout.CountsWord(bank, source)};
  }
  bool IsRight(uint32_t, uint64_t value) const { return FlagRows(value) <= context.shape.tokens; }
};

// Awaits the counts of all sources, by all lanes of a worker; its signal crew looks. Fills
// Places::rows_from.
template <class Device>
bool AwaitCounts(Device& device, const Step& step, Waiting& waiting) {
  const RankContext& context = step.context;
  bool good = true;
  if (IsSignalCrew(device)) {
    good = AwaitWords(device, context, waiting, CountsWords{context, step.bank},
                      [&](uint32_t i, uint64_t value) {
                        step.working.places.rows_from[context.Peer(i)] = FlagRows(value);
                      });
  }
  return !device.Any(!good);
}

// The first source that counts more selections than its tokens can make here.
template <class Device>
uint32_t WhoCountsTooMany(const Step& step) {
  const RankContext& context = step.context;
  const Shape& shape = context.shape;
  EP_ROLLED
  for (uint32_t source = 0; source < shape.ranks; ++source) {
    const auto* counts =
        HereOf<Device, const uint16_t>(context, source, context.layout.Counts(step.bank));
    uint64_t sum = 0;
    EP_ROLLED
    for (uint32_t x = 0; x < shape.experts_per_rank; ++x) sum += counts[x];
    if (sum > uint64_t{shape.tokens} * shape.MaxSelectionsPerRow()) return source;
  }
  return context.rank;
}

// Rows from the first of a block to that of the next; 0 where blocks lie one behind the other.
inline uint32_t BlockStride(const Step& step) {
  const Shape& shape = step.context.shape;
  if (shape.layout == OutputLayout::kExpert) return step.handle.expert_stride;
  return shape.layout == OutputLayout::kRank ? shape.tokens : 0;
}

// Says where each block of rows begins, where they lie one behind the other, from the counts of
// all. Returns false if they are more than there can be, which would lead out of the output.
template <class Device>
bool PlaceBlocks(Device& device, const Step& step, const Places& places) {
  const Shape& shape = step.context.shape;
  const bool contig = shape.layout == OutputLayout::kContig;
  const uint32_t blocks = shape.Blocks();
  uint64_t row = 0;  // that block `next` begins with
  uint32_t next = 0;
  bool fits = true;
  EP_ROLLED
  for (uint32_t block = device.Thread(); block <= blocks; block += device.Threads()) {
    EP_ROLLED
    for (; next < block; ++next) {
      row += contig ? RoundUp(places.counts[next], kContigRows) : places.rows_from[next];
    }
    places.begin[block] = static_cast<uint32_t>(row);
    if (block < blocks || !contig || row <= shape.MaxContigRows()) continue;
    Fail(device, step.context,
         {ErrorKind::kViolation, Op::kDispatch, step.epoch, WhoCountsTooMany<Device>(step), row, 0,
          0});
    fits = false;
  }
  return !device.Any(!fits);
}

// Turns the sources' counts into the place where each source's rows begin at each expert, and each
// block of rows, by all lanes of a worker. Returns false if a source counts more rows than it can
// have, which would lead out of the output.
template <class Device>
bool PlaceSources(Device& device, const Step& step) {
  const RankContext& context = step.context;
  const Places& places = step.working.places;
  const uint32_t experts = context.shape.experts_per_rank;
  const uint32_t stride = BlockStride(step);
  EP_ROLLED
  for (uint32_t block = device.Thread(); stride != 0 && block <= context.shape.Blocks();
       block += device.Threads()) {
    places.begin[block] = block * stride;
  }
  bool good = true;
  // All counts at once, then their sums: a lane that added up its expert's counts as it loads them
  // would wait for each.
  EP_ROLLED
  for (uint32_t i = device.Thread(); i < context.shape.Experts(); i += device.Threads()) {
    const uint32_t source = i / experts;
    const uint32_t count = HereOf<Device, const uint16_t>(
        context, source, context.layout.Counts(step.bank))[i % experts];
    places.first_row[i] = count;
    if (count <= context.shape.tokens) continue;
    Fail(device, context, {ErrorKind::kViolation, Op::kDispatch, step.epoch, source, count, 0, 0});
    good = false;
  }
  if (device.Any(!good)) return false;
  EP_ROLLED
  for (uint32_t x = device.Thread(); x < experts; x += device.Threads()) {
    uint32_t row = 0;
    EP_ROLLED
    for (uint32_t i = x; i < context.shape.Experts(); i += experts) {
      const uint32_t count = places.first_row[i];
      places.first_row[i] = row;
      row += count;
    }
    places.counts[x] = row;
  }
  device.Sync();
  return stride != 0 || PlaceBlocks(device, step, places);
}

// One worker leaves the places to the combines to come.
template <class Device>
void KeepPlaces(Device& device, const Step& step) {
  if (device.Worker() != 0) return;
  const Shape& shape = step.context.shape;
  const Places& places = step.working.places;
  const Places& kept = step.handle.places;
  EP_ROLLED
  for (uint32_t i = device.Thread(); i < shape.Experts(); i += device.Threads()) {
    kept.first_row[i] = places.first_row[i];
    if (i < shape.experts_per_rank) kept.counts[i] = places.counts[i];
  }
  EP_ROLLED
  for (uint32_t i = device.Thread(); i < shape.ranks; i += device.Threads()) {
    kept.rows_from[i] = places.rows_from[i];
  }
  EP_ROLLED
  for (uint32_t i = device.Thread(); i <= shape.Blocks(); i += device.Threads()) {
    kept.begin[i] = places.begin[i];
  }
}

// All of that, by all lanes of a worker. Returns false, with the reason recorded, if it cannot be.
template <class Device>
bool Place(Device& device, const Step& step, Waiting& waiting) {
  if (!AwaitCounts(device, step, waiting) || !PlaceSources(device, step)) return false;
  KeepPlaces(device, step);
  return true;
}

}  // namespace ep::dispatch

#endif  // CSRC_PROTOCOL_PLACE_H_
