package figures

import (
	"github.com/epperf/epperf/go/internal/record"
	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

// samplesOf returns how many durations a rank has left of all passes of the case together, and how
// many it had to leave.
//
// A soak leaves none: there it is iterations, at least one where it goes by time.
func samplesOf(c *epperfv1.Case, rank int, left record.RankRecord) (have, want uint64) {
	if soak := c.GetSoak(); soak != nil {
		want = max(soak.GetEpochs(), 1)
		return min(left.Result.GetSoak().GetEpochs(), want), want
	}
	for index, pass := range c.GetPasses() {
		have += uint64(len(left.Pass(index)))
		want += pass.Durations(rank)
	}
	return have, want
}
