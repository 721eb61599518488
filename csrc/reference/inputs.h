// The numbers that travel: every channel of every row as a pure function of where it belongs.
//
// Counter-based hashes, so that anyone can say what a row must hold without having seen it. The
// three sets differ in every row: what an operation left behind is recognised in the next two.
#ifndef CSRC_REFERENCE_INPUTS_H_
#define CSRC_REFERENCE_INPUTS_H_

#include <cstdint>

namespace ep::reference {

// Sets of rows; the n-th operation of a kind uses set n % 3.
inline constexpr uint32_t kSets = 3;

// The token that `rank` sends: BF16 of either sign, mostly in [1, 2), one channel in four smaller
// by up to 2^-31, so that FP8 codes of all sizes occur, subnormal and zero among them.
void TokenRow(uint64_t seed, uint32_t set, uint32_t rank, uint32_t token, uint32_t hidden,
              uint16_t* row);

// What `expert` (global id) makes of that token: BF16 in ±[0.5, 2). Not a function of the token's
// row: a combine that returns what was dispatched would be found out.
void ExpertRow(uint64_t seed, uint32_t set, uint32_t rank, uint32_t token, uint32_t expert,
               uint32_t hidden, uint16_t* row);

}  // namespace ep::reference

#endif  // CSRC_REFERENCE_INPUTS_H_
