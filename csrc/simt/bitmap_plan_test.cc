// The plan of many lanes is the plan of one: the same slots, indices and totals for any ids.
#include "csrc/protocol/bitmap_plan.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <vector>

#include "csrc/kernels/arguments.h"
#include "csrc/simt/device.h"
#include "csrc/simt/machine.h"

namespace ep::simt {
namespace {

struct OneLane {
  static constexpr uint32_t kLanes = 1;
};

bool Same(const Shape& shape, const TokenPlan& a, const TokenPlan& b) {
  if (a.destination_count != b.destination_count) return false;
  for (uint32_t d = 0; d < a.destination_count; ++d) {
    if (a.destinations[d].rank != b.destinations[d].rank) return false;
    if (a.destinations[d].slot != b.destinations[d].slot) return false;
  }
  for (uint32_t j = 0; j < shape.topk; ++j) {
    if (a.destination_of[j] != b.destination_of[j]) return false;
    if (a.destination_of[j] == TokenPlan::kNowhere) continue;
    if (a.placements[j].expert != b.placements[j].expert) return false;
    if (a.placements[j].index != b.placements[j].index) return false;
  }
  return true;
}

struct Ids {
  Shape shape;
  uint32_t tokens;
  std::vector<int32_t> topk_idx;
};

Ids RandomIds(uint32_t seed) {
  std::mt19937 random(seed);
  const auto between = [&](uint32_t low, uint32_t high) {
    return std::uniform_int_distribution<uint32_t>(low, high)(random);
  };
  Shape shape = {.ranks = between(0, 3) == 0 ? between(33, kMaxRanks) : between(1, 8),
                 .tokens = 800,
                 .hidden = 128,
                 .experts_per_rank = between(1, 9),
                 .topk = 1,
                 .dtype = Dtype::kFp8};
  shape.topk = between(1, std::min(kMaxTopk, shape.Experts()));
  const uint32_t tokens = seed % 4 == 0 ? between(257, 800) : between(1, 256);
  const uint32_t empty_percent = between(0, 1) * between(0, 100);
  Ids ids = {shape, tokens, {}};
  std::vector<int32_t> experts(shape.Experts());
  for (uint32_t x = 0; x < experts.size(); ++x) experts[x] = static_cast<int32_t>(x);
  for (uint32_t token = 0; token < tokens; ++token) {
    std::ranges::shuffle(experts, random);
    for (uint32_t j = 0; j < shape.topk; ++j) {
      ids.topk_idx.push_back(between(0, 99) < empty_percent ? -1 : experts[j]);
    }
  }
  return ids;
}

// One block plans all tokens, its crews one after another, as one rank's worker would.
class PlanOfLanes {
 public:
  explicit PlanOfLanes(const Ids& ids)
      : ids_(ids),
        memory_(ids.shape),
        tile_counts_(TilesOf(ids.tokens) * TileCounts(ids.shape)),
        plans(ids.tokens),
        found(ids.tokens),
        rows_to_rank(ids.shape.ranks),
        selections(ids.shape.Experts()),
        bad_tokens(kThreads, kNoToken) {}

  Status Run(uint64_t seed) {
    Machine machine(TilesOf(ids_.tokens) * kThreads);
    machine.Enqueue({0, TilesOf(ids_.tokens), kCrews, memory_.SizeBytes(), [this](Lane& lane) {
                       SimtDevice device(lane, &aborted_);
                       CountTile(device, ids_.shape, ids_.topk_idx.data(), ids_.tokens,
                                 lane.BlockIndex(), memory_.Words(lane.Shared()),
                                 &tile_counts_[lane.BlockIndex() * TileCounts(ids_.shape)]);
                     }});
    machine.Enqueue({0, 1, kCrews, memory_.SizeBytes(), [this](Lane& lane) { PlanAll(lane); }});
    return machine.Run(seed);
  }

 private:
  static constexpr uint32_t kCrews = 2;
  static constexpr uint32_t kThreads = kCrews * kCrewLanes;

  void PlanAll(Lane& lane) {
    SimtDevice device(lane, &aborted_);
    uint8_t* shared = lane.Shared();
    const uint32_t tiles = TilesOf(ids_.tokens);
    BitmapPlan plan(ids_.shape, {memory_.Words(shared), memory_.Begin(shared),
                                 memory_.Plan(shared, device.Crew()),
                                 tiles > 1 ? tile_counts_.data() : nullptr});
    for (uint32_t tile = 0; tile < tiles; ++tile) {
      plan.Load(device, ids_.topk_idx.data(), ids_.tokens, tile);
      const uint32_t begin = tile * BitmapPlan::kTileTokens;
      const uint32_t end = std::min(begin + BitmapPlan::kTileTokens, ids_.tokens);
      for (uint32_t token = begin + device.Crew(); token < end; token += device.Crews()) {
        const TokenPlan* one = plan.Find(device, token);
        if (one == nullptr) break;
        if (device.Lane() == 31) plans[token] = *one;
        found[token] = true;
      }
    }
    plan.Complete(device);
    bad_tokens[device.Thread()] = plan.BadToken();
    for (uint32_t r = device.Thread(); r < ids_.shape.ranks; r += device.Threads()) {
      rows_to_rank[r] = plan.RowsToRank(r);
    }
    for (uint32_t x = device.Thread(); x < ids_.shape.Experts(); x += device.Threads()) {
      selections[x] = plan.SelectionsOfExpert(x);
    }
  }

  const Ids& ids_;
  const kernels::SharedMemory memory_;
  const bool aborted_ = false;
  std::vector<uint32_t> tile_counts_;

 public:
  std::vector<TokenPlan> plans;
  std::vector<bool> found;
  std::vector<uint32_t> rows_to_rank;
  std::vector<uint32_t> selections;
  std::vector<uint32_t> bad_tokens;  // by lane
};

TEST(BitmapPlan, IsTheSequentialPlan) {
  for (uint32_t seed = 1; seed <= 120; ++seed) {
    const Ids ids = RandomIds(seed);
    PlanOfLanes lanes(ids);
    const Status status = lanes.Run(seed);
    ASSERT_TRUE(status.ok()) << "seed " << seed << ": " << status.text();

    std::vector<uint32_t> rows(ids.shape.ranks);
    std::vector<uint16_t> selections(ids.shape.Experts());
    SequentialPlan plan(ids.shape, rows.data(), selections.data());
    OneLane device;
    plan.Load(device, ids.topk_idx.data(), ids.tokens, 0);
    for (uint32_t token = 0; token < ids.tokens; ++token) {
      ASSERT_TRUE(lanes.found[token]) << "seed " << seed << ", token " << token;
      ASSERT_TRUE(Same(ids.shape, lanes.plans[token], *plan.Find(device, token)))
          << "seed " << seed << ", token " << token;
    }
    for (uint32_t r = 0; r < ids.shape.ranks; ++r) {
      ASSERT_EQ(lanes.rows_to_rank[r], rows[r]) << "seed " << seed << ", rank " << r;
    }
    for (uint32_t x = 0; x < ids.shape.Experts(); ++x) {
      ASSERT_EQ(lanes.selections[x], selections[x]) << "seed " << seed << ", expert " << x;
    }
  }
}

TEST(BitmapPlan, RefusesWhatIsNoSetOfExperts) {
  constexpr Shape kShape = {2, 8, 128, 3, 3, Dtype::kFp8};
  const std::vector<std::vector<int32_t>> wrong = {
      {2, 4, 2},   // twice
      {0, 6, 1},   // beyond
      {0, -2, 1},  // negative
  };
  for (const std::vector<int32_t>& bad : wrong) {
    Ids ids = {kShape, 4, {0, 1, 2, 3, 4, 5, -1, -1, -1}};
    ids.topk_idx.insert(ids.topk_idx.begin() + 6, bad.begin(), bad.end());
    PlanOfLanes lanes(ids);
    ASSERT_TRUE(lanes.Run(1).ok());
    EXPECT_TRUE(lanes.found[0] && lanes.found[1] && lanes.found[3]);
    EXPECT_FALSE(lanes.found[2]);
    EXPECT_EQ(std::ranges::count(lanes.bad_tokens, 2u) > 0, true);
  }
}

}  // namespace
}  // namespace ep::simt
