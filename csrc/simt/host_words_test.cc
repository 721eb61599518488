// Who waits asks the rank's host in one crew only: a word of the host's costs a GPU a microsecond,
// and those who ask queue up, so that waits would be the slower the more blocks there are.
#include <gtest/gtest.h>

#include <cstdint>
#include <ostream>

#include "csrc/protocol/packet.h"
#include "csrc/simt/mutants_test_util.h"
#include "csrc/simt/world_test_util.h"

namespace ep::simt {
namespace {

// Rank 1 runs no operation of this kind.
template <Op kOp>
struct Rank1StaysAway : Bodies<> {
  static void Dispatch(SimtDevice& device, const RankContext& context, const DispatchInput& input,
                       BitmapPlan& plan, const Working& working, const DispatchOutput& output,
                       const Handle& handle) {
    if (kOp == Op::kDispatch && context.rank == 1) return;
    Bodies<>::Dispatch(device, context, input, plan, working, output, handle);
  }
  static void Combine(SimtDevice& device, const RankContext& context, const Handle& handle,
                      const Working& working, const Bf16* expert_rows, Bf16* combined) {
    if (kOp == Op::kCombine && context.rank == 1) return;
    Bodies<>::Combine(device, context, handle, working, expert_rows, combined);
  }
};

// A chunk for each block at least.
struct Case {
  uint32_t blocks;
  uint32_t tile_tokens;  // 64: all of them
  bool packets = false;
};
std::ostream& operator<<(std::ostream& out, const Case& of) {
  return out << of.blocks << " blocks, tiles of " << of.tile_tokens << " tokens"
             << (of.packets ? ", packets" : "");
}
constexpr Case kCases[] = {{1, 64},  {16, 64},      {64, 64},       {1, 16},       {16, 16},
                           {64, 16}, {1, 64, true}, {16, 64, true}, {64, 64, true}};

SimtConfig Blocks(const Case& of) {
  SimtConfig config = {.world = {.shape = {2, 64, 128, 2, 2, Dtype::kBf16}},
                       .dispatch_blocks = of.blocks,
                       .combine_blocks = of.blocks,
                       .crews = 1,
                       .tile_tokens = of.tile_tokens,
                       .timeout_steps = 1'000'000'000};
  config.world.shape.chunk_tokens = 1;
  config.world.shape.packets = of.packets;
  return config;
}

template <Op kOp>
void ExpectOneAsker(const char* kernels) {
  constexpr uint64_t kLooks = 5;
  for (const Case& of : kCases) {
    SimtWorld<Rank1StaysAway<kOp>> world(Blocks(of));
    world.host.aborts_at_look = kLooks;
    for (const uint64_t seed : Seeds(1, 4)) {
      const Outcome outcome = world.Run(seed, kernels);
      ASSERT_TRUE(outcome.machine.ok()) << of << ", seed " << seed << ": " << outcome.text;
      // At times it waits so long in the dispatch before.
      EXPECT_EQ(outcome.errors[0].kind, ErrorKind::kAborted) << of << ", seed " << seed;
      EXPECT_EQ(world.HostOf(0).looks, kLooks) << of << ", seed " << seed;
      EXPECT_EQ(world.HostOf(0).askers.size(), 1u) << of << ", seed " << seed;
    }
  }
}

TEST(HostWords, AreReadByOneCrewOfADispatch) { ExpectOneAsker<Op::kDispatch>("D"); }
TEST(HostWords, AreReadByOneCrewOfACombine) { ExpectOneAsker<Op::kCombine>("DC"); }

// What rank 1 sends last, which the last worker awaits, never comes: its last chunk's word, or the
// packets of rank 0's last slot.
template <Op kOp>
class ForgetsTheLast : public KnowingDevice {
 public:
  using KnowingDevice::KnowingDevice;
  void RaiseFlag(const RankContext& context, const Message& message) {
    const bool last = message.op == kOp && message.chunk + 1 == context.shape.Chunks();
    if (context.rank != 1 || !last) KnowingDevice::RaiseFlag(context, message);
  }
  void StorePacket(Packet* to, const Packet& packet) {
    if (!IsLast(reinterpret_cast<uint8_t*>(to))) KnowingDevice::StorePacket(to, packet);
  }

 private:
  bool IsLast(const uint8_t* to) const {
    const RankContext& context = *operation().context;
    if (context.rank != 1 || operation().op != kOp) return false;
    const auto offset = static_cast<uint64_t>(to - context.there[0]);
    const uint32_t slot = context.shape.tokens - 1;
    return kOp == Op::kDispatch ? offset >= layout().PacketRow(bank(), slot) &&
                                      offset < layout().PacketSum(bank(), 0, 0)
                                : offset >= layout().PacketSum(bank(), slot, 0) &&
                                      offset < layout().Bank(bank()) + layout().BankBytes();
  }
};

template <Op kOp>
void ExpectTheAskerStays(const char* kernels) {
  for (const Case& of : kCases) {
    SimtConfig config = Blocks(of);
    // Every token has a row at each rank, so that every chunk is somebody's.
    config.world.shape.topk = config.world.shape.Experts();
    SimtWorld<KnowingBodies<ForgetsTheLast<kOp>>> world(config);
    world.host.aborts_at_look = 200;  // far more than where all goes well
    for (const uint64_t seed : Seeds(1, 4)) {
      const Outcome outcome = world.Run(seed, kernels);
      ASSERT_TRUE(outcome.machine.ok()) << of << ", seed " << seed << ": " << outcome.text;
      EXPECT_EQ(outcome.errors[0].kind, ErrorKind::kAborted) << of << ", seed " << seed;
      EXPECT_EQ(outcome.errors[0].op, kOp);
    }
  }
}

TEST(HostWords, AreReadUntilNoWorkerOfADispatchWaits) { ExpectTheAskerStays<Op::kDispatch>("D"); }
TEST(HostWords, AreReadUntilNoWorkerOfACombineWaits) { ExpectTheAskerStays<Op::kCombine>("DC"); }

}  // namespace
}  // namespace ep::simt
