// What this machine can do at best: the copies and flags that the protocol is made of, between the
// same processes and over the same memory, and nothing else.
//
// Every rank copies from memory of its own to the landing of the next rank (csrc/rank/landing.h).
// A copied row is read once and written once, and counts once.
#ifndef CSRC_RANK_CALIBRATE_H_
#define CSRC_RANK_CALIBRATE_H_

#include <cstdint>

#include "csrc/base/mapping.h"
#include "csrc/base/status.h"
#include "csrc/check/checker.h"
#include "csrc/protocol/rank.h"
#include "csrc/rank/landing.h"
#include "csrc/region/region.h"

namespace ep {

// From where to where a rank copies, as csrc/protocol/words.h says.
enum class Direction : uint32_t {
  kPut = EP_PASS_DIRECTION_PUT,
  kGet = EP_PASS_DIRECTION_GET,
  kLocal = EP_PASS_DIRECTION_LOCAL,
};

// One rank's part, whatever it computes on.
class Calibration {
 public:
  virtual ~Calibration() = default;

  // Whether ranks with such a region can calibrate.
  static Status CanCalibrate(Region& region);

  // Overwrites all that copies write here, the previous rank's and this rank's own, with a pattern
  // that no row has.
  virtual Status Poison() = 0;

  // Copies as many rows as the landing has, but only the first `distinct` of them, in turn;
  // `iterations` times. Stores what each took. A kGet needs a kPut of as many distinct rows before.
  virtual Status Copy(Direction direction, uint32_t distinct, uint64_t iterations,
                      uint64_t* duration_ns) = 0;

  // Compares the first `distinct` rows of where copies in this direction arrive at this rank with
  // what had to be copied: those that the previous rank put, or this rank's own.
  Status Check(Direction direction, uint32_t distinct, Findings* findings);

  // Ranks 0 and 1 both call it, and nobody else: rank 0 flags rank 1 and waits for its answer,
  // `count` times. Stores what each took from one answer to the next.
  virtual Status RoundTrips(uint64_t count, uint64_t* duration_ns) = 0;

 protected:
  // `context` is the engine's, which outlives the calibration; it is connected later.
  Calibration(uint32_t rows, uint64_t seed, const RankContext& context)
      : seed_(seed), context_(context), landing_(context.shape, rows) {}

  // Makes the rows that this rank copies.
  Status MakeRows(Mapping* rows) const;
  // Whether copies and checks of so many rows can begin.
  Status Ready(uint32_t distinct) const;
  // Whether round trips can begin.
  Status ReadyForRoundTrips() const;
  // What round trips return when they were told to stop, or when the other rank does not answer.
  static Status RoundTripAborted();
  Status RoundTripSilent() const;

  // Brings the first `distinct` rows that arrived to where the host reads them.
  virtual Status Fetch(Direction direction, uint32_t distinct, const uint8_t** rows) = 0;

  const uint64_t seed_;
  const RankContext& context_;
  const Landing landing_;
};

}  // namespace ep

#endif  // CSRC_RANK_CALIBRATE_H_
