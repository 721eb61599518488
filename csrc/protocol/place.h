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

// Counts as sources have put them into their pair areas.
template <class Device>
struct CountsHere {
  static constexpr bool kAreFast = false;
  const Step& step;

  uint32_t operator()(uint32_t source, uint32_t expert) const {
    return HereOf<Device, const uint16_t>(step.context, source,
                                          step.context.layout.Counts(step.bank))[expert];
  }
};

// The first source that counts more selections than its tokens can make here. count_of(source,
// expert) is what it counts of an expert of this rank.
template <class CountOf>
uint32_t WhoCountsTooMany(const Step& step, CountOf count_of) {
  const RankContext& context = step.context;
  const Shape& shape = context.shape;
  EP_ROLLED
  for (uint32_t source = 0; source < shape.ranks; ++source) {
    uint64_t sum = 0;
    EP_ROLLED
    for (uint32_t x = 0; x < shape.experts_per_rank; ++x) sum += count_of(source, x);
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
template <class Device, class CountOf>
bool PlaceBlocks(Device& device, const Step& step, const Places& places, CountOf count_of) {
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
         {ErrorKind::kViolation, Op::kDispatch, step.epoch, WhoCountsTooMany(step, count_of), row,
          0, 0});
    fits = false;
  }
  return !device.Any(!fits);
}

// Turns the sources' counts into the place where each source's rows begin at each expert, and each
// block of rows, by all lanes of a worker. Returns false if a source counts more rows than it can
// have, which would lead out of the output.
template <class Device, class CountOf>
EP_INLINE bool PlaceSources(Device& device, const Step& step, CountOf count_of) {
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
  const auto is_right = [&](uint32_t source, uint32_t count) {
    if (count <= context.shape.tokens) return true;
    Fail(device, context, {ErrorKind::kViolation, Op::kDispatch, step.epoch, source, count, 0, 0});
    return false;
  };
  // All counts at once, then their sums: a lane that added up its expert's counts as it loads them
  // would wait for each.
  if constexpr (!CountOf::kAreFast) {
    EP_ROLLED
    for (uint32_t i = device.Thread(); i < context.shape.Experts(); i += device.Threads()) {
      const uint32_t source = i / experts;
      places.first_row[i] = count_of(source, i % experts);
      good = good && is_right(source, places.first_row[i]);
    }
    if (device.Any(!good)) return false;
  }
  EP_ROLLED
  for (uint32_t x = device.Thread(); x < experts; x += device.Threads()) {
    uint32_t row = 0;
    EP_ROLLED
    for (uint32_t source = 0, i = x; source < context.shape.ranks; ++source, i += experts) {
      const uint32_t count = CountOf::kAreFast ? count_of(source, x) : places.first_row[i];
      if (CountOf::kAreFast) good = good && is_right(source, count);
      places.first_row[i] = row;
      row += count;
    }
    places.counts[x] = row;
  }
  if (device.Any(!good)) return false;
  return stride != 0 || PlaceBlocks(device, step, places, count_of);
}

// Leaves the places to the combines to come, by so many lanes of one worker.
inline void KeepPlaces(const Step& step, uint32_t lane, uint32_t lanes) {
  const Shape& shape = step.context.shape;
  const Places& places = step.working.places;
  const Places& kept = step.handle.places;
  EP_ROLLED
  for (uint32_t i = lane; i < shape.Experts(); i += lanes) {
    kept.first_row[i] = places.first_row[i];
    if (i < shape.experts_per_rank) kept.counts[i] = places.counts[i];
  }
  EP_ROLLED
  for (uint32_t i = lane; i < shape.ranks; i += lanes) {
    kept.rows_from[i] = places.rows_from[i];
  }
  EP_ROLLED
  for (uint32_t i = lane; i <= shape.Blocks(); i += lanes) {
    kept.begin[i] = places.begin[i];
  }
}

// All of that, by all lanes of a worker. Returns false, with the reason recorded, if it cannot be.
template <class Device>
bool Place(Device& device, const Step& step, Waiting& waiting) {
  if (!AwaitCounts(device, step, waiting)) return false;
  if (!PlaceSources(device, step, CountsHere<Device>{step})) return false;
  if (device.Worker() == 0) KeepPlaces(step, device.Thread(), device.Threads());
  return true;
}

}  // namespace ep::dispatch

#endif  // CSRC_PROTOCOL_PLACE_H_
