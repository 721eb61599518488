// Moves bytes to ranks whose memory this process cannot map.
//
// The protocol's bodies write to a peer's region as memory. Of a peer that is not mapped they get
// an image instead (csrc/region/region.h), which this rank writes and its link reads, to put what
// is there into the peer's region at the same offsets. The slots of a (bank, rank) pair lie one
// behind the other, so that a message is a few long extents whatever the number of rows.
#ifndef CSRC_REGION_LINK_H_
#define CSRC_REGION_LINK_H_

#include <cstddef>
#include <cstdint>
#include <span>

#include "csrc/base/status.h"

namespace ep {

// A part of a region, and of all images of it.
struct Extent {
  uint64_t offset;
  uint64_t bytes;

  bool operator==(const Extent&) const = default;
};

// A word of a peer's region, which this rank alone writes, and what it is to be.
struct RaisedWord {
  uint64_t offset;  // a multiple of 8
  uint64_t value;

  bool operator==(const RaisedWord&) const = default;
};

// The end of a rank whose region is connected. Calls may come from any thread of the rank; they do
// not wait for each other for longer than a call into the network takes.
class Link {
 public:
  // Of one message: a dispatch's counts and 512 chunks.
  static constexpr size_t kMostWords = 1 + 512;

  virtual ~Link() = default;

  // Begins to move `extents` of our image of `peer` to its region and then to set `words` there, 1
  // to kMostWords of them, in the order given. The extents must stay as they are until Idle; the
  // lists may go at once. At most one message per peer is under way.
  virtual void Send(uint32_t peer, std::span<const Extent> extents,
                    std::span<const RaisedWord> words) = 0;
  // Moves on what is under way, in both directions; the words that have arrived are set in this
  // rank's region, each with release order. Call it whenever this rank waits: on some networks
  // nothing arrives otherwise. Returns at once where another thread is at it.
  virtual void Progress() = 0;
  // Whether all messages have arrived. Never again after a failure.
  virtual bool Idle() = 0;
  // The first failure since Connect, and the peer it was with; ok if none.
  virtual Status Failure(uint32_t* peer) = 0;
};

}  // namespace ep

#endif  // CSRC_REGION_LINK_H_
