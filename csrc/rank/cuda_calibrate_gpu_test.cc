// The calibration of GPUs on one: two ranks of one process that share it. Linked as one file, to be
// taken to where the GPUs are.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <numeric>
#include <span>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "csrc/rank/cuda_calibrate.h"
#include "csrc/rank/cuda_engine.h"
#include "csrc/rank/cuda_world_test_util.h"

namespace ep {
namespace {

using ::testing::Each;
using ::testing::Gt;
using ::testing::HasSubstr;

constexpr uint32_t kRanks = 2;
// With a row of 1 KiB more than all threads copy at a time, and no multiple of it.
constexpr uint32_t kRows = 20'011;
constexpr uint64_t kSeed = 5;
constexpr Direction kPut = Direction::kPut;

class GpuMachine {
 public:
  explicit GpuMachine(uint64_t wait_timeout_ns = 10'000'000'000) {
    const Shape shape = {kRanks, 1, 512, 1, 1, Dtype::kBf16};
    const std::vector<float> weights(kSets);
    std::vector<std::vector<uint8_t>> blobs;
    for (uint32_t rank = 0; rank < kRanks; ++rank) {
      std::unique_ptr<CudaEngine> engine;
      ExpectOk(CudaEngine::Create({.rank = rank,
                                   .wait_timeout_ns = wait_timeout_ns,
                                   .routing = {shape, kSeed, std::vector<uint32_t>(kRanks, 1),
                                               std::vector<int32_t>(kRanks, 0)},
                                   .weights = weights.data()},
                                  {.gpu = 0, .ranks_on_gpu = kRanks},
                                  MakeGpuRegion(shape, rank, kRows), &engine));
      std::unique_ptr<CudaCalibration> calibration;
      ExpectOk(CudaCalibration::Create({.rows = kRows, .seed = kSeed}, engine.get(), &calibration));
      EXPECT_EQ(calibration->Copy(kPut, 1, 1, nullptr).code(), Code::kState) << "not connected";
      blobs.push_back(engine->Blob());
      engines_.push_back(std::move(engine));
      calibrations_.push_back(std::move(calibration));
    }
    const std::vector<std::span<const uint8_t>> spans(blobs.begin(), blobs.end());
    for (auto& engine : engines_) ExpectOk(engine->Connect(spans));
  }

  CudaEngine& engine(uint32_t rank) { return *engines_[rank]; }
  CudaCalibration& operator[](uint32_t rank) { return *calibrations_[rank]; }

  void Poison() {
    for (auto& calibration : calibrations_) ExpectOk(calibration->Poison());
  }
  // Calls body(calibration, rank) for both ranks at once.
  void ForAll(const std::function<void(CudaCalibration&, uint32_t)>& body) {
    std::vector<std::thread> threads;
    for (uint32_t rank = 0; rank < kRanks; ++rank) {
      threads.emplace_back([&, rank] { body(*calibrations_[rank], rank); });
    }
    for (std::thread& thread : threads) thread.join();
  }
  // Both copy at once, and it takes time.
  void Copy(Direction direction, uint32_t distinct) {
    ForAll([&](CudaCalibration& calibration, uint32_t) {
      std::vector<uint64_t> duration_ns(3);
      ExpectOk(calibration.Copy(direction, distinct, duration_ns.size(), duration_ns.data()));
      EXPECT_THAT(duration_ns, Each(Gt(0u)));
    });
  }
  Findings Checked(uint32_t rank, Direction direction, uint32_t distinct) {
    Findings findings;
    ExpectOk(calibrations_[rank]->Check(direction, distinct, &findings));
    EXPECT_EQ(findings.rows, distinct);
    return findings;
  }

 private:
  std::vector<std::unique_ptr<CudaEngine>> engines_;
  std::vector<std::unique_ptr<CudaCalibration>> calibrations_;
};

using GpuCalibration = OneGpu;

TEST_F(GpuCalibration, CopiesInEveryDirection) {
  GpuMachine machine;
  for (const uint32_t distinct : {1u, 257u, kRows}) {
    machine.Poison();
    for (const Direction direction : {kPut, Direction::kGet, Direction::kLocal}) {
      if (direction == Direction::kLocal) machine.Poison();
      for (uint32_t rank = 0; rank < kRanks; ++rank) {
        EXPECT_EQ(machine.Checked(rank, direction, distinct).wrong, distinct)
            << "nothing was copied yet";
      }
      machine.Copy(direction, distinct);
      for (uint32_t rank = 0; rank < kRanks; ++rank) {
        EXPECT_EQ(machine.Checked(rank, direction, distinct).wrong, 0u)
            << "direction " << static_cast<int>(direction) << ", rank " << rank;
        EXPECT_EQ(machine.Checked(rank, direction, kRows).wrong, kRows - distinct)
            << "what is not to be copied is not";
      }
    }
  }
}

TEST_F(GpuCalibration, PoisonIsFoundAndNamed) {
  GpuMachine machine;
  machine.Copy(kPut, kRows);
  ExpectOk(machine[1].Poison());
  EXPECT_EQ(machine.Checked(0, kPut, kRows).wrong, 0u) << "the poison is of rank 1";
  const Findings findings = machine.Checked(1, kPut, kRows);
  EXPECT_EQ(findings.wrong, kRows);
  EXPECT_EQ(findings.kind, WrongKind::kCopiedRow);
  EXPECT_EQ(findings.source_rank, 0u);
  EXPECT_EQ(findings.token, 0u);
  EXPECT_EQ(findings.got, 0xA5A5u);
}

TEST_F(GpuCalibration, LandsBehindTheLayout) {
  GpuMachine machine;
  machine.Poison();
  machine.Copy(kPut, kRows);
  machine.ForAll([&](CudaCalibration&, uint32_t rank) {
    uint64_t duration_ns[5] = {};
    ExpectOk(machine.engine(rank).RunFlags(5, duration_ns));
    EXPECT_THAT(duration_ns, Each(Gt(0u)));
  });
}

TEST_F(GpuCalibration, FlagsGoThereAndBack) {
  GpuMachine machine;
  for (int turn = 0; turn < 2; ++turn) {  // the second goes on where the first ended
    machine.ForAll([](CudaCalibration& calibration, uint32_t) {
      std::vector<uint64_t> duration_ns(500);
      ExpectOk(calibration.RoundTrips(duration_ns.size(), duration_ns.data()));
      // The clock ticks too coarsely to say so of each.
      EXPECT_GT(std::accumulate(duration_ns.begin(), duration_ns.end(), uint64_t{0}), 0u);
    });
  }
}

TEST_F(GpuCalibration, NamesTheRankThatDoesNotAnswer) {
  GpuMachine machine(50'000'000);
  for (uint32_t rank = 0; rank < kRanks; ++rank) {
    uint64_t duration_ns[2];
    // What rank 0 flags before it gives up is one answer for rank 1, which asks for a second.
    const Status status = machine[rank].RoundTrips(2, duration_ns);
    EXPECT_EQ(status.code(), Code::kTimeout);
    EXPECT_EQ(status.text(),
              "flag round trip: nothing from rank " + std::to_string(1 - rank) + "; is it alive?");
    EXPECT_EQ(status.hint(), EP_HINT_WAIT_LONGER);
  }
}

TEST_F(GpuCalibration, StopsWhenAborted) {
  GpuMachine machine(60'000'000'000);
  uint64_t duration_ns = 0;
  std::thread rank0(
      [&] { EXPECT_EQ(machine[0].RoundTrips(1, &duration_ns).code(), Code::kAborted); });
  machine.engine(0).Abort();
  rank0.join();
  EXPECT_EQ(machine[0].Copy(kPut, 1, 1, &duration_ns).code(), Code::kAborted);
}

TEST_F(GpuCalibration, RefusesRowsThatItDoesNotHave) {
  GpuMachine machine;
  uint64_t duration_ns = 0;
  EXPECT_EQ(machine[0].Copy(kPut, 0, 1, &duration_ns).code(), Code::kInvalid);
  EXPECT_THAT(machine[0].Copy(kPut, kRows + 1, 1, &duration_ns).text(),
              HasSubstr("20012 different rows of 20011"));
}

}  // namespace
}  // namespace ep
