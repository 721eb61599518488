// Ranks that are processes and post over the NIXL of the wheel, by TCP and by shared memory: their
// rows are right, and who is gone or stands still is named in time.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "csrc/nixl/processes_test_util.h"
#include "csrc/rank/cpu_engine.h"
#include "csrc/rank/world_test_util.h"
#include "csrc/region/nixl_host_region.h"

namespace ep {
namespace {

using nixl::Processes;
using ::testing::AnyOf;
using ::testing::HasSubstr;

struct Setting {
  const char* name;
  bool tcp;
  uint32_t ranks = 2;
  uint32_t threads = 1;
  // Neighbours are of one host, and map each other.
  bool two_hosts = false;
};

void Require(const Status& status) {
  if (status.ok()) return;
  fprintf(stderr, "%s\n", status.text().c_str());
  _exit(98);
}

WorldConfig Config(const Setting& setting, uint64_t wait_timeout_ns) {
  WorldConfig config = {.shape = {setting.ranks, 12, 256, 4, 3, Dtype::kFp8}};
  config.threads = setting.threads;
  config.empty_percent = 20;
  config.wait_timeout_ns = wait_timeout_ns;
  return config;
}

// This process's rank, connected to its peers.
template <class Device>
std::unique_ptr<BasicCpuEngine<Device>> Connect(Processes& all, uint32_t rank,
                                                const Setting& setting, uint64_t wait_timeout_ns) {
  const WorldConfig config = Config(setting, wait_timeout_ns);
  reference::Routing routing = RandomRouting(config);
  routing.weights = RandomWeights(config);
  Result<std::unique_ptr<NixlHostRegion>> region = NixlHostRegion::Create(
      {.region = MakeRegionConfig(ChunkedForThreads(config.shape, config.threads), rank,
                                  nixl::kDeadlineNs),
       .nixl = {.root = nixl::TestRoot(),
                .candidates = {},
                .transports = setting.tcp ? "tcp,self" : "",
                .run_name = "test"},
       .host = !setting.two_hosts         ? ""
               : rank < setting.ranks / 2 ? "here"
                                          : "there"});
  Require(region.status());
  std::unique_ptr<BasicCpuEngine<Device>> engine;
  Require(BasicCpuEngine<Device>::Create({.rank = rank,
                                          .wait_timeout_ns = wait_timeout_ns,
                                          .routing = routing,
                                          .weights = routing.Weights(rank, 0, 0)},
                                         {.threads = config.threads, .oversubscribed = true},
                                         *std::move(region), &engine));
  all.Publish(rank, engine->Blob());
  std::vector<std::span<const uint8_t>> blobs;
  for (uint32_t peer = 0; peer < setting.ranks; ++peer) blobs.push_back(all.BlobOf(peer));
  Require(engine->Connect(blobs));
  return engine;
}

class PostingNixl : public ::testing::TestWithParam<Setting> {};

INSTANTIATE_TEST_SUITE_P(, PostingNixl,
                         ::testing::Values(Setting{"Tcp", true}, Setting{"SharedMemory", false},
                                           Setting{"Tcp4OfTwoHosts", true, 4, 1, true},
                                           Setting{"SharedMemory3OfTwoThreads", false, 3, 2}),
                         [](const auto& info) { return info.param.name; });

// By hand EPPERF_TEST_EPOCHS says how many.
uint64_t Epochs() {
  const char* said = getenv("EPPERF_TEST_EPOCHS");
  return said == nullptr ? 60 : strtoull(said, nullptr, 10);
}

// However long it takes, as long as they go on.
bool AllSucceed(Processes& processes, uint32_t ranks) {
  bool all = true;
  for (uint32_t rank = 0; rank < ranks; ++rank) {
    int status = -1;
    for (uint64_t before = 1, now = 0; status == -1 && now != before;) {
      before = processes.word(rank);
      status = processes.Await(rank);
      now = processes.word(rank);
    }
    all &= status == 0;
  }
  return all;
}

TEST_P(PostingNixl, RowsOfManyEpochsAreRight) {
  const Setting& setting = GetParam();
  Processes processes(setting.ranks, [&](Processes& all, uint32_t rank) {
    const auto engine = Connect<PostingHostDevice>(all, rank, setting, nixl::kDeadlineNs);
    // On the way across the wrap.
    engine->epochs() = {0xFFFFFFF0, 0xFFFFFFF0};
    Require(engine->Run(kDispatch, 1, nullptr));
    Require(engine->MakeExpertRows());
    for (uint64_t epoch = 2; epoch < Epochs(); epoch += 6) {
      for (const Operations operations : {kCombine, kDispatch, kDispatch, kCombine}) {
        Require(engine->Run(operations, 1, nullptr));
      }
      Require(engine->Poison());
      Require(engine->Run(kBoth, 1, nullptr));
      Findings findings;
      Require(engine->Check(kBoth, &findings));
      all.word(rank) = epoch;
      if (findings.wrong != 0) {
        fprintf(stderr, "epoch %llu: %llu wrong rows\n", static_cast<unsigned long long>(epoch),
                static_cast<unsigned long long>(findings.wrong));
        return 1;
      }
    }
    all.Meet();
    return 0;
  });
  ASSERT_TRUE(AllSucceed(processes, setting.ranks));
}

// Ends its process, or stands still, when it comes to a point of its third dispatch.
class EndingDevice : public PostingHostDevice {
 public:
  using PostingHostDevice::PostingHostDevice;

  enum Point { kBeforeItsRows, kAfterItsBell, kWhileItWaits };
  static inline Point point;
  static inline int signal;  // 0: goes on
  static inline int waits;

  void RaiseFlag(const RankContext& context, const Message& message) {
    const bool is_it = message.op == Op::kDispatch && message.epoch == 3;
    if (is_it && point == kBeforeItsRows) End();
    PostingHostDevice::RaiseFlag(context, message);
    if (is_it && point == kAfterItsBell && message.Index() > 0) End();
    if (is_it && point == kWhileItWaits) waits = 1;
  }
  void Relax(uint32_t misses) const {
    PostingHostDevice::Relax(misses);
    if (waits > 0 && ++waits > 3) End();
  }

 private:
  static void End() {
    if (signal != 0) raise(signal);
  }
};

// What becomes of rank 0 when rank 1 gets a signal.
void ExpectRank1IsNamed(bool tcp, EndingDevice::Point point, int signal) {
  constexpr uint64_t kWaitNs = 1'000'000'000;
  const Setting setting = {.name = "", .tcp = tcp};
  Processes processes(2, [&](Processes& all, uint32_t rank) {
    EndingDevice::point = point;
    EndingDevice::signal = rank == 1 ? signal : 0;
    const auto engine = Connect<EndingDevice>(all, rank, setting, kWaitNs);
    all.Meet();
    const uint64_t begin_ns = nixl::NowNs();
    Status status;
    for (int i = 0; status.ok() && i < 8; ++i) status = engine->Run(kDispatch, 1, nullptr);
    EXPECT_FALSE(status.ok());
    EXPECT_THAT(status.text(), AnyOf(HasSubstr("nothing from rank 1 for "),
                                     HasSubstr("the network to rank 1 failed: send dispatch")));
    EXPECT_LT(nixl::NowNs() - begin_ns, kWaitNs + 2'000'000'000);
    // It can be asked no more, and what the network may still use is not freed with it.
    EXPECT_EQ(engine->Run(kDispatch, 1, nullptr).text(), status.text());
    return testing::Test::HasFailure() ? 1 : 0;
  });
  EXPECT_EQ(processes.Await(0), 0) << tcp << point << signal;
}

TEST(PostingNixlFaults, AKilledPeerIsNamed) {
  for (const bool tcp : {true, false}) {
    for (const auto point :
         {EndingDevice::kBeforeItsRows, EndingDevice::kAfterItsBell, EndingDevice::kWhileItWaits}) {
      ExpectRank1IsNamed(tcp, point, SIGKILL);
    }
  }
}

// As is one whose proxy stands still: it has no other thread to step in.
TEST(PostingNixlFaults, AStoppedPeerIsNamed) {
  ExpectRank1IsNamed(true, EndingDevice::kAfterItsBell, SIGSTOP);
  ExpectRank1IsNamed(false, EndingDevice::kWhileItWaits, SIGSTOP);
}

TEST(PostingNixlFaults, AnAbortEndsTheWait) {
  Processes processes(2, [&](Processes& all, uint32_t rank) {
    const auto engine =
        Connect<PostingHostDevice>(all, rank, {.name = "", .tcp = true}, nixl::kDeadlineNs);
    if (rank == 0) {
      engine->Abort();
      EXPECT_EQ(engine->Run(kDispatch, 1, nullptr).code(), Code::kAborted);
    }
    all.Meet();
    return testing::Test::HasFailure() ? 1 : 0;
  });
  EXPECT_TRUE(processes.AllSucceed());
}

}  // namespace
}  // namespace ep
