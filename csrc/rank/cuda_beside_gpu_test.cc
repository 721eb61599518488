// A meter and a rank's operations on one GPU, each on multiprocessors of its own. Linked as one
// file, to be taken to where the GPUs are.
#include <gtest/gtest.h>

#include <cstdint>
#include <set>
#include <vector>

#include "csrc/rank/cuda_engine.h"
#include "csrc/rank/cuda_world_test_util.h"
#include "csrc/rank/gpus.h"
#include "csrc/rank/world_test_util.h"

namespace ep {
namespace {

constexpr Operations kNone = {.dispatch = false, .combine = false};
constexpr uint32_t kSms = 24;

class EveryMeter : public OneGpu, public ::testing::WithParamInterface<ep_pass_meter> {};

TEST_P(EveryMeter, RunsAloneAndBesideOperationsThatStayRight) {
  GpuWorld world({.shape = {1, 1024, 2048, 8, 4, Dtype::kFp8}}, OnSms(kSms));
  world.Begin();
  CudaEngine& engine = world.engine(0);
  uint64_t alone_ns[2] = {};
  ExpectOk(engine.RunMeter(GetParam(), kNone, 0, 2, alone_ns));
  uint64_t beside_ns[2] = {};
  ExpectOk(engine.RunMeter(GetParam(), kBoth, 200, 2, beside_ns));
  for (const uint64_t ns : {alone_ns[1], beside_ns[1]}) {
    EXPECT_GT(ns, 1'000u);
    EXPECT_LT(ns, 10'000'000u);
  }
  world.Poison();
  std::vector<uint64_t> duration_ns(200);
  ExpectOk(engine.RunBeside(GetParam(), kBoth, duration_ns.size(), duration_ns.data()));
  EXPECT_GT(duration_ns.back(), 0u);
  world.ExpectRight(kBoth, "beside a meter");

  Gpu gpu;
  ExpectOk(DescribeGpu(0, &gpu));
  std::vector<uint32_t> sms;
  ExpectOk(engine.SmsOfBlocks(kNone, &sms));
  std::set<uint32_t> seen(sms.begin(), sms.end());
  EXPECT_EQ(seen.size(), gpu.multiprocessors - kSms);
  for (const Operations operation : {kDispatch, kCombine}) {
    ExpectOk(engine.SmsOfBlocks(operation, &sms));
    for (const uint32_t sm : sms) EXPECT_FALSE(seen.contains(sm)) << "multiprocessor " << sm;
  }
}

INSTANTIATE_TEST_SUITE_P(Meters, EveryMeter,
                         ::testing::Values(EP_PASS_METER_GEMM, EP_PASS_METER_STREAM),
                         [](const auto& info) {
                           return info.param == EP_PASS_METER_GEMM ? "Gemm" : "Stream";
                         });

TEST_F(OneGpu, NothingIsLeftToAMeter) {
  GpuWorld world({.shape = {1, 8, 256, 2, 2, Dtype::kFp8}});
  uint64_t duration_ns[1] = {};
  const Status status = world.engine(0).RunMeter(EP_PASS_METER_GEMM, kNone, 0, 1, duration_ns);
  EXPECT_EQ(status.code(), Code::kInvalid) << status.text();
}

}  // namespace
}  // namespace ep
