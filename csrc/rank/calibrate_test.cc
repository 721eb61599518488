// Copies and flags of a calibration arrive and are seen to; and what is timed besides the plain
// block leaves the data plane as it was.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <memory>
#include <thread>
#include <vector>

#include "csrc/rank/cpu_calibrate.h"
#include "csrc/rank/sections.h"
#include "csrc/rank/world_test_util.h"

namespace ep {
namespace {

using ::testing::Each;
using ::testing::Gt;
using ::testing::HasSubstr;

constexpr uint32_t kRows = 6;
constexpr uint64_t kSeed = 5;
constexpr Direction kPut = Direction::kPut;

// Ranks of one process that are ready to calibrate.
class Machine {
 public:
  explicit Machine(uint32_t ranks, uint64_t wait_timeout_ns = 10'000'000'000) {
    const Shape shape = ChunkedForThreads({ranks, 1, 256, 1, 1, Dtype::kBf16}, 1);
    const std::vector<float> weights(kSets);
    std::vector<std::vector<uint8_t>> blobs;
    for (uint32_t rank = 0; rank < ranks; ++rank) {
      std::unique_ptr<CpuEngine> engine;
      RankConfig config = {.rank = rank,
                           .wait_timeout_ns = wait_timeout_ns,
                           .routing = {shape, kSeed, std::vector<uint32_t>(ranks, 1),
                                       std::vector<int32_t>(ranks, 0)},
                           .weights = weights.data()};
      ExpectOk(CpuEngine::Create(
          std::move(config), {.oversubscribed = true},
          MakeSharedRegion(MakeRegionConfig(shape, rank, wait_timeout_ns, kRows)), &engine));
      blobs.push_back(engine->Blob());
      std::unique_ptr<CpuCalibration> calibration;
      ExpectOk(CpuCalibration::Create({.rows = kRows, .seed = kSeed, .one_cpu = true}, engine.get(),
                                      &calibration));
      EXPECT_EQ(calibration->Copy(kPut, 1, 1, nullptr).code(), Code::kState);  // not connected
      engines_.push_back(std::move(engine));
      calibrations_.push_back(std::move(calibration));
    }
    for (auto& engine : engines_) ExpectOk(engine->Connect({blobs.begin(), blobs.end()}));
  }

  static void ExpectOk(const Status& status) { EXPECT_TRUE(status.ok()) << status.text(); }

  CpuEngine& engine(uint32_t rank) { return *engines_[rank]; }
  CpuCalibration& operator[](uint32_t rank) { return *calibrations_[rank]; }
  uint8_t* Landed(uint32_t rank, uint32_t row) {
    return engine(rank).region() + Landing(engine(rank).context().shape, kRows).Row(row);
  }

 private:
  std::vector<std::unique_ptr<CpuEngine>> engines_;
  std::vector<std::unique_ptr<CpuCalibration>> calibrations_;
};

Findings Checked(Calibration& calibration, uint32_t distinct) {
  Findings findings;
  Machine::ExpectOk(calibration.Check(kPut, distinct, &findings));
  return findings;
}

TEST(Calibration, CopiesToTheNextRank) {
  for (const uint32_t ranks : {1u, 2u, 3u}) {
    for (const uint32_t distinct : {1u, 4u, kRows}) {
      Machine machine(ranks);
      for (uint32_t rank = 0; rank < ranks; ++rank) Machine::ExpectOk(machine[rank].Poison());
      for (uint32_t rank = 0; rank < ranks; ++rank) {
        EXPECT_EQ(Checked(machine[rank], distinct).wrong, distinct) << "nothing was copied yet";
      }
      std::vector<uint64_t> duration_ns(3);
      for (uint32_t rank = 0; rank < ranks; ++rank) {
        Machine::ExpectOk(machine[rank].Copy(kPut, distinct, 3, duration_ns.data()));
        EXPECT_THAT(duration_ns, Each(Gt(0u)));
      }
      for (uint32_t rank = 0; rank < ranks; ++rank) {
        const Findings findings = Checked(machine[rank], distinct);
        EXPECT_EQ(findings.rows, distinct);
        EXPECT_EQ(findings.wrong, 0u);
        // What is not to be copied is not.
        EXPECT_EQ(Checked(machine[rank], kRows).wrong, kRows - distinct);
      }
    }
  }
}

TEST(Calibration, NamesTheRowThatDidNotArrive) {
  Machine machine(2);
  std::vector<uint64_t> duration_ns(1);
  Machine::ExpectOk(machine[0].Copy(kPut, kRows, 1, duration_ns.data()));
  machine.Landed(1, 4)[2 * 17] ^= 1;
  const Findings findings = Checked(machine[1], kRows);
  EXPECT_EQ(findings.wrong, 1u);
  EXPECT_EQ(findings.kind, WrongKind::kCopiedRow);
  EXPECT_EQ(findings.source_rank, 0u);
  EXPECT_EQ(findings.token, 4u);
  EXPECT_EQ(findings.channel, 17u);
  EXPECT_EQ(findings.got ^ 1, findings.want);
}

TEST(Calibration, LandsBehindTheLayout) {
  Machine machine(2);
  Machine::ExpectOk(machine[0].Poison());
  EXPECT_EQ(machine.engine(0).epochs().dispatch, 0u);
  std::vector<Status> statuses(2);
  std::thread other([&] { statuses[1] = machine.engine(1).RunFlags(5, nullptr); });
  statuses[0] = machine.engine(0).RunFlags(5, nullptr);
  other.join();
  for (const Status& status : statuses) Machine::ExpectOk(status);
}

TEST(Calibration, FlagsGoThereAndBack) {
  Machine machine(3);
  std::vector<uint64_t> there(100), back(100);
  Status answer;
  std::thread other([&] { answer = machine[1].RoundTrips(back.size(), back.data()); });
  Machine::ExpectOk(machine[0].RoundTrips(there.size(), there.data()));
  other.join();
  Machine::ExpectOk(answer);
  EXPECT_THAT(there, Each(Gt(0u)));
  EXPECT_EQ(machine[2].RoundTrips(1, back.data()).code(), Code::kInvalid);
}

TEST(Calibration, NamesTheRankThatDoesNotAnswer) {
  Machine machine(2, 20'000'000);
  uint64_t duration_ns;
  const Status status = machine[0].RoundTrips(1, &duration_ns);
  EXPECT_EQ(status.code(), Code::kTimeout);
  EXPECT_THAT(status.text(), HasSubstr("nothing from rank 1"));
}

TEST(Calibration, StopsWhenAborted) {
  Machine machine(2);
  uint64_t duration_ns;
  machine.engine(0).Abort();
  EXPECT_EQ(machine[0].RoundTrips(1, &duration_ns).code(), Code::kAborted);
  EXPECT_EQ(machine[0].Copy(kPut, 1, 1, &duration_ns).code(), Code::kAborted);
}

TEST(Calibration, RefusesRowsThatItDoesNotHave) {
  Machine machine(1);
  uint64_t duration_ns;
  EXPECT_EQ(machine[0].Copy(kPut, 0, 1, &duration_ns).code(), Code::kInvalid);
  EXPECT_EQ(machine[0].Copy(kPut, kRows + 1, 1, &duration_ns).code(), Code::kInvalid);
}

TEST(Calibration, CopiesNowhereElse) {
  Machine machine(1);
  uint64_t duration_ns;
  Findings findings;
  for (const Direction direction : {Direction::kGet, Direction::kLocal}) {
    EXPECT_EQ(machine[0].Copy(direction, 1, 1, &duration_ns).code(), Code::kState);
    EXPECT_EQ(machine[0].Check(direction, 1, &findings).code(), Code::kState);
  }
}

// Runs `body` on every rank at once.
template <class Body>
void OnAllRanks(World<HostDevice>& world, uint32_t ranks, Body body) {
  std::vector<std::thread> threads;
  for (uint32_t rank = 0; rank < ranks; ++rank) {
    threads.emplace_back([&, rank] { Machine::ExpectOk(body(world.engine(rank))); });
  }
  for (std::thread& thread : threads) thread.join();
}

TEST(Detail, EpochsWithoutRowsChangeNothingThatIsChecked) {
  const Shape shape = {3, 5, 256, 3, 2, Dtype::kFp8};
  World<HostDevice> world({.shape = shape});
  world.Begin();
  // A combine is on the handle of the last dispatch that had rows.
  for (const uint64_t epochs : {1u, 2u, 3u}) {
    OnAllRanks(world, shape.ranks,
               [&](CpuEngine& engine) { return engine.RunFlags(epochs, nullptr); });
    EXPECT_EQ(WrongRows(world.RunChecked(kCombine)), 0u);
    EXPECT_EQ(WrongRows(world.RunChecked(kBoth)), 0u);
  }
  TrafficCounts counts;
  OnAllRanks(world, shape.ranks, [](CpuEngine& engine) { return engine.RunFlags(1, nullptr); });
  Machine::ExpectOk(world.engine(0).CountTraffic(&counts));
  EXPECT_EQ(counts.selections, 10u);
}

TEST(Detail, FreshAndChainedIterationsAreRight) {
  const Shape shape = {3, 5, 256, 3, 2, Dtype::kFp8};
  World<HostDevice> world({.shape = shape, .threads = 2});
  world.Begin();
  for (const Operations operations : {kDispatch, kCombine, kBoth}) {
    for (uint32_t rank = 0; rank < shape.ranks; ++rank) {
      Machine::ExpectOk(world.engine(rank).Poison());
    }
    OnAllRanks(world, shape.ranks, [&](CpuEngine& engine) {
      std::vector<uint64_t> duration_ns(4);
      const Status status = engine.RunFresh(operations, duration_ns.size(), duration_ns.data());
      EXPECT_THAT(duration_ns, Each(Gt(0u)));
      Findings findings;
      Machine::ExpectOk(engine.Check(operations, &findings));
      EXPECT_GT(findings.rows, 0u);
      EXPECT_EQ(findings.wrong, 0u);
      return status;
    });
  }
  const uint32_t before = world.engine(0).epochs().combine;
  OnAllRanks(world, shape.ranks, [](CpuEngine& engine) {
    uint64_t duration_ns = 0;
    const Status status = engine.RunChained(kBoth, 2, 3, &duration_ns);
    EXPECT_GT(duration_ns, 0u);
    return status;
  });
  EXPECT_EQ(world.engine(0).epochs().combine, before + 5);
}

TEST(Sections, AreTheWholeRegion) {
  for (const Dtype dtype : {Dtype::kFp8, Dtype::kBf16}) {
    const Layout layout({8, 128, 7168, 36, 8, dtype});
    uint64_t sum = 0;
    for (const Section& section : Sections(layout)) sum += section.bytes;
    EXPECT_EQ(sum, layout.SizeBytes());
  }
}

}  // namespace
}  // namespace ep
