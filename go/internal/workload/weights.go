package workload

import "math/rand/v2"

// Weights returns how much each selected expert contributes to a token's result, as
// [tokens, topk] in one row-major slice of its own, tokens being the most of any rank; set is 0 to
// Sets-1. Weights are uniform in (0, 1] and then divided by their sum, so a token's add up to 1
// but for rounding; where nothing is selected the weight is 0.
//
// Rank r draws set s from PCG-DXSM with the state (seed, (s+1) * 2^32 + r), one draw x of 64 bits
// for every entry, selected or not: (floor(x / 2^40) + 1) / 2^24.
func (r *Routing) Weights(rank, set int) []float32 {
	random := rand.NewPCG(r.seed, uint64(set+1)<<32|uint64(rank))
	first := rank * r.tokens * r.topk
	ids := r.ids[first : first+r.tokens*r.topk]
	weights := make([]float32, len(ids))
	drawn := make([]float64, r.topk)
	for token := 0; token < len(ids); token += r.topk {
		var sum float64
		for i := range drawn {
			drawn[i] = float64(random.Uint64()>>40+1) / (1 << 24)
			if ids[token+i] == unselected {
				drawn[i] = 0
			}
			sum += drawn[i]
		}
		if sum == 0 {
			continue
		}
		for i, weight := range drawn {
			weights[token+i] = float32(weight / sum)
		}
	}
	return weights
}
