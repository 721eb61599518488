// Bytes move between two processes through the NIXL of the wheel, whichever way UCX is told to
// take, and ends of peers end in errors or at our own deadlines.
#include "csrc/nixl/agent.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/stat.h>

#include <cstring>
#include <filesystem>
#include <numeric>

#include "csrc/base/mapping.h"
#include "csrc/nixl/processes_test_util.h"

namespace ep::nixl {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr uint64_t kBytes = uint64_t{64} << 20;
constexpr uint64_t kPatienceNs = 3'000'000'000;

// In a process of a test: ends it where a step fails.
void Require(const Status& status) {
  if (status.ok()) return;
  fprintf(stderr, "%s\n", status.text().c_str());
  _exit(98);
}

// One process's agent, with registered memory and one peer.
struct End {
  End(Processes& processes, uint32_t rank, const std::string& tls) {
    std::vector<Setting> settings;
    if (!tls.empty()) settings.push_back({"UCX_TLS", tls});
    Require(Library::Load({.root = TestRoot(), .candidates = {}, .settings = settings}, &library));
    Require(Agent::Create(library,
                          {.name = "agent" + std::to_string(rank),
                           .parameters = {{"ucx_error_handling_mode", "none"}}},
                          &agent));
    Require(Mapping::Private(kBytes, "a test's memory", &memory));
    const Range all[] = {At(0, kBytes)};
    Require(agent->Register(all));
    std::vector<uint8_t> blob(sizeof(uintptr_t));
    std::memcpy(blob.data(), &all[0].address, sizeof(uintptr_t));
    std::vector<uint8_t> metadata;
    Require(agent->Metadata(&metadata));
    blob.insert(blob.end(), metadata.begin(), metadata.end());
    processes.Publish(rank, blob);
  }

  Status Meet(std::span<const uint8_t> blob) {
    std::memcpy(&theirs, blob.data(), sizeof(theirs));
    if (Status status = agent->LoadPeer(blob.subspan(sizeof(theirs)), &peer); !status.ok()) {
      return status;
    }
    return agent->Connect(peer);
  }

  Range At(uint64_t offset, uint64_t bytes) const {
    return {reinterpret_cast<uintptr_t>(memory.data()) + offset, bytes};
  }
  Range Their(uint64_t offset, uint64_t bytes) const { return {theirs + offset, bytes}; }

  // Ok with `done` as it is at the deadline.
  Status Finish(Write& write, uint64_t within_ns, bool* done) {
    const uint64_t begin_ns = NowNs();
    while (!*done && NowNs() - begin_ns < within_ns) {
      if (Status status = agent->Poll(write, done); !status.ok()) return status;
      Receive();
      sched_yield();
    }
    return {};
  }
  void Send(Write& write, const std::string& text) {
    bool done = false;
    Require(
        agent->Post(write, {reinterpret_cast<const uint8_t*>(text.data()), text.size()}, &done));
    Require(Finish(write, kDeadlineNs, &done));
    if (!done) _exit(97);
  }
  void Receive() {
    Require(agent->Notifications([this](std::string_view from, std::span<const uint8_t> bytes) {
      received.push_back(std::string(from) + ": " + std::string(bytes.begin(), bytes.end()));
    }));
  }
  void Await(size_t count) {
    const uint64_t begin_ns = NowNs();
    while (received.size() < count) {
      if (NowNs() - begin_ns > kDeadlineNs) _exit(96);
      Receive();
      sched_yield();
    }
  }

  std::shared_ptr<const Library> library;
  Mapping memory;
  std::unique_ptr<Agent> agent;
  std::string peer;
  uintptr_t theirs = 0;
  std::vector<std::string> received;
};

int Result() { return testing::Test::HasFailure() ? 1 : 0; }

// Runs `send` as rank 0 and `receive` as rank 1, both connected, and both until the other is done.
template <class SendBody, class ReceiveBody>
void RunTwo(const std::string& tls, SendBody send, ReceiveBody receive) {
  Processes processes(2, [&](Processes& all, uint32_t rank) {
    End end(all, rank, tls);
    Require(end.Meet(all.BlobOf(1 - rank)));
    rank == 0 ? send(end) : receive(end);
    all.word(rank) = 1;
    const uint64_t begin_ns = NowNs();
    while (all.word(1 - rank) == 0 && NowNs() - begin_ns < kDeadlineNs) end.Receive();
    return Result();
  });
  EXPECT_TRUE(processes.AllSucceed());
}

void Fill(const End& end, uint64_t seed) {
  auto* words = end.memory.As<uint64_t>();
  for (uint64_t i = 0; i < kBytes / 8; ++i) words[i] = (i + seed) * 0x9e3779b97f4a7c15;
}

// How many words of [offset, offset + bytes) are not what Fill has made of those at `from`.
uint64_t Wrong(const End& end, uint64_t seed, uint64_t offset, uint64_t from, uint64_t bytes) {
  uint64_t wrong = 0;
  for (uint64_t i = 0; i < bytes / 8; ++i) {
    const uint64_t want = (from / 8 + i + seed) * 0x9e3779b97f4a7c15;
    wrong += end.memory.As<uint64_t>()[offset / 8 + i] != want;
  }
  return wrong;
}

class AgentTest : public testing::TestWithParam<const char*> {};

INSTANTIATE_TEST_SUITE_P(, AgentTest, testing::Values("", "tcp,self"), [](const auto& info) {
  return std::string(*info.param ? "Tcp" : "Default");
});

TEST_P(AgentTest, WritesBytesAndThenNotifies) {
  RunTwo(
      GetParam(),
      [](End& end) {
        Fill(end, 1);
        const Range from[] = {end.At(0, 8), end.At(4096, 1 << 20), end.At(8 << 20, 16 << 20)};
        const Range to[] = {end.Their(64, 8), end.Their(1 << 20, 1 << 20),
                            end.Their(16 << 20, 16 << 20)};
        Write write;
        Require(end.agent->MakeWrite(from, end.peer, to, &write));
        end.Send(write, "hello");
      },
      [](End& end) {
        end.Await(1);
        EXPECT_THAT(end.received, ElementsAre("agent0: hello"));
        EXPECT_EQ(Wrong(end, 1, 64, 0, 8), 0);
        EXPECT_EQ(Wrong(end, 1, 1 << 20, 4096, 1 << 20), 0);
        EXPECT_EQ(Wrong(end, 1, 16 << 20, 8 << 20, 16 << 20), 0);
        EXPECT_EQ(end.memory.data()[0], 0);
      });
}

TEST_P(AgentTest, PostsAWriteAgain) {
  RunTwo(
      GetParam(),
      [](End& end) {
        const Range from[] = {end.At(0, 1 << 16)};
        const Range to[] = {end.Their(0, 1 << 16)};
        Write write;
        Require(end.agent->MakeWrite(from, end.peer, to, &write));
        for (uint64_t round = 0; round < 20; ++round) {
          *end.memory.As<uint64_t>() = round;
          end.Send(write, std::to_string(round));
          end.Await(round + 1);
        }
      },
      [](End& end) {
        const Range from[] = {end.At(kBytes - 8, 8)};
        const Range to[] = {end.Their(kBytes - 8, 8)};
        Write answer;
        Require(end.agent->MakeWrite(from, end.peer, to, &answer));
        for (uint64_t round = 0; round < 20; ++round) {
          end.Await(round + 1);
          EXPECT_EQ(end.received.back(), "agent0: " + std::to_string(round));
          EXPECT_EQ(*end.memory.As<uint64_t>(), round);
          end.Send(answer, "seen");
        }
      });
}

TEST_P(AgentTest, WritesSomeOfWhatIsPrepared) {
  RunTwo(
      GetParam(),
      [](End& end) {
        Fill(end, 2);
        std::vector<Range> from;
        std::vector<Range> to;
        for (uint64_t i = 0; i < 100; ++i) {
          from.push_back(end.At(i * 8192, 8192));
          to.push_back(end.Their((1 << 20) + i * 16384, 8192));
        }
        Prepared local;
        Prepared remote;
        Require(end.agent->Prepare(from, &local));
        Require(end.agent->Prepare(end.peer, to, &remote));
        Write write;
        const int indices[] = {3, 99, 50};
        Require(end.agent->MakeWrite(local, indices, remote, indices, &write));
        end.Send(write, "three");
      },
      [](End& end) {
        end.Await(1);
        for (const uint64_t i : {3, 50, 99}) {
          EXPECT_EQ(Wrong(end, 2, (1 << 20) + i * 16384, i * 8192, 8192), 0) << i;
        }
        EXPECT_EQ(end.memory.data()[1 << 20], 0);
      });
}

TEST(Agent, SaysWhatUcxIsAndDoes) {
  const auto look = [](End& end) {
    const Description description = end.agent->Describe();
    EXPECT_EQ(description.library, TestRoot() + "/.nixl_cu13.mesonpy.libs/libnixl_capi.so");
    EXPECT_EQ(description.ucx_version, "1.23.0");
    EXPECT_THAT(description.modules, ElementsAre("cma"));
    EXPECT_THAT(description.transports, Contains(HasSubstr("cma")));
    EXPECT_THAT(description.transports, Not(Contains(HasSubstr("tcp"))));
  };
  RunTwo("", look, look);
}

TEST(Agent, TakesNothingButTcp) {
  const auto look = [](End& end) {
    EXPECT_THAT(end.agent->Describe().transports, Contains(HasSubstr("tcp/lo")));
    EXPECT_THAT(end.agent->Describe().transports, Not(Contains(HasSubstr("cma"))));
  };
  RunTwo("tcp,self", look, look);
}

// How much memory UCX's log takes in this process.
uint64_t LogMemory() {
  for (const auto& fd : std::filesystem::directory_iterator("/proc/self/fd")) {
    std::error_code none;
    if (std::filesystem::read_symlink(fd, none).string().find("epperf-ucx-log") ==
        std::string::npos) {
      continue;
    }
    struct stat of = {};
    EXPECT_EQ(stat(fd.path().c_str(), &of), 0);
    return static_cast<uint64_t>(of.st_blocks) * 512;
  }
  ADD_FAILURE() << "no log";
  return 0;
}

// As where a process connects again and again: it does not grow by what UCX said of agents that are
// gone.
TEST(Agent, ForgetsWhatUcxSaidOfThoseBefore) {
  Processes processes(1, [&](Processes& all, uint32_t rank) {
    for (int round = 0; round < 10; ++round) {
      const End end(all, rank, "tcp,self");
      EXPECT_THAT(end.agent->Describe().transports, Contains(HasSubstr("tcp/")));
      EXPECT_LE(LogMemory(), 8192);
    }
    EXPECT_LE(LogMemory(), 4096);  // the last page, in part
    return Result();
  });
  EXPECT_EQ(processes.Await(0), 0);
}

// As where a process measures one case after another.
TEST(Agent, TakesOtherTransportsThanTheOneBefore) {
  for (const bool tcp_first : {false, true}) {
    Processes processes(1, [&](Processes& all, uint32_t rank) {
      {
        const End before(all, rank, tcp_first ? "tcp,self" : "");
      }
      const End end(all, rank, tcp_first ? "" : "tcp,self");
      const auto has_tcp = Contains(HasSubstr("tcp/"));
      if (tcp_first) {
        EXPECT_THAT(end.agent->Describe().transports, Not(has_tcp));
      } else {
        EXPECT_THAT(end.agent->Describe().transports, has_tcp);
      }
      EXPECT_THAT(end.agent->Describe().transports, Not(testing::IsEmpty()));
      return Result();
    });
    EXPECT_TRUE(processes.AllSucceed());
  }
}

TEST(Agent, GivesNoViewsOfHostMemory) {
  const auto look = [](End& end) {
    const PeerRange theirs[] = {{end.peer, end.Their(0, 4096), 0}};
    capi::MemoryView* view = nullptr;
    EXPECT_THAT(end.agent->ViewOf(theirs, &view).text(),
                HasSubstr("has UCX a transport that kernels can use"));
  };
  RunTwo("", look, look);
}

TEST(Agent, SaysWhyHostMemoryIsNoGpus) {
  const auto look = [](End& end) {
    const Range ours[] = {end.At(0, 4096)};
    EXPECT_THAT(end.agent->Register(ours, Memory::Gpu(0)).text(),
                AllOf(HasSubstr("as memory of GPU 0"), HasSubstr("UCX needs its module cuda")));
  };
  RunTwo("", look, look);
}

TEST(Agent, RefusesToWriteWhereNothingIsRegistered) {
  const auto look = [](End& end) {
    const Range ours[] = {end.At(0, 4096)};
    const Range beyond[] = {end.Their(kBytes - 2048, 4096)};
    Write write;
    EXPECT_THAT(end.agent->MakeWrite(ours, end.peer, beyond, &write).text(),
                HasSubstr("are all of them registered?"));
    const Range other[] = {{beyond[0].address, 2048}};
    EXPECT_FALSE(end.agent->MakeWrite(ours, end.peer, other, &write).ok()) << "other size";
    EXPECT_FALSE(end.agent->MakeWrite(ours, "nobody", ours, &write).ok());
  };
  RunTwo("", look, look);
}

TEST_P(AgentTest, DoesNotHangWhereAPeerIsKilledInAWrite) {
  Processes processes(2, [&](Processes& all, uint32_t rank) {
    End end(all, rank, GetParam());
    Require(end.Meet(all.BlobOf(1 - rank)));
    const Range from[] = {end.At(0, kBytes)};
    const Range to[] = {end.Their(0, kBytes)};
    Write write;
    Require(end.agent->MakeWrite(from, end.peer, to, &write));
    // So that both are connected.
    end.Send(write, "all");
    end.Await(1);
    all.Meet();
    if (rank == 1) {
      // It does nothing any more, and waits for its end.
      all.word(0) = 1;
      all.AwaitWord(1, 2);
    }
    all.AwaitWord(0, 1);
    bool done = false;
    Require(end.agent->Post(write, {}, &done));
    all.word(0) = 2;
    all.AwaitWord(2, 1);  // the peer is gone
    bool ended = false;
    for (int i = 0; i < 3 && !ended; ++i) {
      const Status status = end.Finish(write, kPatienceNs, &done);
      ended = !status.ok() || !done;
      if (!ended && !end.agent->Post(write, {}, &done).ok()) ended = true;
    }
    EXPECT_TRUE(ended) << "a write to nobody is done";
    return Result();
  });
  const uint64_t begin_ns = NowNs();
  while (processes.word(0) != 2 && NowNs() - begin_ns < kDeadlineNs) sched_yield();
  processes.Kill(1);
  EXPECT_EQ(processes.Await(1), 128 + SIGKILL);
  processes.word(2) = 1;
  EXPECT_EQ(processes.Await(0), 0);
}

TEST_P(AgentTest, DoesNotReachADeadPeer) {
  Processes processes(2, [&](Processes& all, uint32_t rank) {
    End end(all, rank, GetParam());
    if (rank == 1) return 0;
    const auto blob = all.BlobOf(1);
    all.AwaitWord(0, 1);
    Status status = end.Meet(blob);
    bool done = false;
    if (status.ok()) {
      const Range from[] = {end.At(0, 4096)};
      const Range to[] = {end.Their(0, 4096)};
      Write write;
      status = end.agent->MakeWrite(from, end.peer, to, &write);
      if (status.ok()) status = end.agent->Post(write, {}, &done);
      if (status.ok()) status = end.Finish(write, kPatienceNs, &done);
    }
    EXPECT_FALSE(done);
    EXPECT_THAT(status.text(), HasSubstr("has it ended"));
    EXPECT_THAT(status.text(), HasSubstr("; UCX said last: "));
    return Result();
  });
  EXPECT_EQ(processes.Await(1), 0);
  processes.word(0) = 1;
  EXPECT_EQ(processes.Await(0), 0);
}

TEST(Agent, SaysThatMetadataIsNone) {
  Processes processes(1, [](Processes& all, uint32_t rank) {
    End end(all, rank, "");
    std::string peer;
    const std::vector<uint8_t> garbage(100, 7);
    EXPECT_THAT(end.agent->LoadPeer(garbage, &peer).text(), HasSubstr("does it run another NIXL?"));
    return Result();
  });
  EXPECT_TRUE(processes.AllSucceed());
}

}  // namespace
}  // namespace ep::nixl
