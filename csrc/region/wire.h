// Moves messages between ranks whose memory this process cannot map.
//
// A rank stores what it sends a peer into its image of the pair area there
// (csrc/protocol/layout.h); a message takes parts of that image to the same offsets of the peer's
// own memory, and then tells the peer, once all of it has arrived.
#ifndef CSRC_REGION_WIRE_H_
#define CSRC_REGION_WIRE_H_

#include <cstdint>
#include <functional>
#include <span>

#include "csrc/base/status.h"

namespace ep {

// A part of a pair area.
struct PairExtent {
  uint64_t offset;
  uint64_t bytes;

  bool operator==(const PairExtent&) const = default;
};

// What a message tells, and so all that its receiver has to believe.
struct Notice {
  uint32_t operation;  // an Op
  uint32_t sender;
  uint64_t flag;  // epoch and rows
};

// What a rank has sent over its wire by now.
struct Sent {
  uint64_t messages = 0;  // that are over
  uint64_t bytes = 0;
  uint64_t slowest_ns = 0;  // of a message, from its post until a later step found it over
  uint64_t steps = 0;       // that its proxy made
};

// The end of a connected rank. One thread at a time; no call waits.
class Wire {
 public:
  // Requests to a peer that can be under way at once: one for each operation and bank.
  static constexpr uint32_t kRequests = 4;

  virtual ~Wire() = default;

  // Begins to move `extents` of our image of `peer`, and what lies between two of them if it likes,
  // and says in `done` whether that is over. If not, they must stay as they are until Poll says so,
  // and it must be asked: otherwise the notice may never leave. The request must not be under way.
  virtual Status Post(uint32_t peer, uint32_t request, std::span<const PairExtent> extents,
                      const Notice& notice, bool* done) = 0;
  virtual Status Poll(uint32_t peer, uint32_t request, bool* done) = 0;
  // Moves on what is under way, in both directions, and calls each(peer, notice) for every message
  // that has arrived; `peer` sent it, whatever it says. Ends with the first error of `each`.
  virtual Status Arrivals(const std::function<Status(uint32_t peer, const Notice&)>& each) = 0;
};

}  // namespace ep

#endif  // CSRC_REGION_WIRE_H_
