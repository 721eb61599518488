package figures

import "github.com/epperf/epperf/go/internal/stats"

// Groups are two that durations fall into: the machine was in one of two states, and neither a mean
// nor a quantile is that of a state.
type Groups struct{ Lower, Upper Group }

// A Group is durations that are near to each other and far from all others.
type Group struct {
	P50NS int64
	// Share is of all durations.
	Share float64
}

// groups returns those of the slowest rank's durations; nil where there are none.
//
// Note: a rank's own durations would be no evidence. Of two ranks, one waits for the other now and
// then, and theirs fall into two groups on the quietest machine: with waiting and without.
func groups(slowest stats.Distribution) *Groups {
	lower, upper, ok := slowest.TwoGroups()
	if !ok {
		return nil
	}
	share := func(group stats.Group) Group {
		return Group{group.P50NS, float64(group.Samples) / float64(slowest.Samples())}
	}
	return &Groups{Lower: share(lower), Upper: share(upper)}
}
