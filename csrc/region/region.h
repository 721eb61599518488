// A rank's symmetric region, and how the rank reaches those of its peers: all that engines know of
// memory that ranks share, and of backends.
//
// Two ranks share a pair area at each end (csrc/protocol/layout.h). Where a peer's region is
// mapped, a rank stores what it sends into its own pair area there. Where it is not, it stores into
// an image of that area, private memory, and a wire (csrc/region/wire.h) takes what lies there to
// the peer.
#ifndef CSRC_REGION_REGION_H_
#define CSRC_REGION_REGION_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "csrc/base/status.h"
#include "csrc/protocol/words.h"
#include "csrc/region/wire.h"

namespace ep {

// How a rank reaches another.
enum class Reached : uint8_t {
  kOwn = EP_PATH_OWN,
  kMapped = EP_PATH_MAPPED,
  // By messages of a wire.
  kProxied = EP_PATH_NETWORK,
  kProxiedGpu = EP_PATH_GPUDIRECT,  // of GPUs' memory
  kStaged = EP_PATH_STAGED,         // of a GPU's rank, in its host's
};

// What the fastest of a few messages took that were sent while ranks connected; zeros of none.
struct ProbeTimes {
  static constexpr uint64_t kSmallBytes = 64;

  uint64_t small_ns = 0;  // of kSmallBytes
  uint64_t ns = 0;        // of `bytes`
  uint64_t bytes = 0;
};

struct Reach {
  Reached how;
  uint8_t* region;  // the peer's, as this rank's device sees it; null if it is proxied
  // Of a proxied peer: this rank's image of its own pair area there.
  uint8_t* image = nullptr;
  // Why so and not otherwise, as words behind "since"; may be empty.
  std::string why = "";
  ProbeTimes probe = {};  // of a proxied peer

  bool IsProxied() const { return image != nullptr; }
};

// Where ranks' pair areas lie in a region, one behind the other, and how long each is.
struct PairAreas {
  uint64_t begin;
  uint64_t bytes;
};

// What a rank's region is made from.
struct RegionConfig {
  uint32_t rank;
  uint32_t ranks;
  uint64_t bytes;
  PairAreas pairs;
  // Bounds each wait for a peer; what takes longer is a failure.
  uint64_t wait_timeout_ns;
};

// CUDA's attributes of a GPU.
struct GpuDirectFacts {
  bool supported = false;      // cudaDevAttrGPUDirectRDMASupported
  int writes_ordering = 0;     // cudaDevAttrGPUDirectRDMAWritesOrdering
  int flush_options = 0;       // cudaDevAttrGPUDirectRDMAFlushWritesOptions
  bool coherent_host = false;  // cudaDevAttrPageableMemoryAccessUsesHostPageTables: C2C
};

// What a network library says of itself, and what NICs can do with a GPU.
struct Network {
  std::string version;
  std::vector<std::string> modules;
  std::vector<std::string> transports;  // that it chose; complete once connected
  std::vector<std::string> settings;    // that are ours, as name=value
  std::optional<GpuDirectFacts> gpu_direct = std::nullopt;
  bool flushes = false;  // the GPU is told to show what NICs have written
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
  // Lets go of all peers and keeps this rank's memory as it is. Nothing may be under way, here or
  // at a peer. Reopen, Blob and Connect may follow.
  virtual Status Disconnect() {
    return {Code::kInvalid,
            "disconnect: memory of GPUs that is reached over NIXL is let go of with "
            "all the rest alone; try backend ipc"};
  }
  // Makes what Disconnect gave up of what Blob tells of; nothing where nothing is missing.
  virtual Status Reopen() { return {}; }

  // What takes messages to proxied peers; null where none can be.
  virtual Wire* wire() { return nullptr; }
  // Where messages of proxied peers arrive: memory with the layout of the region, or it itself.
  virtual uint8_t* inbox() const { return data(); }
  // Makes visible to the rank's device what has arrived there; null where it is.
  virtual std::function<Status()> flush() const { return nullptr; }
  virtual std::optional<Network> network() const { return std::nullopt; }
};

}  // namespace ep

#endif  // CSRC_REGION_REGION_H_
