// Where the library is found, and what is said where it is not.
#include "csrc/nixl/library.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>

#include "csrc/nixl/agent.h"
#include "csrc/nixl/processes_test_util.h"

namespace ep::nixl {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

namespace fs = std::filesystem;

MATCHER_P3(IsSetting, name, value, ours, "") {
  return arg.name == name && arg.value == value && arg.ours == ours;
}

// Each in a process of its own, as the first settings hold.
void InProcess(const std::function<void()>& body) {
  Processes processes(1, [&](Processes&, uint32_t) {
    body();
    return testing::Test::HasFailure() ? 1 : 0;
  });
  EXPECT_TRUE(processes.AllSucceed());
}

TEST(Library, IsTakenFromTheFirstCandidateThatHasIt) {
  InProcess([] {
    std::shared_ptr<const Library> library;
    const Status status = Library::Load(
        {.root = "", .candidates = {"/nowhere", TestRoot(), "/elsewhere"}, .settings = {}},
        &library);
    ASSERT_TRUE(status.ok()) << status.text();
    EXPECT_THAT(library->Describe().library, HasSubstr(TestRoot()));
    EXPECT_THAT(library->Settings(),
                Contains(IsSetting("NIXL_PLUGIN_DIR",
                                   TestRoot() + "/.nixl_cu13.mesonpy.libs/plugins", true)));
  });
}

TEST(Library, IsNotTakenFromElsewhereWhenARootIsNamed) {
  InProcess([] {
    std::shared_ptr<const Library> library;
    const Status status =
        Library::Load({.root = "/nowhere", .candidates = {TestRoot()}, .settings = {}}, &library);
    EXPECT_EQ(status.code(), Code::kInvalid);
    EXPECT_THAT(status.text(), HasSubstr("find NIXL in /nowhere: it has neither"));
    EXPECT_EQ(status.hint(), EP_HINT_INSTALL_NIXL);
  });
}

TEST(Library, SaysWhereItLookedAndHowToGetIt) {
  InProcess([] {
    std::shared_ptr<const Library> library;
    const Status status =
        Library::Load({.root = "", .candidates = {"/nowhere"}, .settings = {}}, &library);
    if (status.ok()) return;  // this machine has one in the loader's folders
    EXPECT_THAT(status.text(), HasSubstr("libnixl_capi.so"));
    EXPECT_THAT(status.text(), HasSubstr("looked in the loader's folders, /nowhere"));
    EXPECT_EQ(status.hint(), EP_HINT_INSTALL_NIXL);
  });
}

TEST(Library, ThatIsNoneIsNamed) {
  const fs::path folder = fs::path(testing::TempDir()) / "no_nixl";
  fs::create_directories(folder);
  const std::string file = folder / "libnixl_capi.so";
  fclose(fopen(file.c_str(), "w"));
  InProcess([&] {
    std::shared_ptr<const Library> library;
    const Status status =
        Library::Load({.root = folder, .candidates = {}, .settings = {}}, &library);
    EXPECT_EQ(status.code(), Code::kSystem);
    EXPECT_THAT(status.text(), HasSubstr(file));
    EXPECT_EQ(getenv("NIXL_PLUGIN_DIR"), nullptr) << "the next one to try sets its own";
  });
}

TEST(Library, KeepsWhatTheUserHasSet) {
  InProcess([] {
    setenv("UCX_TLS", "posix,self", 1);
    setenv("UCX_RNDV_THRESH", "1k", 1);
    std::shared_ptr<const Library> library;
    const Status status = Library::Load(
        {.root = TestRoot(), .candidates = {}, .settings = {{"UCX_TLS", "tcp,self"}}}, &library);
    ASSERT_TRUE(status.ok()) << status.text();
    EXPECT_THAT(library->Settings(), Contains(IsSetting("UCX_TLS", "posix,self", false)));
    EXPECT_THAT(library->Settings(), Contains(IsSetting("UCX_RNDV_THRESH", "1k", false)));
  });
}

TEST(Library, TakesBackWhatItHasSet) {
  InProcess([] {
    setenv("UCX_NET_DEVICES", "lo", 1);
    const auto load = [](std::vector<Setting> settings) {
      std::shared_ptr<const Library> library;
      const Status status =
          Library::Load({.root = TestRoot(), .candidates = {}, .settings = settings}, &library);
      EXPECT_TRUE(status.ok()) << status.text();
      return library->Settings();
    };
    EXPECT_THAT(load({{"UCX_TLS", "tcp,self"}}), Contains(IsSetting("UCX_TLS", "tcp,self", true)));
    EXPECT_THAT(load({{"UCX_TLS", "self"}}), Contains(IsSetting("UCX_TLS", "self", true)));
    load({{"UCX_NET_DEVICES", "eth0"}});
    EXPECT_EQ(getenv("UCX_TLS"), nullptr);
    EXPECT_THAT(load({}), Contains(IsSetting("UCX_NET_DEVICES", "lo", false)));
  });
}

TEST(Library, IsOneAProcess) {
  const fs::path other = fs::path(testing::TempDir()) / "other_nixl";
  fs::create_directories(other);
  fs::remove(other / ".nixl_cu13.mesonpy.libs");
  fs::create_directory_symlink(TestRoot() + "/.nixl_cu13.mesonpy.libs",
                               other / ".nixl_cu13.mesonpy.libs");
  InProcess([&] {
    std::shared_ptr<const Library> library;
    std::shared_ptr<const Library> again;
    Status status = Library::Load({.root = TestRoot(), .candidates = {}, .settings = {}}, &library);
    ASSERT_TRUE(status.ok()) << status.text();
    status = Library::Load({.root = "", .candidates = {TestRoot()}, .settings = {}}, &again);
    EXPECT_EQ(library, again) << status.text();
    status = Library::Load({.root = other, .candidates = {}, .settings = {}}, &again);
    EXPECT_EQ(status.code(), Code::kState);
  });
}

// UCX does not say so: it takes a slower way.
TEST(Library, ShowsThatAModuleIsMissing) {
  InProcess([] {
    setenv("UCX_MODULES", "^cma", 1);
    std::shared_ptr<const Library> library;
    Status status = Library::Load({.root = TestRoot(), .candidates = {}, .settings = {}}, &library);
    ASSERT_TRUE(status.ok()) << status.text();
    std::unique_ptr<Agent> agent;
    status = Agent::Create(library, {.name = "a", .parameters = {}}, &agent);
    ASSERT_TRUE(status.ok()) << status.text();
    EXPECT_THAT(library->Describe().modules, IsEmpty());
  });
}

TEST(Library, SaysWhatUcxSays) {
  InProcess([] {
    setenv("UCX_TLS", "posix,self", 1);
    std::shared_ptr<const Library> library;
    Status status = Library::Load({.root = TestRoot(), .candidates = {}, .settings = {}}, &library);
    ASSERT_TRUE(status.ok()) << status.text();
    std::unique_ptr<Agent> agent;
    // Not with its own detection of dead peers.
    status = Agent::Create(
        library, {.name = "a", .parameters = {{"ucx_error_handling_mode", "peer"}}}, &agent);
    EXPECT_THAT(status.text(), HasSubstr("with UCX_TLS=posix,self"));
    EXPECT_THAT(status.text(), HasSubstr("no peer failure handler"));
  });
}

// Nobody can be reached, and neither NIXL nor UCX says why.
TEST(Library, NamesWhatLeavesUcxNoWay) {
  InProcess([] {
    setenv("UCX_NET_DEVICES", "nonesuch", 1);
    std::shared_ptr<const Library> library;
    Status status = Library::Load(
        {.root = TestRoot(), .candidates = {}, .settings = {{"UCX_TLS", "tcp,self"}}}, &library);
    ASSERT_TRUE(status.ok()) << status.text();
    std::unique_ptr<Agent> agents[2];
    for (std::unique_ptr<Agent>& agent : agents) {
      const std::string name = &agent == agents ? "a" : "b";
      status = Agent::Create(
          library, {.name = name, .parameters = {{"ucx_error_handling_mode", "none"}}}, &agent);
      ASSERT_TRUE(status.ok()) << status.text();
    }
    std::vector<uint8_t> metadata;
    status = agents[1]->Metadata(&metadata);
    ASSERT_TRUE(status.ok()) << status.text();
    std::string peer;
    status = agents[0]->LoadPeer(metadata, &peer);
    EXPECT_THAT(status.text(),
                testing::EndsWith("; with UCX_NET_DEVICES=nonesuch UCX_TLS=tcp,self"));
  });
}

// Handlers of exit run over what was loaded.
TEST(Library, LetsItsProcessEnd) {
  Processes processes(1, [](Processes&, uint32_t) -> int {
    {
      std::shared_ptr<const Library> library;
      std::unique_ptr<Agent> agent;
      Status status =
          Library::Load({.root = TestRoot(), .candidates = {}, .settings = {}}, &library);
      if (status.ok()) status = Agent::Create(library, {.name = "a", .parameters = {}}, &agent);
      if (!status.ok()) return 1;
    }
    exit(0);
  });
  EXPECT_EQ(processes.Await(0), 0);
}

}  // namespace
}  // namespace ep::nixl
