// What UCX makes of a write is known before ranks meet, and leaves nothing behind.
#include "csrc/region/nixl_trial.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <functional>
#include <memory>
#include <numeric>
#include <string>
#include <vector>

#include "csrc/region/nixl_wire_test_util.h"

namespace ep {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

// In a process of its own, whose only NIXL this is.
void InProcess(const std::function<void(const NixlOptions&)>& body) {
  Processes processes(1, [&](Processes&, uint32_t) {
    body(Config(0, 1, true).nixl);
    return ExitStatus();
  });
  EXPECT_TRUE(processes.AllSucceed());
}

TEST(NixlTrial, TellsHowUcxWrites) {
  InProcess([](const NixlOptions& options) {
    std::vector<uint8_t> bytes(1 << 17);
    std::iota(bytes.begin(), bytes.begin() + (1 << 16), uint8_t{1});
    Result<std::vector<nixl::PutProtocol>> puts =
        TryWrite(options, nixl::Memory::Host(), bytes, kDeadlineNs);
    Require(puts.status());
    EXPECT_TRUE(std::equal(bytes.begin(), bytes.begin() + (1 << 16), bytes.begin() + (1 << 16)));
    EXPECT_THAT(*puts, Not(IsEmpty()));
    for (const nixl::PutProtocol& put : *puts) EXPECT_THAT(put.lanes, HasSubstr("tcp/"));
    EXPECT_THAT(nixl::WhyNotByNics(*puts, "host", 4096), HasSubstr("tcp/"));
    std::shared_ptr<const nixl::Library> library;
    Require(nixl::Library::Load(LibraryOptions(options), &library));
    EXPECT_EQ(getenv("UCX_PROTO_INFO"), nullptr) << "which is the trial's alone";
  });
}

TEST(NixlTrial, SaysNothingWhereTheUserDirectsTheLog) {
  InProcess([](const NixlOptions& options) {
    setenv("UCX_LOG_LEVEL", "fatal", 1);
    std::vector<uint8_t> bytes(1 << 12);
    Result<std::vector<nixl::PutProtocol>> puts =
        TryWrite(options, nixl::Memory::Host(), bytes, kDeadlineNs);
    Require(puts.status());
    EXPECT_THAT(*puts, IsEmpty());
    EXPECT_EQ(nixl::WhyNotByNics(*puts, "host", 4096), "");
  });
}

// As memory of a GPU that UCX has no module for.
TEST(NixlTrial, SaysWhyNothingCanBeWritten) {
  InProcess([](const NixlOptions& options) {
    std::vector<uint8_t> bytes(1 << 12);
    Result<std::vector<nixl::PutProtocol>> puts =
        TryWrite(options, nixl::Memory::Gpu(0), bytes, kDeadlineNs);
    EXPECT_FALSE(puts.status().ok());
    EXPECT_THAT(puts.status().text(), HasSubstr("GPU 0"));
  });
}

}  // namespace
}  // namespace ep
