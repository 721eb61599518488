// What the workers of a meter did: whether it is right, and how fast they were.
#ifndef CSRC_RANK_METER_RESULT_H_
#define CSRC_RANK_METER_RESULT_H_

#include <cstdint>
#include <span>

#include "csrc/base/status.h"
#include "csrc/kernels/meter.h"

namespace ep {

// How long a block takes for what it does at a time, a tile of each of its workers: the inverse of
// the mean over all workers of counted tiles a nanosecond. kSystem: a worker counted none, or left
// before the host said so.
Result<double> MeterRoundNs(std::span<const kernels::MeterReport> workers);

// Whether the sums are those of as many tiles. kSystem: one is not.
Status CheckGemm(std::span<const kernels::MeterReport> workers);

// Whether a word of each tile, [workers, tiles], was written as often as its worker says. kSystem:
// one was not.
Status CheckStream(std::span<const kernels::MeterReport> workers, uint64_t tiles,
                   std::span<const uint32_t> words);

}  // namespace ep

#endif  // CSRC_RANK_METER_RESULT_H_
