// The numbers that travel: every channel of every row as a pure function of where it belongs.
//
// Counter-based hashes, so that anyone can say what a row must hold without having seen it. The
// three sets differ in every row: what an operation left behind is recognised in the next two.
#ifndef CSRC_CHECK_INPUTS_H_
#define CSRC_CHECK_INPUTS_H_

#include <cstdint>

namespace ep::reference {

// Sets of rows; the n-th operation of a kind uses set n % 3.
inline constexpr uint32_t kSets = 3;

// Names a row among all rows of a run. What belongs to a row is computed once, not a channel.
enum class RowKey : uint64_t {};

// The token that `rank` sends: BF16 of either sign, mostly in [1, 2), one channel in four smaller
// by up to 2^-31, so that FP8 codes of all sizes occur, subnormal and zero among them.
RowKey TokenKey(uint64_t seed, uint32_t set, uint32_t rank, uint32_t token);
void TokenChannels(RowKey key, uint32_t hidden, uint16_t* row);
void TokenRow(uint64_t seed, uint32_t set, uint32_t rank, uint32_t token, uint32_t hidden,
              uint16_t* row);

// What `expert` (global id) makes of that token: BF16 in ±[0.5, 2). Not a function of the token's
// row: a combine that returns what was dispatched would be found out.
RowKey ExpertKey(uint64_t seed, uint32_t set, uint32_t rank, uint32_t token, uint32_t expert);
void ExpertRow(uint64_t seed, uint32_t set, uint32_t rank, uint32_t token, uint32_t expert,
               uint32_t hidden, uint16_t* row);

// The channels of a row from `begin` on, one after the other.
class Channels {
 public:
  Channels(RowKey key, uint32_t begin)
      : high_(static_cast<uint32_t>(static_cast<uint64_t>(key) >> 32)),
        counter_(static_cast<uint32_t>(static_cast<uint64_t>(key)) + begin * kStep) {}

  // Of a token's row.
  uint16_t NextOfToken() {
    const uint32_t h = NextHash();
    const uint32_t smaller = (h >> 16 & 3) == 0 ? h >> 18 & 31 : 0;
    return Bf16(h, smaller);
  }
  // Of an expert's.
  uint16_t NextOfExpert() {
    const uint32_t h = NextHash();
    return Bf16(h, h >> 16 & 1);
  }

 private:
  static constexpr uint32_t kStep = 0x9E3779B9;
  static constexpr uint32_t kExponentOfOne = 127;

  // MurmurHash3's 32-bit finaliser over a counter; 32-bit multiplies vectorise everywhere.
  uint32_t NextHash() {
    uint32_t x = counter_;
    counter_ += kStep;
    x = (x ^ (x >> 16)) * 0x85EBCA6Bu;
    x ^= high_;
    x = (x ^ (x >> 13)) * 0xC2B2AE35u;
    return x ^ (x >> 16);
  }
  static uint16_t Bf16(uint32_t h, uint32_t smaller) {
    return static_cast<uint16_t>((h & 0x8000) | (h & 0x7F) | (kExponentOfOne - smaller) << 7);
  }

  const uint32_t high_;
  uint32_t counter_;
};

}  // namespace ep::reference

#endif  // CSRC_CHECK_INPUTS_H_
