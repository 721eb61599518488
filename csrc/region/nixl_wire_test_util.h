// Regions of ranks that are processes of one test, over the NIXL of the wheel.
#ifndef CSRC_REGION_NIXL_WIRE_TEST_UTIL_H_
#define CSRC_REGION_NIXL_WIRE_TEST_UTIL_H_

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "csrc/nixl/processes_test_util.h"
#include "csrc/region/nixl_host_region.h"
#include "csrc/region/wire.h"

namespace ep {

using nixl::kDeadlineNs;
using nixl::Processes;

// A page, then an area of each rank, with room for two epochs' messages.
inline constexpr uint64_t kHalfArea = uint64_t{1} << 18;
inline constexpr PairAreas kPairs = {4096, 2 * kHalfArea};

inline NixlHostRegionConfig Config(uint32_t rank, uint32_t ranks, bool tcp_only) {
  return {.region = {.rank = rank,
                     .ranks = ranks,
                     .bytes = kPairs.begin + ranks * kPairs.bytes,
                     .pairs = kPairs,
                     .wait_timeout_ns = kDeadlineNs},
          .nixl = {.root = nixl::TestRoot(),
                   .candidates = {},
                   .transports = tcp_only ? "tcp,self" : "",
                   .run_name = "test"},
          .host = ""};
}

inline void Require(const Status& status) {
  if (status.ok()) return;
  fprintf(stderr, "%s\n", status.text().c_str());
  _exit(98);
}

inline std::vector<std::span<const uint8_t>> Blobs(Processes& all, uint32_t ranks) {
  std::vector<std::span<const uint8_t>> blobs;
  for (uint32_t rank = 0; rank < ranks; ++rank) blobs.push_back(all.BlobOf(rank));
  return blobs;
}

// A rank's region, and how it reaches its peers once they are connected.
class Connected {
 public:
  Connected(Processes& all, const NixlHostRegionConfig& config) : rank(config.region.rank) {
    Result<std::unique_ptr<NixlHostRegion>> made = NixlHostRegion::Create(config);
    Require(made.status());
    region = *std::move(made);
    all.Publish(rank, region->Blob());
  }

  Status Connect(const std::vector<std::span<const uint8_t>>& blobs) {
    return region->Connect(blobs, rank, &reached);
  }
  Wire& wire() { return *region->wire(); }
  uint8_t* image(uint32_t peer) const { return reached[peer].image; }
  uint8_t* area(uint32_t peer) const { return region->data() + kPairs.begin + peer * kPairs.bytes; }

  const uint32_t rank;
  std::unique_ptr<NixlHostRegion> region;
  std::vector<Reach> reached;
};

inline std::unique_ptr<Connected> ConnectAll(Processes& all, const NixlHostRegionConfig& config) {
  auto made = std::make_unique<Connected>(all, config);
  Require(made->Connect(Blobs(all, config.region.ranks)));
  return made;
}

inline int ExitStatus() { return testing::Test::HasFailure() ? 1 : 0; }

}  // namespace ep

#endif  // CSRC_REGION_NIXL_WIRE_TEST_UTIL_H_
