// A row's arithmetic on a CPU: the protocol's scalar steps in loops that the compiler turns into
// the widest vectors of the CPU at hand. The bits are the same on every one of them.
#ifndef CSRC_DEVICE_CPU_ROW_H_
#define CSRC_DEVICE_CPU_ROW_H_

#include "csrc/protocol/quant.h"

namespace ep {

// Quantises `hidden` channels; `scales` has one for each 128, and one for those that are left.
// Returns false if a channel is infinite; what is written then is of no use.
bool QuantizeRow(const Bf16* channels, uint32_t hidden, E4m3* codes, float* scales);

// out[c] = BF16(fma(weights[count-1], rows[count-1][c], … fma(weights[0], rows[0][c], 0))).
void SumWeighted(Bf16* out, const Bf16* const* rows, const float* weights, uint32_t count,
                 uint32_t hidden);

// out[c] = BF16((rows[0][c] + rows[1][c]) + …) in fp32; zeros if count is 0.
void SumPartials(Bf16* out, const Bf16* const* rows, uint32_t count, uint32_t hidden);

}  // namespace ep

#endif  // CSRC_DEVICE_CPU_ROW_H_
