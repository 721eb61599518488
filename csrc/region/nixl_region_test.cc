// What a region over NIXL says where there is no GPU.
#include "csrc/region/nixl_region.h"

#include <cuda_runtime_api.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace ep {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST(NixlRegion, SaysInOneLineThatThereIsNoGpu) {
  int gpus = 0;
  if (cudaGetDeviceCount(&gpus) == cudaSuccess && gpus > 0) GTEST_SKIP() << "there is a device";
  const Status status =
      NixlRegion::Create(
          {.region = {.rank = 0,
                      .ranks = 2,
                      .bytes = 4096,
                      .pairs = {},
                      .wait_timeout_ns = 1'000'000'000},
           .nixl = {.root = "", .candidates = {}, .transports = "", .run_name = "test"},
           .gpu = 0})
          .status();
  EXPECT_EQ(status.code(), Code::kSystem);
  EXPECT_THAT(status.text(), HasSubstr("use GPU 0: cudaError"));
  EXPECT_THAT(status.text(), Not(HasSubstr("\n")));
}

}  // namespace
}  // namespace ep
