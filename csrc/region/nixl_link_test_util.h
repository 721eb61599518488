// Links of ranks as processes of one test, over the NIXL of the wheel.
#ifndef CSRC_REGION_NIXL_LINK_TEST_UTIL_H_
#define CSRC_REGION_NIXL_LINK_TEST_UTIL_H_

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "csrc/nixl/processes_test_util.h"
#include "csrc/region/link.h"
#include "csrc/region/nixl_link.h"

namespace ep {

using nixl::kDeadlineNs;
using nixl::Processes;

// A region: in two banks each, every source's words, then what bytes it sends.
inline constexpr uint64_t kMostRanks = 4;
inline constexpr uint64_t kWordsShare = 8192;
inline constexpr uint64_t kShare = uint64_t{1} << 18;
inline constexpr uint64_t kRowsAt = 2 * kMostRanks * kWordsShare;
inline constexpr uint64_t kRegionBytes = kRowsAt + 2 * kMostRanks * kShare;
static_assert(Link::kMostWords * sizeof(uint64_t) <= kWordsShare);

inline NixlLinkConfig Config(uint32_t rank, uint32_t ranks, bool tcp_only) {
  return {
      .region = {.rank = rank,
                 .ranks = ranks,
                 .bytes = kRegionBytes,
                 .image_extents = {{kRowsAt, (kRegionBytes - kRowsAt) / 2},
                                   {(kRegionBytes + kRowsAt) / 2, (kRegionBytes - kRowsAt) / 2}},
                 .wait_timeout_ns = kDeadlineNs},
      .root = nixl::TestRoot(),
      .candidates = {},
      .transports = tcp_only ? "tcp,self" : "",
      .run_name = "test"};
}

inline void Require(const Status& status) {
  if (status.ok()) return;
  fprintf(stderr, "%s\n", status.text().c_str());
  _exit(98);
}

inline std::unique_ptr<NixlLink> MakeLink(Processes& all, const NixlLinkConfig& config) {
  Result<std::unique_ptr<NixlLink>> link = NixlLink::Create(config);
  Require(link.status());
  all.Publish(config.region.rank, (*link)->Blob());
  return *std::move(link);
}

inline std::vector<std::span<const uint8_t>> Blobs(Processes& all, uint32_t ranks) {
  std::vector<std::span<const uint8_t>> blobs;
  for (uint32_t rank = 0; rank < ranks; ++rank) blobs.push_back(all.BlobOf(rank));
  return blobs;
}

inline Status Connect(NixlLink& link, const std::vector<std::span<const uint8_t>>& blobs,
                      uint32_t rank = 0) {
  std::vector<Reach> reached;
  return link.Connect(blobs, rank, &reached);
}

inline std::unique_ptr<NixlLink> Connected(Processes& all, const NixlLinkConfig& config) {
  auto link = MakeLink(all, config);
  Require(Connect(*link, Blobs(all, config.region.ranks), config.region.rank));
  return link;
}

inline int ExitStatus() { return testing::Test::HasFailure() ? 1 : 0; }

}  // namespace ep

#endif  // CSRC_REGION_NIXL_LINK_TEST_UTIL_H_
