// A rank's symmetric region, and how the rank reaches those of its peers: all that engines know of
// memory that ranks share, and of backends.
//
// A rank stores what it sends a peer at `there` and finds what the peer sends it at `here`; both
// have the layout of a region. Where a peer's memory is mapped, `there` is its region. Where it is
// not, `there` is an image of it, private memory, and a link (csrc/region/link.h) takes what lies
// there to the peer.
#ifndef CSRC_REGION_REGION_H_
#define CSRC_REGION_REGION_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "csrc/base/status.h"
#include "csrc/protocol/words.h"
#include "csrc/region/link.h"

namespace ep {

// How a rank reaches another.
enum class Reached : uint8_t {
  kOwn = EP_PATH_OWN,
  kMapped = EP_PATH_MAPPED,
  kProxied = EP_PATH_NETWORK,  // by messages of a link
};

struct Reach {
  Reached how;
  uint8_t* region;  // the peer's, as this rank's device sees it; null if it is proxied
  uint8_t* there;
  uint8_t* here;
};

// What a rank's region is made from.
struct RegionConfig {
  uint32_t rank;
  uint32_t ranks;
  // What a region takes, and an image.
  uint64_t bytes;
  // The parts of this rank's images that messages leave from, the same in each. An image is mostly
  // empty: nothing else of it is registered with the network, or ever touched.
  std::vector<Extent> image_extents;
  // Bounds each wait for a peer; what takes longer is a failure.
  uint64_t wait_timeout_ns;
};

// What a network library says of itself.
struct Network {
  std::string version;
  std::vector<std::string> modules;
  std::vector<std::string> transports;  // that it chose; complete once connected
  std::vector<std::string> settings;    // that are ours, as name=value
};

class Region {
 public:
  virtual ~Region() = default;

  virtual uint8_t* data() const = 0;
  virtual size_t size() const = 0;

  // What peers need for Connect.
  virtual std::vector<uint8_t> Blob() const = 0;
  // Makes all peers reachable; on GPUs, that of the region is the thread's current one afterwards.
  // `blobs` are all ranks' in rank order, of which we are `rank`; so is what is reached.
  virtual Status Connect(const std::vector<std::span<const uint8_t>>& blobs, uint32_t rank,
                         std::vector<Reach>* reached) = 0;

  // What takes messages to proxied peers; null where none can be.
  virtual Link* link() { return nullptr; }
  virtual std::optional<Network> network() const { return std::nullopt; }
};

}  // namespace ep

#endif  // CSRC_REGION_REGION_H_
