package stats

import (
	"math"
	"slices"
)

// A Shift is by what factor the values of one sample are those of another.
type Shift struct {
	// Estimate is the median of all quotients of a value of the one and a value of the other.
	Estimate float64
	// Low and High are where it lies with the confidence that was asked for; 0 and +Inf where there
	// are too few values for any such bounds.
	Low, High float64
}

// ShiftOf returns by what factor `to` lies above `from`, with bounds that hold at least with this
// confidence for any distribution: those factors that an exact rank-sum test would not reject (Moses'
// interval). All values are above 0. False if a sample is empty.
func ShiftOf(from, to []float64, confidence float64) (shift Shift, ok bool) {
	if len(from) == 0 || len(to) == 0 {
		return Shift{}, false
	}
	quotients := make([]float64, 0, len(from)*len(to))
	for _, a := range from {
		for _, b := range to {
			quotients = append(quotients, b/a)
		}
	}
	slices.Sort(quotients)
	n := len(quotients)
	shift = Shift{Estimate: (quotients[(n-1)/2] + quotients[n/2]) / 2, High: math.Inf(1)}
	if cut := rankSumCut(len(from), len(to), (1-confidence)/2); cut > 0 {
		shift.Low, shift.High = quotients[cut-1], quotients[n-cut]
	}
	return shift, true
}

// LeastP is the smallest probability that an exact two-sided rank-sum test of so many values can give.
func LeastP(from, to int) float64 {
	return min(1, 2/math.Exp(logChoose(from+to, from)))
}

// rankSumCut returns the largest k for which fewer than k of all pairs are in the wrong order with at
// most this probability, if the samples are alike; 0 if there is none.
func rankSumCut(n, m int, tail float64) int {
	// ways[u] are the orders of n and m values in which u pairs are in the wrong order, as a share of
	// all. They are those of one value less, by which sample the largest value is of: with i of the one
	// and j of the other, P(i, j, u) = i/(i+j) P(i-1, j, u-j) + j/(i+j) P(i, j-1, u).
	before := make([][]float64, m+1) // of i-1, by j
	for j := range before {
		before[j] = []float64{1}
	}
	for i := 1; i <= n; i++ {
		now := make([][]float64, m+1)
		now[0] = []float64{1}
		for j := 1; j <= m; j++ {
			now[j] = make([]float64, i*j+1)
			part := float64(i) / float64(i+j)
			for u, p := range before[j] {
				now[j][u+j] += part * p
			}
			for u, p := range now[j-1] {
				now[j][u] += (1 - part) * p
			}
		}
		before = now
	}
	cut, sum := 0, 0.0
	for _, p := range before[m] {
		if sum += p; sum > tail {
			break
		}
		cut++
	}
	return cut
}

func logChoose(n, k int) float64 {
	log := func(x int) float64 { value, _ := math.Lgamma(float64(x) + 1); return value }
	return log(n) - log(k) - log(n-k)
}
