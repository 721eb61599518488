// Moves bytes to ranks whose memory this process cannot map.
//
// The protocol's bodies address a peer's region as memory. Of a peer that is not mapped they get an
// image instead: private memory with the layout of a region, in which every rank keeps what it and
// that peer share of the peer's region. A dispatch writes its rows into the image and the link
// puts them into the peer's region; a combine, which on mapped memory pulls, finds in the image
// the partial sums that the peer's link has put there out of its own region. Offsets are the same
// on both sides, and the slots of a (bank, rank) pair lie one behind the other, so that a message
// is a few long extents whatever the number of rows.
#ifndef CSRC_TRANSPORT_LINK_H_
#define CSRC_TRANSPORT_LINK_H_

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "csrc/base/status.h"

namespace ep {

// A part of a region, and of all images of it.
struct Extent {
  uint64_t offset;
  uint64_t bytes;

  bool operator==(const Extent&) const = default;
};

// Where a message's extents are read, and where they arrive.
enum class Route : uint8_t {
  kImageToRegion = 1,  // our image of the peer; the peer's region
  kRegionToImage = 2,  // our region; the peer's image of us
};

// What a rank's link is made from.
struct LinkConfig {
  uint32_t rank;
  uint32_t ranks;
  // What a region takes, and an image.
  uint64_t region_bytes;
  // The parts of this rank's images that messages leave from or arrive in, the same in each. An
  // image is mostly empty: nothing else of it is registered with the network, or ever touched.
  std::vector<Extent> image_extents;
  // Bounds each wait; a message that takes longer is a failure.
  uint64_t wait_timeout_ns;
};

// One rank's end. Calls may come from any thread of the rank; they do not wait for each other for
// longer than a call into the network takes.
class Link {
 public:
  virtual ~Link() = default;

  // What peers need for Connect.
  virtual std::vector<uint8_t> Blob() const = 0;
  // Connects to all peers, one blob a rank in rank order.
  virtual Status Connect(const std::vector<std::span<const uint8_t>>& blobs) = 0;

  // This rank's region.
  virtual uint8_t* region() = 0;
  // Our image of a peer's region.
  virtual uint8_t* image(uint32_t peer) = 0;

  // Begins to move `extents` to `peer` and then to set the word at `flag` of its region, which this
  // rank alone writes, to `value`, in this order. What is read must stay as it is until Idle. At
  // most one message a (peer, route) is under way.
  virtual void Send(uint32_t peer, Route route, std::span<const Extent> extents, uint64_t flag,
                    uint64_t value) = 0;
  // Moves on what is under way, in both directions; the words that have arrived are set in this
  // rank's region with release order. Call it whenever this rank waits: on some networks nothing
  // arrives otherwise. Returns at once where another thread is at it.
  virtual void Progress() = 0;
  // Whether all messages have arrived. Never again after a failure.
  virtual bool Idle() = 0;
  // The first failure since Connect, and the peer it was with; ok if none.
  virtual Status Failure(uint32_t* peer) = 0;
};

}  // namespace ep

#endif  // CSRC_TRANSPORT_LINK_H_
