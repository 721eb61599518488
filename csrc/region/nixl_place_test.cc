// A peer is believed as far as its memory is as ours.
#include "csrc/region/nixl_place.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <vector>

namespace ep {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr NixlPlace kPlace = {
    .bytes = 4096, .inbox = 7, .host = 5, .on_gpu = 0, .staged = 0, .gpu = 3};
constexpr uint8_t kMemory[] = {1, 2};
constexpr uint8_t kPeers[] = {3, 4, 5};

TEST(NixlPlace, IsReadAsItWasTold) {
  const std::vector<uint8_t> blob = MakePlaceBlob(kPlace, kMemory, kPeers);
  Result<NixlPlaceBlob> read = ReadPlaceBlob(blob, kPlace, 0, 1);
  ASSERT_TRUE(read.ok()) << read.status().text();
  EXPECT_EQ(read->place.inbox, 7u);
  EXPECT_EQ(read->place.gpu, 3u);
  EXPECT_THAT(read->memory, ElementsAre(1, 2));
  EXPECT_THAT(read->peers, ElementsAre(3, 4, 5));
}

TEST(NixlPlace, OfAnotherMemoryIsRefused) {
  NixlPlace longer = kPlace;
  longer.bytes *= 2;
  NixlPlace on_gpu = kPlace;
  on_gpu.on_gpu = 1;
  std::vector<uint8_t> blobs[] = {
      MakePlaceBlob(longer, kMemory, kPeers), MakePlaceBlob(on_gpu, kMemory, kPeers),
      MakePlaceBlob(kPlace, kMemory, {}),     MakePlaceBlob(kPlace, kMemory, kPeers),
      MakePlaceBlob(kPlace, kMemory, kPeers), {}};
  blobs[3].resize(20);
  blobs[4][0] ^= 1;
  for (const std::vector<uint8_t>& blob : blobs) {
    const Status status = ReadPlaceBlob(blob, kPlace, 0, 1).status();
    EXPECT_EQ(status.code(), Code::kProtocol);
    EXPECT_THAT(status.text(),
                HasSubstr("connect rank 0 to rank 1 over NIXL: its memory is not as ours"));
  }
}

TEST(NixlPlace, MapsWhoIsOnItsHost) {
  NixlPlace other = kPlace;
  EXPECT_TRUE(kPlace.Maps(other));
  other.host = 6;
  EXPECT_FALSE(kPlace.Maps(other));
  NixlPlace nobody = kPlace;
  nobody.host = 0;
  EXPECT_FALSE(nobody.Maps(nobody));
}

TEST(PairAreas, HaveToFitIntoTheRegion) {
  const auto check = [](uint64_t begin, uint64_t bytes) {
    return CheckPairAreas({.rank = 0,
                           .ranks = 2,
                           .bytes = 4096,
                           .pairs = {begin, bytes},
                           .wait_timeout_ns = 1})
        .code();
  };
  EXPECT_EQ(check(96, 2000), Code::kOk);
  EXPECT_EQ(check(96, 2001), Code::kInvalid);
  EXPECT_EQ(check(96, 0), Code::kInvalid);
  EXPECT_EQ(check(4097, 1), Code::kInvalid);
}

}  // namespace
}  // namespace ep
