// Ranks whose memory is not mapped are as right as others under every schedule, be it all peers or
// those of another host, and on a network that takes its time.
#include "csrc/protocol/put.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <utility>
#include <vector>

#include "csrc/simt/cases_test_util.h"
#include "csrc/simt/world_test_util.h"

namespace ep::simt {
namespace {

using Putting = Bodies<PutDevice<SimtDevice>>;

class Puts : public ::testing::TestWithParam<Case> {};

TEST_P(Puts, AreRight) { ExpectRight<Putting>(GetParam()); }

INSTANTIATE_TEST_SUITE_P(
    Cases, Puts,
    ::testing::Values(
        // Shapes are ranks, tokens, hidden, experts a rank, top-k.
        Case{"TwoRanksFp8",
             {.world = {.shape = {2, 6, 256, 4, 4, kFp8}}, .mapped_ranks = 1},
             "DCDDC",
             1000},
        Case{"UnevenBf16",
             {.world = {.shape = {3, 8, 640, 3, 4, kBf16},
                        .tokens_of_rank = {8, 0, 3},
                        .empty_percent = 40},
              .dispatch_blocks = 3,
              .mapped_ranks = 1},
             "DDCC",
             800},
        Case{"HalfMappedFp8",
             {.world = {.shape = {4, 4, 1280, 3, 6, kFp8}, .tokens_of_rank = {4, 2, 4, 1}},
              .combine_blocks = 3,
              .mapped_ranks = 2},
             "DCDC",
             400},
        Case{"OneAloneBf16",
             {.world = {.shape = {3, 5, 256, 3, 3, kBf16}, .empty_percent = 20}, .mapped_ranks = 2},
             "DCDDC",
             400},
        Case{
            "NobodySendsAnything",
            {.world = {.shape = {3, 4, 256, 2, 2, kBf16}, .empty_percent = 100}, .mapped_ranks = 1},
            "DCDCDC",
            400},
        Case{"AcrossTheWrap",
             {.world = {.shape = {3, 5, 256, 2, 3, kFp8}, .empty_percent = 20},
              .before = 0xFFFFFFFD,
              .mapped_ranks = 1},
             "DCDCDDCC",
             600},
        Case{"ContigFp8",
             {.world = {.shape = With(kWays[1], {2, 5, 256, 2, 2, kFp8}), .empty_percent = 20},
              .mapped_ranks = 1},
             "DCDC",
             300},
        Case{"FlatFp8",
             {.world = {.shape = With(kWays[2], {3, 5, 640, 3, 4, kFp8}),
                        .tokens_of_rank = {5, 0, 3}},
              .dispatch_blocks = 3,
              .mapped_ranks = 1},
             "DDCC",
             300},
        Case{"RankBf16",
             {.world = {.shape = With(kWays[3], {3, 4, 640, 3, 4, kBf16}),
                        .tokens_of_rank = {2, 4, 3},
                        .empty_percent = 30},
              .mapped_ranks = 1},
             "DCDC",
             300},
        Case{"ByExpertFp8",
             {.world = {.shape = With(kWays[4], {3, 5, 640, 3, 6, kFp8}), .empty_percent = 30},
              .combine_blocks = 3,
              .mapped_ranks = 1},
             "DCDDCC",
             300},
        Case{
            "ContigByExpertBf16",
            {.world = {.shape = With(kWays[5], {2, 4, 128, 2, 3, kBf16}), .tokens_of_rank = {4, 1}},
             .before = 0xFFFFFFFD,
             .mapped_ranks = 1},
            "DCDC",
            300},
        Case{"SeveralTiles",
             {.world = {.shape = {2, 300, 128, 3, 2, kBf16}, .tokens_of_rank = {300, 200}},
              .dispatch_blocks = 3,
              .mapped_ranks = 1},
             "DCD",
             20}),
    [](const auto& info) { return info.param.name; });

// One to three ranks a host, so that worlds without unmapped ranks are among them.
TEST(RandomPuts, AreRight) {
  for (const uint64_t seed : Seeds(1, 1000)) {
    RandomCase drawn = DrawCase(seed);
    drawn.config.mapped_ranks = static_cast<uint32_t>(1 + seed / 2 % 3);
    const Outcome outcome = SimtWorld<Putting>(drawn.config).Run(seed, drawn.kernels);
    ASSERT_TRUE(outcome.good()) << "EP_SIMT_SEED=" << seed << ": " << outcome.text;
  }
}

// What ranks have sent over a network that moves nothing but now and then, while some rank waits:
// it reads messages when their sender has long gone on, perhaps to another kernel.
struct Message {
  struct Part {
    uint8_t* to;
    const uint8_t* from;
    size_t bytes;
  };
  Part parts[4];  // a dispatch's
  uint32_t count;
  uint64_t* word;
  uint64_t value;
};
std::vector<Message> under_way;  // of all ranks

template <bool kFlagsOvertake>
class LateNetwork : public SimtDevice {
 public:
  LateNetwork(const SimtDevice& device) : SimtDevice(device) {}

  void PutAlone(uint8_t* to, const uint8_t* from, size_t bytes) {
    lane().Release();  // a network reads memory as all see it
    message_.parts[message_.count++] = {to, from, bytes};
  }
  void FenceSystem() {}  // messages are in order
  void AddRelaxedSystem(uint64_t* word, uint64_t value) {
    message_.word = word;
    message_.value = value;
    if (kFlagsOvertake) *word += std::exchange(message_.value, 0);
    under_way.push_back(message_);
    message_.count = 0;
  }
  void Relax(uint32_t misses) {
    Random random(lane().Steps());
    if (!under_way.empty() && random.Below(kMissesPerMove) == 0) {
      const uint32_t drawn = random.Below(static_cast<uint32_t>(under_way.size()));
      Move(under_way[drawn]);
      under_way.erase(under_way.begin() + drawn);
    }
    SimtDevice::Relax(misses);
  }

 private:
  static constexpr uint32_t kMissesPerMove = 64;

  static void Move(const Message& message) {
    for (uint32_t i = 0; i < message.count; ++i) {
      const Message::Part& part = message.parts[i];
      std::memcpy(part.to, part.from, part.bytes);
    }
    *message.word += message.value;
  }

  Message message_ = {};
};

constexpr SimtConfig kLate = {.world = {.shape = {3, 5, 256, 3, 4, kFp8}}, .mapped_ranks = 1};

TEST(LatePuts, AreRight) {
  ExpectRight<Bodies<PutDevice<LateNetwork<false>>>>({"Late", kLate, "DDDCCCDC", 400});
  EXPECT_TRUE(under_way.empty());
}

TEST(LatePuts, AFlagThatOvertakesItsRowsIsFound) {
  for (const char* kernels : {"DDD", "DCCC"}) {
    SimtWorld<Bodies<PutDevice<LateNetwork<true>>>> world(kLate);
    EXPECT_FALSE(world.Run(1, kernels).good());
    under_way.clear();
  }
}

}  // namespace
}  // namespace ep::simt
