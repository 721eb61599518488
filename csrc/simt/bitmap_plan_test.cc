// The plan of many lanes is the plan of one: the same slots, indices and totals for any ids.
#include "csrc/protocol/bitmap_plan.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <random>
#include <string>
#include <vector>

#include "csrc/device/gpu_memory.h"
#include "csrc/device/simt.h"
#include "csrc/protocol/count.h"
#include "csrc/protocol/dispatch_step.h"
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
    if (a.selections[d] != b.selections[d]) return false;
  }
  for (uint32_t j = 0; j < shape.topk; ++j) {
    if (a.destination_of[j] != b.destination_of[j]) return false;
    if (a.destination_of[j] == TokenPlan::kNowhere) continue;
    if (a.before[j] != b.before[j]) return false;
    if (a.placements[j].expert != b.placements[j].expert) return false;
    if (a.placements[j].index != b.placements[j].index) return false;
  }
  return true;
}

struct Ids {
  Shape shape;
  uint32_t tokens;
  std::vector<int32_t> topk_idx;
  uint32_t tile_tokens = 512;
  uint32_t workers = 1;
};

Ids RandomIds(uint32_t seed) {
  std::mt19937 random(seed);
  const auto between = [&](uint32_t low, uint32_t high) {
    return std::uniform_int_distribution<uint32_t>(low, high)(random);
  };
  Shape shape = {.ranks = between(0, 3) == 0 ? between(33, kMaxGpuRanks) : between(1, 8),
                 .tokens = 800,
                 .hidden = 128,
                 .experts_per_rank = between(1, 9),
                 .topk = 1,
                 .dtype = Dtype::kFp8};
  shape.topk = between(1, std::min(kMaxTopk, shape.Experts()));
  shape.chunk_tokens = between(1, 40);
  const uint32_t tokens = between(0, 7) == 0 ? 0 : between(1, seed % 4 == 0 ? 800 : 256);
  const uint32_t empty_percent = between(0, 1) * between(0, 100);
  Ids ids = {.shape = shape,
             .tokens = tokens,
             .topk_idx = {},
             .tile_tokens = between(40, 300),  // a chunk or more
             .workers = between(1, 3)};
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

// The workers of rank 0 plan their shares of the tokens, and tell its peers the totals.
class PlanOfLanes {
 public:
  explicit PlanOfLanes(const Ids& ids)
      : ids_(ids),
        memory_(ids.shape, ids.workers, Block(ids)),
        tile_counts_(Tiles() * Entries(ids.shape)),
        tile_begins_((Tiles() + 1) * Entries(ids.shape)),
        context_{.shape = ids.shape,
                 .layout = Layout(ids.shape),
                 .rank = 0,
                 .wait_timeout_ns = 0,
                 .epochs = &epochs_,
                 .error = &error_,
                 .tickets = &tickets_,
                 .region = nullptr,
                 .there = {}},
        plans(ids.tokens),
        found(ids.tokens),
        slots(ids.shape.Chunks(), std::vector<SlotRange>(ids.shape.ranks)),
        bad_tokens(ids.workers * kThreads, kNoToken) {
    for (uint32_t peer = 0; peer < ids.shape.ranks; ++peer) {
      // Words and this pair area are all that a plan tells.
      regions_.emplace_back(context_.layout.PairArea(0) + context_.layout.PairBytes());
      context_.there[peer] = regions_.back().data() + context_.layout.PairArea(0);
    }
  }

  Status Run(uint64_t seed) {
    Machine machine(ids_.workers * kThreads);
    if (Tiles() > 1) {
      machine.Enqueue({0, ids_.workers, kCrews + 1, memory_.SizeBytes(), [this](Lane& lane) {
                         SimtDevice device(lane, &host_);
                         CountTiles(device, context_, ids_.topk_idx.data(), ids_.tokens,
                                    memory_.tiling(), memory_.Counts(lane.Shared()),
                                    {tile_counts_.data(), tile_begins_.data()});
                       }});
    }
    machine.Enqueue({0, ids_.workers, kCrews + 1, memory_.SizeBytes(),
                     [this](Lane& lane) { PlanShare(lane); }});
    return machine.Run(seed);
  }

  // What a peer has been told.
  uint32_t RowsTo(uint32_t peer) const {
    const auto* word = context_.At<const uint64_t>(peer, context_.layout.CountsWord(kBank, 0));
    EXPECT_EQ(FlagEpoch(*word), kEpoch);
    return FlagRows(*word);
  }
  uint32_t SelectionsOf(uint32_t expert) const {
    const uint32_t experts = ids_.shape.experts_per_rank;
    const uint64_t counts = context_.layout.Counts(kBank);
    return context_.There<const uint16_t>(expert / experts, counts)[expert % experts];
  }

 private:
  static constexpr uint32_t kCrews = 2;
  static constexpr uint32_t kThreads = (kCrews + 1) * kCrewLanes;
  static constexpr Epoch kEpoch = 1;
  static constexpr uint32_t kBank = BankOf(kEpoch);

  static kernels::BlockShape Block(const Ids& ids) {
    return {.crews = kCrews,
            .held_units = 1,
            .unit_channels = SimtDevice::kUnitChannels,
            .piece_channels = SimtDevice::kUnitChannels,
            .sum_channels = SimtDevice::kUnitChannels,
            .tile_tokens = ids.tile_tokens};
  }
  uint32_t Tiles() const { return memory_.tiling().Count(ids_.tokens); }

  // A worker's windows, as in a dispatch; its crews take tokens in turns.
  void PlanShare(Lane& lane) {
    SimtDevice device(lane, &host_);
    BitmapPlan plan(ids_.shape, memory_.Plan(lane.Shared(), device.Crew(),
                                             Tiles() > 1 ? tile_begins_.data() : nullptr));
    const uint32_t chunk_tokens = ids_.shape.chunk_tokens;
    const auto share = dispatch::ChunksOfWorker(device, ids_.shape);
    const uint32_t end = std::min(share.end * chunk_tokens, ids_.tokens);
    uint32_t window = std::min(share.begin * chunk_tokens, end);
    bool first = true;
    do {
      const uint32_t window_end = std::min(window + plan.WindowTokens(), end);
      plan.Load(device, ids_.topk_idx.data(), ids_.tokens, window, window_end);
      if (first && !plan.CountsAreOut() && device.Worker() == 0) {
        TellCounts(device, context_, kEpoch, plan);
      }
      first = false;
      for (uint32_t token = window + device.Crew(); token < window_end; token += device.Crews()) {
        if (IsSignalCrew(device)) break;
        const TokenPlan* one = plan.Find(device, token, true);
        if (one == nullptr) break;
        if (device.Lane() == 31) plans[token] = *one;
        found[token] = true;
      }
      for (uint32_t begin = window; begin < window_end; begin += chunk_tokens) {
        for (uint32_t r = device.Thread(); r < ids_.shape.ranks; r += device.Threads()) {
          slots[begin / chunk_tokens][r] =
              plan.Slots(r, begin, std::min(begin + chunk_tokens, window_end));
        }
      }
      window = window_end;
    } while (window < end);
    bad_tokens[device.Worker() * kThreads + device.Thread()] = plan.BadToken();
  }

  const Ids& ids_;
  const kernels::DispatchMemory memory_;
  Host host_;
  EpochState epochs_ = {};
  ErrorRecord error_ = {};
  Tickets tickets_ = {};
  std::vector<uint32_t> tile_counts_;
  std::vector<uint32_t> tile_begins_;
  std::deque<std::vector<uint8_t>> regions_;
  RankContext context_;

 public:
  std::vector<TokenPlan> plans;
  std::vector<bool> found;
  std::vector<std::vector<SlotRange>> slots;  // [chunks, ranks]
  std::vector<uint32_t> bad_tokens;           // by lane
};

TEST(BitmapPlan, IsTheSequentialPlan) {
  for (uint32_t seed = 1; seed <= 120; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    const Ids ids = RandomIds(seed);
    const Shape& shape = ids.shape;
    PlanOfLanes lanes(ids);
    const Status status = lanes.Run(seed);
    ASSERT_TRUE(status.ok()) << status.text();

    std::vector<uint32_t> rows(shape.ranks);
    std::vector<uint16_t> selections(shape.Experts());
    SequentialPlan plan(shape, rows.data(), selections.data());
    OneLane device;
    plan.Load(device, ids.topk_idx.data(), ids.tokens, 0, ids.tokens);
    for (uint32_t begin = 0; begin < ids.tokens; begin += shape.chunk_tokens) {
      const uint32_t end = std::min(begin + shape.chunk_tokens, ids.tokens);
      plan.Begin(begin);
      for (uint32_t token = begin; token < end; ++token) {
        ASSERT_TRUE(lanes.found[token]) << "token " << token;
        ASSERT_TRUE(Same(shape, lanes.plans[token], *plan.Find(device, token, true)))
            << "token " << token;
      }
      for (uint32_t r = 0; r < shape.ranks; ++r) {
        const SlotRange slots = lanes.slots[begin / shape.chunk_tokens][r];
        ASSERT_EQ(slots.begin, plan.Slots(r, begin, end).begin) << "rank " << r;
        ASSERT_EQ(slots.end, plan.Slots(r, begin, end).end) << "rank " << r;
      }
    }
    for (uint32_t r = 0; r < shape.ranks; ++r) {
      ASSERT_EQ(lanes.RowsTo(r), plan.RowsToRank(r)) << "rank " << r;
    }
    for (uint32_t x = 0; x < shape.Experts(); ++x) {
      ASSERT_EQ(lanes.SelectionsOf(x), plan.SelectionsOfExpert(x)) << "expert " << x;
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
