// What UCX's tables of protocols say of writes. Those of CPUs were printed by UCX 1.23; those of
// GPUs and NICs have the lines that others have published of 1.17 to 1.21.
#include "csrc/nixl/protocols.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace ep::nixl {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr uint64_t kEndless = UINT64_MAX;

PutProtocol Put(const char* kind, uint64_t first, uint64_t last, const char* means,
                const char* lanes) {
  return {kind, kind, first, last, means, lanes};
}

constexpr char kTcp[] =
    "[1.2] [vm:1:0]      ucp_worker.c:1997 UCX  INFO    a self cfg#0 rma(self/memory)\n"
    "[1.2] [vm:1:0]   +---------------+-------------+-----------------------------------+\n"
    "[1.2] [vm:1:0]   | a self cfg#0                                                    |\n"
    "[1.2] [vm:1:0]   | remote memory write by ucp_put* from host memory to host        |\n"
    "[1.2] [vm:1:0]   +---------------+-------------+-----------------------------------+\n"
    "[1.2] [vm:1:0]   |     Range     | Description |              Config               |\n"
    "[1.2] [vm:1:0]   +---------------+-------------+-----------------------------------+\n"
    "[1.2] [vm:1:0]   | 0..4294967295 | short       | self/memory                       |\n"
    "[1.2] [vm:1:0]   +---------------+-------------+-----------------------------------+\n"
    "[1.2] [vm:1:1]   +--------+-------------+-----------------------------------+\n"
    "[1.2] [vm:1:1]   | a intra-node cfg#1                                       |\n"
    "[1.2] [vm:1:1]   | remote memory write by ucp_put* from host memory to host |\n"
    "[1.2] [vm:1:1]   +--------+-------------+-----------------------------------+\n"
    "[1.2] [vm:1:1]   | Range  | Description |              Config               |\n"
    "[1.2] [vm:1:1]   | 0..inf | zero-copy   | 52% on tcp/lo and 48% on tcp/eth0 |\n"
    "[1.2] [vm:1:1]   +--------+-------------+-----------------------------------+\n"
    "[1.2] [vm:1:1]   | a intra-node cfg#1                              |\n"
    "[1.2] [vm:1:1]   | active message by ucp_am_send* from host memory |\n"
    "[1.2] [vm:1:1]   |          0 | short              | tcp/lo        |\n"
    "[1.2] [vm:1:1]   | 16516..inf | multi-frag copy-in | tcp/lo        |\n";

TEST(Protocols, AreThoseOfWritesToOtherProcesses) {
  EXPECT_THAT(UcxPuts(kTcp), ElementsAre(Put("host", 0, kEndless, "zero-copy",
                                             "52% on tcp/lo and 48% on tcp/eth0")));
  EXPECT_THAT(UcxPuts(""), IsEmpty());
  EXPECT_THAT(UcxPuts("| remote memory write by ucp_put* from cuda"), IsEmpty());
}

// A table of writes from a GPU's memory to a GPU's, of one or two rows.
std::vector<PutProtocol> OfGpus(const std::string& rows) {
  return UcxPuts(
      "| a inter-node cfg#2 |\n"
      "| remote memory write by ucp_put*(multi) from cuda/GPU4 to cuda/dev[4] |\n" +
      rows);
}

TEST(Protocols, OfGpusAreKnownByTheirKind) {
  EXPECT_THAT(OfGpus("|  0..2K | short | rc_mlx5/mlx5_0:1 |\n"
                     "| 2049..inf | zero-copy | rc_mlx5/mlx5_0:1/path0 |\n"),
              ElementsAre(Put("cuda", 0, 2048, "short", "rc_mlx5/mlx5_0:1"),
                          Put("cuda", 2049, kEndless, "zero-copy", "rc_mlx5/mlx5_0:1/path0")));
  // Older ones have the title beside whose table it is.
  EXPECT_THAT(UcxPuts("  | perftest inter-node cfg#1 | remote memory write by ucp_put* from cuda "
                      "memory to cuda    |\n  |  1..inf | zero-copy | rc_mlx5/mlx5_0:1 |\n"),
              ElementsAre(Put("cuda", 1, kEndless, "zero-copy", "rc_mlx5/mlx5_0:1")));
}

TEST(Protocols, SayWhyNicsDoNotWriteAlone) {
  constexpr uint64_t kLeast = 4096;
  for (const auto& [rows, why] : std::vector<std::pair<std::string, std::string>>{
           {"| 1..inf | zero-copy | rc_mlx5/mlx5_11:1 50% on path0 and 50% on path1 |\n", ""},
           {"| 1..inf | zero-copy | 50% on dc_mlx5/mlx5_0:1 and 50% on dc_mlx5/mlx5_1:1 |\n", ""},
           {"| 0..inf | zero-copy | srd/efa_0:1 |\n", ""},
           // Too short to matter.
           {"| 0..2K | copy-in | rc_verbs/a:1 |\n| 2049..inf | zero-copy | rc_verbs/a:1 |\n", ""},
           {"| 0..8K | copy-in | rc_verbs/a:1 |\n| 8193..inf | zero-copy | rc_verbs/a:1 |\n",
            "UCX would write from it by copy-in, rc_verbs/a:1"},
           {"| 0..inf | software emulation | rc_mlx5/mlx5_0:1 |\n",
            "UCX would write from it by software emulation, rc_mlx5/mlx5_0:1"},
           {"| 0..inf | zero-copy | 90% on rc_mlx5/mlx5_0:1 and 10% on tcp/eth0 |\n",
            "UCX would write from it by zero-copy, 90% on rc_mlx5/mlx5_0:1 and 10% on tcp/eth0"},
           {"| 1..inf | rndv using pipeline cuda_copy, frag host | rc_mlx5/mlx5_0:1 |\n",
            "UCX would write from it by rndv using pipeline cuda_copy, frag host, "
            "rc_mlx5/mlx5_0:1"},
           {"| 0..inf | zero-copy | rcx/nothing |\n",
            "UCX would write from it by zero-copy, rcx/nothing"},
           {"", ""}}) {
    EXPECT_EQ(WhyNotByNics(OfGpus(rows), "cuda", kLeast), why) << rows;
  }
  EXPECT_EQ(WhyNotByNics(UcxPuts(kTcp), "cuda", kLeast), "");
}

}  // namespace
}  // namespace ep::nixl
