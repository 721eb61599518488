// Finds planted faults: each must show within kSeeds schedules.
#ifndef CSRC_SIMT_MUTANTS_TEST_UTIL_H_
#define CSRC_SIMT_MUTANTS_TEST_UTIL_H_

#include <gtest/gtest.h>

#include <cstdint>
#include <iostream>

#include "csrc/simt/world_test_util.h"

namespace ep::simt {

inline constexpr uint64_t kSeeds = 400;

// Right for two epochs of each kind, then as `Faulty` has it.
template <class Faulty>
struct Later : Faulty {
  using Device = typename Faulty::Device;

  static void Dispatch(Device& device, const RankContext& context, const DispatchInput& input,
                       BitmapPlan& plan, const Places& places, const DispatchOutput& output,
                       const Handle& handle) {
    if (context.epochs->dispatch >= kBanks) {
      return Faulty::Dispatch(device, context, input, plan, places, output, handle);
    }
    Bodies<>::Dispatch(device, context, input, plan, places, output, handle);
  }
  static void Combine(Device& device, const RankContext& context, const Handle& handle,
                      uint32_t* rows_from, const Bf16* expert_rows, Bf16* combined) {
    if (context.epochs->combine >= kBanks) {
      return Faulty::Combine(device, context, handle, rows_from, expert_rows, combined);
    }
    Bodies<>::Combine(device, context, handle, rows_from, expert_rows, combined);
  }
};

// Who is last does not see what the others did before.
template <class Device>
class RelaxedTicket : public Device {
 public:
  using Device::Device;
  bool ArriveLast(uint32_t* ticket) {
    Device::Sync();
    bool last = false;
    if (Device::Thread() == 0) {
      last = Device::lane().AddRelaxed(ticket, 1) + 1 == Device::Workers();
      if (last) *ticket = 0;
    }
    return Device::Any(last);
  }
};

template <class Device>
class RelaxedCounter : public Device {
 public:
  using Device::Device;
  bool AddLast(uint32_t* counter, uint32_t mine, uint32_t all) {
    if (mine == 0) return false;
    Device::SyncCrew();
    if (Device::Lane() != 0 || Device::lane().AddRelaxed(counter, mine) + mine != all) return false;
    *counter = 0;
    return true;
  }
};

// The first seed that shows the fault, or a failed test.
template <class Kernels>
Outcome FirstFound(const char* kernels, const SimtConfig& config) {
  SimtWorld<Kernels> world(config);
  for (const uint64_t seed : Seeds(1, kSeeds)) {
    const Outcome outcome = world.Run(seed, kernels);
    if (outcome.good()) continue;
    std::cout << "seed " << seed << ": " << outcome.text << "\n";
    return outcome;
  }
  ADD_FAILURE() << "not found in " << kSeeds << " schedules";
  return {};
}

// Rows are wrong, or a rank sees that they would be.
inline void ExpectHarm(const Outcome& outcome) {
  EXPECT_TRUE(outcome.machine.ok()) << outcome.text;
  bool violation = false;
  for (const ErrorRecord& error : outcome.errors) {
    violation |= error.kind == ErrorKind::kViolation;
  }
  EXPECT_TRUE(violation || outcome.findings.wrong > 0);
}

}  // namespace ep::simt

#endif  // CSRC_SIMT_MUTANTS_TEST_UTIL_H_
