// All ranks of a run on one simulated machine: memory, kernels in order, and the check after each.
#ifndef CSRC_SIMT_WORLD_TEST_UTIL_H_
#define CSRC_SIMT_WORLD_TEST_UTIL_H_

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "csrc/base/mapping.h"
#include "csrc/check/checker.h"
#include "csrc/check/fp8.h"
#include "csrc/device/gpu_memory.h"
#include "csrc/device/simt.h"
#include "csrc/protocol/combine_packets.h"
#include "csrc/protocol/dispatch_packets.h"
#include "csrc/rank/error_text.h"
#include "csrc/rank/tensors.h"
#include "csrc/rank/world_test_util.h"
#include "csrc/simt/machine.h"
#include "csrc/simt/post_network_test_util.h"

namespace ep::simt {

struct SimtConfig {
  WorldConfig world;
  uint32_t dispatch_blocks = 2;
  uint32_t combine_blocks = 2;
  uint32_t crews = 2;  // of a block, besides the one that signals
  // Tokens whose plan a block has in its fast memory.
  uint32_t tile_tokens = 64;
  // The epoch before the first, of both kinds.
  Epoch before = 0;
  // Bounds an operation's waits; by default far above what any right run takes.
  uint64_t timeout_steps = 10'000'000;
  // Between ranks that do not map each other; their bodies' device posts.
  PostNetwork::Options network = {.net = Net::kNone};
};

// What the kernels run. Tests put a faulty device, plan or step in its place.
template <class D = SimtDevice, class P = BitmapPlan>
struct Bodies {
  using Device = D;
  using Plan = P;

  static void Dispatch(D& device, const RankContext& context, const DispatchInput& input, P& plan,
                       const Working& working, const DispatchOutput& output, const Handle& handle) {
    if constexpr (requires { plan.CountOfAll(0u); }) {
      if (context.shape.packets) {
        DispatchInPackets(device, context, input, plan, working, output, handle);
        return;
      }
    }
    ep::Dispatch(device, context, input, plan, working, output, handle);
  }
  static void Combine(D& device, const RankContext& context, const Handle& handle,
                      const Working& working, const Bf16* expert_rows, Bf16* combined) {
    if (context.shape.packets) {
      CombineInPackets(device, context, handle, working, expert_rows, combined);
      return;
    }
    ep::Combine(device, context, handle, working, expert_rows, combined);
  }
};

// How a run ended: with the machine's complaint, the ranks' errors, or the first wrong row.
struct Outcome {
  Status machine;
  std::vector<ErrorRecord> errors;  // by rank
  Findings findings;                // of all ranks and kernels
  std::string text;                 // empty if all is well

  bool good() const { return text.empty(); }
};

inline std::string Describe(const Findings& found) {
  return "wrong kind " + std::to_string(static_cast<uint32_t>(found.kind)) + ": source rank " +
         std::to_string(found.source_rank) + ", token " + std::to_string(found.token) +
         ", expert " + std::to_string(found.expert) + ", channel " + std::to_string(found.channel) +
         ", got " + std::to_string(found.got) + ", want " + std::to_string(found.want) + "; " +
         std::to_string(found.wrong) + " in all";
}

template <class Kernels = Bodies<>>
class SimtWorld {
 public:
  using Device = typename Kernels::Device;

  explicit SimtWorld(const SimtConfig& config)
      : config_(config),
        machine_(config.world.shape.ranks *
                     std::max(config.dispatch_blocks, config.combine_blocks) * (config.crews + 1) *
                     kCrewLanes +
                 (config.network.net == Net::kNone ? 0 : config.world.shape.ranks * kCrewLanes)) {
    const Shape& shape = config.world.shape;
    EXPECT_EQ(Problem(shape), nullptr);
    reference::Routing routing = RandomRouting(config.world);
    routing.weights = RandomWeights(config.world);
    for (uint32_t rank = 0; rank < shape.ranks; ++rank) AddRank(rank, routing);
    for (Rank& rank : ranks_) {
      for (uint32_t peer = 0; peer < shape.ranks; ++peer) {
        rank.context.there[peer] =
            ranks_[peer].region.data() + rank.context.layout.PairArea(rank.context.rank);
      }
    }
    if (config.network.net == Net::kNone) return;
    std::deque<RankContext*> contexts;
    for (Rank& rank : ranks_) contexts.push_back(&rank.context);
    network_.emplace(config.network, std::move(contexts));
  }

  // Every rank's kernels: D for a dispatch, C for a combine, of the last dispatch.
  Outcome Run(uint64_t seed, std::string_view kernels,
              std::optional<Machine::Death> death = std::nullopt) {
    outcome_ = {};
    for (Rank& rank : ranks_) {
      Reset(&rank);
      for (const char kernel : kernels) {
        if (kernel == 'D') EnqueueDispatch(&rank);
        if (kernel == 'C') EnqueueCombine(&rank);
      }
      if (network_) EnqueueEnd(rank);
    }
    if (network_) {
      network_->Reset(seed);
      network_->Enqueue(&machine_, death);
    }
    outcome_.machine = machine_.Run(seed, death);
    if (!outcome_.machine.ok()) outcome_.text = outcome_.machine.text();
    for (Rank& rank : ranks_) {
      outcome_.errors.push_back(rank.error);
      if (rank.error.kind == ErrorKind::kNone || !outcome_.good()) continue;
      outcome_.text = ErrorText(rank.error, rank.context).text();
    }
    if (outcome_.findings.wrong > 0 && outcome_.good()) {
      outcome_.text = Describe(outcome_.findings);
    }
    return outcome_;
  }

  uint64_t Steps() const { return machine_.Steps(); }
  // What every rank's host is like when a run begins, and a rank's as it ended.
  Host host;
  const Host& HostOf(uint32_t rank) const { return ranks_[rank].host; }
  // Of a world that has one.
  PostNetwork& network() { return *network_; }

 private:
  struct Rank {
    Rank(const SimtConfig& config, uint32_t number)
        : context{.shape = config.world.shape,
                  .layout = Layout(config.world.shape),
                  .rank = number,
                  .wait_timeout_ns = config.timeout_steps,
                  .epochs = &epochs,
                  .error = &error,
                  .tickets = &tickets,
                  .region = nullptr,
                  .there = {}} {}

    EpochState epochs = {};
    ErrorRecord error = {};
    Tickets tickets = {};
    RankContext context;
    Mapping region;
    Tensors tensors;
    Handle handle = {};
    std::vector<uint32_t> tile_counts;
    std::vector<uint32_t> tile_begins;
    Host host;
    std::unique_ptr<Checker> checker;
    // Kernels begun since the last Reset; the n-th of a kind uses set n % kSets.
    uint32_t dispatches = 0;
    uint32_t combines = 0;
  };

  void AddRank(uint32_t number, const reference::Routing& routing) {
    const Shape& shape = config_.world.shape;
    Rank& rank = ranks_.emplace_back(config_, number);
    const uint32_t tokens = routing.tokens_of_rank[number];
    Status status = rank.tensors.Allocate(shape, 1, tokens, routing.Selected(number, 0),
                                          routing.Weights(number, 0, 0));
    EXPECT_TRUE(status.ok()) << status.text();
    status = Mapping::Private(rank.context.layout.SizeBytes(), "a region", &rank.region);
    EXPECT_TRUE(status.ok()) << status.text();
    rank.context.region = rank.region.data();
    rank.handle = rank.tensors.MakeHandle();
    rank.tile_counts.resize(Tiles().Count(tokens) * Entries(shape));
    rank.tile_begins.resize(rank.tile_counts.size() + Entries(shape));
    rank.checker = std::make_unique<Checker>(routing, number, &rank.tensors);
    MakeRows(&rank, routing);
  }

  // The inputs, and the experts' outputs where the oracle says that their inputs will lie.
  void MakeRows(Rank* rank, const reference::Routing& routing) {
    const Shape& shape = routing.shape;
    const uint32_t number = rank->context.rank;
    for (uint32_t set = 0; set < kSets; ++set) {
      auto* tokens = rank->tensors.token_rows[set].template As<Bf16>();
      for (uint32_t token = 0; token < routing.tokens_of_rank[number]; ++token) {
        const uint64_t first = uint64_t{token} * shape.hidden;
        reference::TokenRow(routing.seed, set, number, token, shape.hidden, tokens + first);
        if (shape.quantize == Quantize::kInside) continue;
        reference::QuantizeRow(tokens + first, shape.hidden,
                               rank->tensors.token_codes[set].template As<E4m3>() + first,
                               rank->tensors.token_scales[set].template As<float>() +
                                   uint64_t{token} * shape.ScalesPerRow());
      }
      auto* outputs = rank->tensors.expert_rows[set].template As<Bf16>();
      const auto& blocks = rank->checker->blocks();
      for (size_t b = 0; b < blocks.size(); ++b) {
        Bf16* row = outputs + static_cast<uint64_t>(blocks[b].first) * shape.hidden;
        for (const reference::Token from : blocks[b].rows) {
          rank->checker->MakeExpertRow(set, b, from, row);
          row += shape.hidden;
        }
      }
    }
  }

  // A region as it comes: words of no epoch, and rows of nobody.
  void Reset(Rank* rank) {
    const Layout& layout = rank->context.layout;
    std::memset(rank->region.data(), kNobodys, layout.SizeBytes());
    std::memset(rank->region.data() + layout.CountsWord(0, 0), 0,
                layout.PairArea(0) - layout.CountsWord(0, 0));
    for (uint32_t i = 0; i < kBanks * rank->context.shape.ranks; ++i) {
      const uint64_t first = layout.PacketBegun(i % kBanks);
      std::memset(rank->region.data() + layout.PairArea(i / kBanks) + first, 0,
                  layout.Bank(i % kBanks) + layout.BankBytes() - first);
    }
    rank->epochs = {config_.before, config_.before};
    rank->error = {};
    rank->tickets = {};
    rank->host = host;
    rank->dispatches = 0;
    rank->combines = 0;
  }

  void EnqueueDispatch(Rank* rank) {
    const RankContext& context = rank->context;
    const DispatchInput input = rank->tensors.Input(0);
    const bool tiled = Tiles().Count(input.tokens) > 1;
    const kernels::DispatchMemory memory(context.shape, config_.dispatch_blocks, Block());
    if (tiled) {
      machine_.Enqueue({context.rank, config_.dispatch_blocks, config_.crews + 1,
                        memory.SizeBytes(),
                        [this, rank, memory](Lane& lane) { CountLane(lane, *rank, memory); },
                        [rank] { std::ranges::fill(rank->tile_counts, kUncounted); }});
    }
    machine_.Enqueue(
        {context.rank, config_.dispatch_blocks, config_.crews + 1, memory.SizeBytes(),
         [this, rank, memory, tiled](Lane& lane) { DispatchLane(lane, *rank, memory, tiled); },
         [rank] {
           rank->checker->Poison();
           ++rank->dispatches;
         },
         [this, rank] {
           if (rank->error.claimed != 0) return;
           rank->checker->CheckDispatch(Set(rank->dispatches), &outcome_.findings);
         }});
  }

  void EnqueueCombine(Rank* rank) {
    const RankContext& context = rank->context;
    const kernels::CombineMemory memory(context.shape, config_.combine_blocks, Block());
    machine_.Enqueue({context.rank, config_.combine_blocks, config_.crews + 1, memory.SizeBytes(),
                      [this, rank, memory](Lane& lane) { CombineLane(lane, *rank, memory); },
                      [rank] {
                        rank->checker->Poison();
                        ++rank->combines;
                      },
                      [this, rank] {
                        if (rank->error.claimed != 0) return;
                        rank->checker->CheckCombine(Set(rank->combines), Set(rank->dispatches),
                                                    &outcome_.findings);
                      }});
  }

  // The rank needs no proxy any more.
  void EnqueueEnd(const Rank& rank) {
    machine_.Enqueue(
        {rank.context.rank, 1, 1, 16, [](Lane&) {}, [] {}, [this] { network_->RankIsThrough(); }});
  }

  kernels::BlockShape Block() const {
    return {.crews = config_.crews,
            .held_units = SimtDevice::kHeldChannels / SimtDevice::kUnitChannels,
            .unit_channels = SimtDevice::kUnitChannels,
            .piece_channels = 4 * SimtDevice::kUnitChannels,
            .sum_channels = 3 * SimtDevice::kUnitChannels,
            .tile_tokens = config_.tile_tokens};
  }
  Tiling Tiles() const { return {config_.world.shape, config_.tile_tokens}; }

  // The kernels, as csrc/kernels/kernels.cu has them.
  void CountLane(Lane& lane, Rank& rank, const kernels::DispatchMemory& memory) {
    Device device(lane, &rank.host);
    const DispatchInput input = rank.tensors.Input(0);
    CountTiles(device, rank.context, input.topk_idx, input.tokens, memory.tiling(),
               memory.Counts(lane.Shared()), {rank.tile_counts.data(), rank.tile_begins.data()});
  }
  void DispatchLane(Lane& lane, Rank& rank, const kernels::DispatchMemory& memory, bool tiled) {
    Device device(lane, &rank.host);
    uint8_t* shared = lane.Shared();
    const uint32_t crew = lane.Thread() / kCrewLanes;
    typename Kernels::Plan plan(
        rank.context.shape, memory.Plan(shared, crew, tiled ? rank.tile_begins.data() : nullptr));
    Kernels::Dispatch(device, rank.context, rank.tensors.Input(Set(rank.dispatches)), plan,
                      memory.WorkingOf(shared, crew), rank.tensors.Output(), rank.handle);
  }
  void CombineLane(Lane& lane, Rank& rank, const kernels::CombineMemory& memory) {
    Device device(lane, &rank.host);
    Kernels::Combine(device, rank.context, rank.handle,
                     memory.WorkingOf(lane.Shared(), lane.Thread() / kCrewLanes),
                     rank.tensors.expert_rows[Set(rank.combines)].template As<const Bf16>(),
                     rank.tensors.combined.template As<Bf16>());
  }

  // Of the latest kernel of a kind, given how many have begun.
  static uint32_t Set(uint32_t begun) { return (begun + kSets - 1) % kSets; }

  static constexpr uint8_t kNobodys = 0x5A;
  static constexpr uint32_t kUncounted = 0x5A5A5A5A;

  const SimtConfig config_;
  std::deque<Rank> ranks_;
  Machine machine_;
  std::optional<PostNetwork> network_;
  Outcome outcome_;
};

// The seeds to run: first to first + count - 1, or the one that EP_SIMT_SEED names. Sanitizers look
// at code, all of which few schedules reach, and take five times as long: they get a sixteenth.
inline std::vector<uint64_t> Seeds(uint64_t first, uint64_t count) {
  if (const char* chosen = std::getenv("EP_SIMT_SEED")) {
    return {std::strtoull(chosen, nullptr, 10)};
  }
#if defined(__SANITIZE_ADDRESS__)
  count = (count + 15) / 16;
#endif
  std::vector<uint64_t> seeds(count);
  for (uint64_t i = 0; i < count; ++i) seeds[i] = first + i;
  return seeds;
}

}  // namespace ep::simt

#endif  // CSRC_SIMT_WORLD_TEST_UTIL_H_
