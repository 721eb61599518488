#include "csrc/reference/inputs.h"

#include "csrc/base/cpu_versions.h"

namespace ep::reference {
namespace {

// SplitMix64's finaliser (Steele, Lea, Flood 2014).
uint64_t Mix64(uint64_t x) {
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EB;
  return x ^ (x >> 31);
}

uint64_t RowKey(uint64_t seed, uint32_t set, uint32_t rank, uint32_t token, uint32_t expert) {
  uint64_t key = Mix64(seed + 0x9E3779B97F4A7C15);
  key = Mix64(key ^ (uint64_t{set} << 32 | rank));
  return Mix64(key ^ (uint64_t{expert} << 32 | token));
}

// MurmurHash3's 32-bit finaliser over a counter; 32-bit multiplies vectorise everywhere.
inline uint32_t Hash(uint64_t row_key, uint32_t channel) {
  uint32_t x = static_cast<uint32_t>(row_key) + channel * 0x9E3779B9u;
  x = (x ^ (x >> 16)) * 0x85EBCA6Bu;
  x ^= static_cast<uint32_t>(row_key >> 32);
  x = (x ^ (x >> 13)) * 0xC2B2AE35u;
  return x ^ (x >> 16);
}

constexpr uint32_t kBf16ExponentOfOne = 127;
// No expert has this number, so token rows and expert rows never share a key.
constexpr uint32_t kNoExpert = 0xFFFFFFFF;

}  // namespace

EP_CPU_VERSIONS
void TokenRow(uint64_t seed, uint32_t set, uint32_t rank, uint32_t token, uint32_t hidden,
              uint16_t* row) {
  const uint64_t key = RowKey(seed, set, rank, token, kNoExpert);
  for (uint32_t c = 0; c < hidden; ++c) {
    const uint32_t h = Hash(key, c);
    const uint32_t sign_and_mantissa = (h & 0x8000) | (h & 0x7F);
    const uint32_t smaller = (h >> 16 & 3) == 0 ? h >> 18 & 31 : 0;
    row[c] = static_cast<uint16_t>(sign_and_mantissa | (kBf16ExponentOfOne - smaller) << 7);
  }
}

EP_CPU_VERSIONS
void ExpertRow(uint64_t seed, uint32_t set, uint32_t rank, uint32_t token, uint32_t expert,
               uint32_t hidden, uint16_t* row) {
  const uint64_t key = RowKey(seed, set, rank, token, expert);
  for (uint32_t c = 0; c < hidden; ++c) {
    const uint32_t h = Hash(key, c);
    const uint32_t sign_and_mantissa = (h & 0x8000) | (h & 0x7F);
    row[c] = static_cast<uint16_t>(sign_and_mantissa | (kBf16ExponentOfOne - (h >> 16 & 1)) << 7);
  }
}

}  // namespace ep::reference
