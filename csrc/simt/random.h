// The one source of chance of a run: the same seed gives the same run.
#ifndef CSRC_SIMT_RANDOM_H_
#define CSRC_SIMT_RANDOM_H_

#include <cstdint>

namespace ep::simt {

// SplitMix64. A draw is a few instructions, since there is one at every switch.
class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}

  uint64_t Next() {
    uint64_t z = state_ += 0x9E3779B97F4A7C15;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9;
    z = (z ^ z >> 27) * 0x94D049BB133111EB;
    return z ^ z >> 31;
  }
  // 0 to limit - 1.
  uint32_t Below(uint32_t limit) { return static_cast<uint32_t>((Next() >> 32) * limit >> 32); }

 private:
  uint64_t state_;
};

}  // namespace ep::simt

#endif  // CSRC_SIMT_RANDOM_H_
