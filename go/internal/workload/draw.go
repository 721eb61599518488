package workload

import (
	"math"
	"math/bits"
	"math/rand/v2"
	"slices"
	"sort"
)

// This file has every rule by which the tokens of a rank draw their experts; ids are [tokens, topk]
// and come out in the order in which they were drawn. Rank r draws from PCG-DXSM with the state
// (seed, r), one 64-bit word after the other.
//
// Note: rand.IntN would do, but its algorithm is not part of its promise, and other programs
// should be able to compute the same ids.

// chooseUniform draws with equal probabilities.
func (r *Routing) chooseUniform(rank int, ids []int32) {
	random := rand.NewPCG(r.seed, uint64(rank))
	for i := range ids {
		ids[i] = drawDistinct(random, 0, r.experts, ids[i-i%r.topk:i])
	}
}

// chooseBalanced deals the experts out in turn: where topk divides them evenly, each is selected
// equally often, and ranks begin at different ones.
func (r *Routing) chooseBalanced(rank int, ids []int32) {
	for i := range ids {
		ids[i] = int32((i + rank*r.topk) % r.experts)
	}
}

// hotChooser makes each token draw its first min(topk, hot) experts among the first `hot` ones,
// and the rest among the others.
func (r *Routing) hotChooser(hot int) func(int, []int32) {
	return func(rank int, ids []int32) {
		random := rand.NewPCG(r.seed, uint64(rank))
		for i := range ids {
			first, count := 0, hot
			if i%r.topk >= hot {
				first, count = hot, r.experts-hot
			}
			ids[i] = drawDistinct(random, first, count, ids[i-i%r.topk:i])
		}
	}
}

// drawDistinct draws one of count experts from first on: a word x names expert
// first + floor(x * count / 2^64), and one that the token already has is drawn again. So every
// expert is equally likely to within count / 2^64, in every position.
func drawDistinct(random *rand.PCG, first, count int, earlier []int32) int32 {
	for {
		drawn, _ := bits.Mul64(random.Uint64(), uint64(count))
		if expert := int32(first) + int32(drawn); !slices.Contains(earlier, expert) {
			return expert
		}
	}
}

// zipfOne is the weight of expert 0. As there are less than 2^16 experts, all weights together
// stay below 2^64.
const zipfOne = 1 << 48

// A zipf draws experts with probabilities that fall by a power of their number.
type zipf struct {
	// end[i] is the sum of the weights of experts 0 to i. Expert i weighs
	// round(2^48 * (i+1)^-exponent), but at least 1.
	end []uint64
}

func newZipf(exponent float64, experts int) *zipf {
	z := &zipf{end: make([]uint64, experts)}
	var sum uint64
	for i := range z.end {
		// Note: not math.Pow, whose last bit depends on whether the CPU has fused multiply-add. Two
		// hosts of one run must not differ.
		weight := math.Exp2(-exponent * math.Log2(float64(i+1)))
		sum += max(1, uint64(math.Round(weight*zipfOne)))
		z.end[i] = sum
	}
	return z
}

func (z *zipf) begin(expert int32) uint64 {
	if expert == 0 {
		return 0
	}
	return z.end[expert-1]
}

func (z *zipf) weight(expert int32) uint64 { return z.end[expert] - z.begin(expert) }

// chooser draws without replacement: an expert that a token has is taken out of the line of
// weights, and a word x names the point floor(x * length / 2^64) of what is left.
//
// Note: to draw again what is there already would take for ever where one expert weighs almost
// everything.
func (z *zipf) chooser(r *Routing) func(int, []int32) {
	return func(rank int, ids []int32) {
		random := rand.NewPCG(r.seed, uint64(rank))
		taken := make([]int32, 0, r.topk) // ascending
		for i := range ids {
			if i%r.topk == 0 {
				taken = taken[:0]
			}
			length := z.end[len(z.end)-1]
			for _, expert := range taken {
				length -= z.weight(expert)
			}
			point, _ := bits.Mul64(random.Uint64(), length)
			for _, expert := range taken {
				if point >= z.begin(expert) {
					point += z.weight(expert)
				}
			}
			expert := int32(sort.Search(len(z.end), func(e int) bool { return z.end[e] > point }))
			ids[i] = expert
			at, _ := slices.BinarySearch(taken, expert)
			taken = slices.Insert(taken, at, expert)
		}
	}
}
