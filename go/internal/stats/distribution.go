// Package stats says what a set of measured durations did, and only what it can tell.
package stats

import "slices"

// A Permille is a share of the samples in thousandths.
type Permille int

// The quantiles that are printed.
const (
	P50 Permille = 500
	P95 Permille = 950
	P99 Permille = 990
)

// A Distribution is what one duration did over the kept iterations of one case, in integer
// nanoseconds. The zero Distribution has no samples and so no quantiles; it says so, not 0.
type Distribution struct{ ascendingNS []int64 }

// NewDistribution keeps a sorted copy of durations in nanoseconds.
func NewDistribution(durationsNS []int64) Distribution {
	ascending := slices.Clone(durationsNS)
	slices.Sort(ascending)
	return Distribution{ascending}
}

// Samples returns how many durations there are.
func (d Distribution) Samples() int { return len(d.ascendingNS) }

// QuantileNS returns the nearest-rank quantile, always a value that was measured. It reports
// false where no sample lies above it: 99 samples have no P99, only a maximum.
func (d Distribution) QuantileNS(q Permille) (ns int64, ok bool) {
	rank := (len(d.ascendingNS)*int(q) + 999) / 1000 // 1-based; integers, so P99 of 100 is exact
	if rank < 1 || rank >= len(d.ascendingNS) {
		return 0, false
	}
	return d.ascendingNS[rank-1], true
}

// MedianNS returns the middle duration, of an even number the lower of the two: always a value that
// was measured. False if there is none.
func (d Distribution) MedianNS() (ns int64, ok bool) {
	if len(d.ascendingNS) == 0 {
		return 0, false
	}
	return d.ascendingNS[(len(d.ascendingNS)-1)/2], true
}

// MaxNS returns the longest duration; false if there is none.
func (d Distribution) MaxNS() (ns int64, ok bool) {
	if len(d.ascendingNS) == 0 {
		return 0, false
	}
	return d.ascendingNS[len(d.ascendingNS)-1], true
}

// MeanNS returns the arithmetic mean; false if there are no durations. It is exact up to one
// rounding as long as the sum stays below 2^53 ns, 104 days.
func (d Distribution) MeanNS() (ns float64, ok bool) {
	if len(d.ascendingNS) == 0 {
		return 0, false
	}
	var sum float64
	for _, duration := range d.ascendingNS {
		sum += float64(duration)
	}
	return sum / float64(len(d.ascendingNS)), true
}
