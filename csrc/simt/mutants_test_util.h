// Finds planted faults: each must show within kSeeds schedules.
#ifndef CSRC_SIMT_MUTANTS_TEST_UTIL_H_
#define CSRC_SIMT_MUTANTS_TEST_UTIL_H_

#include <gtest/gtest.h>

#include <cstdint>
#include <iostream>
#include <utility>

#include "csrc/simt/world_test_util.h"

namespace ep::simt {

inline constexpr uint64_t kSeeds = 400;

// Three ranks with a chunk for each worker of a dispatch, whose own rows go through the bank.
constexpr SimtConfig ThreeRanks() {
  SimtConfig config = {.world = {.shape = {3, 6, 256, 3, 3, Dtype::kFp8}},
                       .dispatch_blocks = 3,
                       .combine_blocks = 3,
                       .timeout_steps = 200'000};
  config.world.shape.chunk_tokens = 2;
  return config;
}
inline const SimtConfig kThreeRanks = ThreeRanks();

// Of two tiles, which are counted before: rows are laid out while others leave, and own rows go
// directly.
inline SimtConfig Together(SimtConfig config = kThreeRanks) {
  config.world.shape.chunk_tokens = 1;
  config.dispatch_blocks = 2;
  config.tile_tokens = 3;
  return config;
}

// The same with rows in packets.
inline SimtConfig Packets(SimtConfig config = kThreeRanks) {
  config.world.shape.packets = true;
  return config;
}

inline SimtConfig In(const Way& way, SimtConfig config = kThreeRanks) {
  config.world.shape = With(way, config.world.shape);
  return config;
}
inline constexpr Way kFlat = kWays[2];
inline constexpr Way kByExpert = kWays[4];

inline SimtConfig TokensOf(std::vector<uint32_t> tokens_of_rank, SimtConfig config = kThreeRanks) {
  config.world.tokens_of_rank = std::move(tokens_of_rank);
  return config;
}

inline constexpr char kDispatches[] = "DDDD";
inline constexpr char kCombines[] = "DCCCC";

// Right for two epochs of each kind, then as `Faulty` has it: both banks hold good rows of an
// earlier epoch by then, and what is stale looks right but for its contents.
template <class Faulty>
struct Later : Faulty {
  using Device = typename Faulty::Device;

  static void Dispatch(Device& device, const RankContext& context, const DispatchInput& input,
                       BitmapPlan& plan, const Working& working, const DispatchOutput& output,
                       const Handle& handle) {
    if (context.epochs->dispatch >= kBanks) {
      return Faulty::Dispatch(device, context, input, plan, working, output, handle);
    }
    Bodies<>::Dispatch(device, context, input, plan, working, output, handle);
  }
  static void Combine(Device& device, const RankContext& context, const Handle& handle,
                      const Working& working, const Bf16* expert_rows, Bf16* combined) {
    if (context.epochs->combine >= kBanks) {
      return Faulty::Combine(device, context, handle, working, expert_rows, combined);
    }
    Bodies<>::Combine(device, context, handle, working, expert_rows, combined);
  }
};

// A device that knows which operation it runs.
class KnowingDevice : public SimtDevice {
 public:
  using SimtDevice::SimtDevice;

  struct Operation {
    const RankContext* context = nullptr;  // null where tiles are counted
    Op op = {};
    Epoch epoch = 0;
    uint32_t tokens = 0;  // of this rank
    Mail mail = {};
  };
  void Know(const Operation& operation) { operation_ = operation; }

 protected:
  const Operation& operation() const { return operation_; }
  uint32_t bank() const { return BankOf(operation_.epoch); }
  const Layout& layout() const { return operation_.context->layout; }
  // Where a word stands in this rank's region.
  uint64_t OffsetOf(const uint64_t* word) const {
    const RankContext& context = *operation_.context;
    return static_cast<uint64_t>(reinterpret_cast<const uint8_t*>(word) - context.region);
  }

 private:
  Operation operation_;
};

template <class D>
struct KnowingBodies : Bodies<D> {
  static void Dispatch(D& device, const RankContext& context, const DispatchInput& input,
                       BitmapPlan& plan, const Working& working, const DispatchOutput& output,
                       const Handle& handle) {
    device.Know(
        {&context, Op::kDispatch, Next(context.epochs->dispatch), input.tokens, working.mail});
    Bodies<D>::Dispatch(device, context, input, plan, working, output, handle);
  }
  static void Combine(D& device, const RankContext& context, const Handle& handle,
                      const Working& working, const Bf16* expert_rows, Bf16* combined) {
    device.Know(
        {&context, Op::kCombine, Next(context.epochs->combine), handle.tokens, working.mail});
    Bodies<D>::Combine(device, context, handle, working, expert_rows, combined);
  }
};

inline bool IsBad(const Outcome& outcome) { return !outcome.good(); }

// The first seed that shows the fault so, or a failed test.
template <class Kernels>
Outcome FirstFound(SimtWorld<Kernels>& world, const char* kernels,
                   bool (*shows)(const Outcome&) = IsBad) {
  for (const uint64_t seed : Seeds(1, kSeeds)) {
    const Outcome outcome = world.Run(seed, kernels);
    if (!shows(outcome)) continue;
    std::cout << "seed " << seed << ": " << outcome.text << "\n";
    return outcome;
  }
  ADD_FAILURE() << "not found in " << kSeeds << " schedules";
  return {};
}

template <class Kernels>
Outcome FirstFound(const char* kernels, const SimtConfig& config) {
  SimtWorld<Kernels> world(config);
  return FirstFound(world, kernels);
}

// Of counts, which are the same in every epoch of a routing, a fault shows where no epoch was
// before.
template <class Device>
Outcome FindFromTheFirst(const char* kernels, const SimtConfig& config = kThreeRanks) {
  return FirstFound<Bodies<Device>>(kernels, config);
}
template <class Device>
Outcome Find(const char* kernels, const SimtConfig& config = kThreeRanks) {
  return FirstFound<Later<Bodies<Device>>>(kernels, config);
}
template <class Device>
Outcome FindKnowing(const char* kernels, const SimtConfig& config = kThreeRanks) {
  return FirstFound<Later<KnowingBodies<Device>>>(kernels, config);
}

// Rows are wrong, or a rank sees that they would be.
inline void ExpectHarm(const Outcome& outcome) {
  EXPECT_TRUE(outcome.machine.ok()) << outcome.text;
  bool violation = false;
  for (const ErrorRecord& error : outcome.errors) {
    violation |= error.kind == ErrorKind::kViolation;
  }
  EXPECT_TRUE(violation || outcome.findings.wrong > 0) << outcome.text;
}

// Some rank waits in vain for `peer`.
inline void ExpectTimeout(const Outcome& outcome, uint32_t peer) {
  EXPECT_TRUE(outcome.machine.ok()) << outcome.text;
  bool found = false;
  for (const ErrorRecord& error : outcome.errors) {
    found |= error.kind == ErrorKind::kTimeout && error.peer == peer;
  }
  EXPECT_TRUE(found) << outcome.text;
}

// Every token selects all experts: each pair has six rows, and every chunk is full.
inline SimtConfig AllToAll(SimtConfig config = kThreeRanks) {
  config.world.shape.topk = config.world.shape.Experts();
  return config;
}

}  // namespace ep::simt

#endif  // CSRC_SIMT_MUTANTS_TEST_UTIL_H_
