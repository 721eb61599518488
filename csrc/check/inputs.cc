#include "csrc/check/inputs.h"

#include "csrc/base/cpu_versions.h"

namespace ep::reference {
namespace {

// SplitMix64's finaliser (Steele, Lea, Flood 2014).
uint64_t Mix64(uint64_t x) {
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EB;
  return x ^ (x >> 31);
}

// No expert has this number, so token rows and expert rows never share a key.
constexpr uint32_t kNoExpert = 0xFFFFFFFF;

}  // namespace

RowKey ExpertKey(uint64_t seed, uint32_t set, uint32_t rank, uint32_t token, uint32_t expert) {
  uint64_t key = Mix64(seed + 0x9E3779B97F4A7C15);
  key = Mix64(key ^ (uint64_t{set} << 32 | rank));
  return RowKey{Mix64(key ^ (uint64_t{expert} << 32 | token))};
}

RowKey TokenKey(uint64_t seed, uint32_t set, uint32_t rank, uint32_t token) {
  return ExpertKey(seed, set, rank, token, kNoExpert);
}

EP_CPU_VERSIONS
void TokenChannels(RowKey key, uint32_t hidden, uint16_t* row) {
  Channels channels(key, 0);
  for (uint32_t c = 0; c < hidden; ++c) row[c] = channels.NextOfToken();
}

void TokenRow(uint64_t seed, uint32_t set, uint32_t rank, uint32_t token, uint32_t hidden,
              uint16_t* row) {
  TokenChannels(TokenKey(seed, set, rank, token), hidden, row);
}

namespace {

EP_CPU_VERSIONS
void ExpertChannels(RowKey key, uint32_t hidden, uint16_t* row) {
  Channels channels(key, 0);
  for (uint32_t c = 0; c < hidden; ++c) row[c] = channels.NextOfExpert();
}

}  // namespace

void ExpertRow(uint64_t seed, uint32_t set, uint32_t rank, uint32_t token, uint32_t expert,
               uint32_t hidden, uint16_t* row) {
  ExpertChannels(ExpertKey(seed, set, rank, token, expert), hidden, row);
}

}  // namespace ep::reference
