package figures

import (
	"github.com/epperf/epperf/go/internal/record"
	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

// leftOf returns the durations that each rank left of a pass.
func leftOf(ranks []record.RankRecord, pass int) [][]int64 {
	durations := make([][]int64, len(ranks))
	for i, rank := range ranks {
		durations[i] = rank.Pass(pass)
	}
	return durations
}

// keptOf is leftOf without the first duration of each rank: those that figures are made of.
func keptOf(ranks []record.RankRecord, pass int) [][]int64 {
	durations := leftOf(ranks, pass)
	for i := range durations {
		durations[i] = withoutFirst(durations[i])
	}
	return durations
}

func withoutFirst(durationNS []int64) []int64 { return durationNS[min(1, len(durationNS)):] }

// samplesOf returns how many durations a rank has left of all passes of the case together, and how
// many it had to leave.
//
// A soak leaves none: there it is iterations, at least one where it goes by time.
func samplesOf(c *epperfv1.Case, rank int, left record.RankRecord) (have, want uint64) {
	if soak := c.GetSoak(); soak != nil {
		want = max(soak.GetEpochs(), 1)
		return min(left.Result.GetSoak().GetEpochs(), want), want
	}
	if c.GetPhase() != nil {
		return phaseSamples(left)
	}
	for index, pass := range c.GetPasses() {
		have += uint64(len(left.Pass(index)))
		want += pass.Durations(rank)
	}
	return have, want
}
