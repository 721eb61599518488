// All ranks of a benchmark as processes of this host, meeting through shared memory.
#ifndef CSRC_RANK_BENCHMARK_TEAM_H_
#define CSRC_RANK_BENCHMARK_TEAM_H_

#include <cstdint>
#include <functional>

namespace ep {

inline constexpr uint32_t kTeamMax = 64;

// What members share. Lives in anonymous shared memory.
class Team {
 public:
  // Forks `ranks` processes that each run `member` and end. Returns false if one of them fails or
  // dies; the others are killed then. The parent takes no part.
  static bool Run(uint32_t ranks, const std::function<void(Team& team, uint32_t rank)>& member);

  uint32_t ranks() const { return ranks_; }

  // Returns once every member has called it.
  void Meet();

  // Gives every member everyone's value: the largest.
  uint64_t Max(uint32_t rank, uint64_t value);

  // Gives every member everyone's blob.
  struct Blob {
    uint32_t size;
    uint8_t bytes[252];
  };
  Blob* blobs() { return blobs_; }

 private:
  uint32_t ranks_;
  alignas(128) uint64_t arrived_;
  alignas(128) uint64_t round_;
  uint64_t values_[kTeamMax];
  Blob blobs_[kTeamMax];
};

}  // namespace ep

#endif  // CSRC_RANK_BENCHMARK_TEAM_H_
