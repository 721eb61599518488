package measure

import (
	"testing"
	"time"

	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

func TestStretchesFollowFromWhatAllRanksSaid(t *testing.T) {
	const ms = uint64(time.Millisecond)
	vote := func(epochNS, checkNS uint64) *epperfv1.SoakVote {
		return &epperfv1.SoakVote{EpochNs: epochNS, CheckNs: checkNS}
	}
	forever := &epperfv1.Soak{DurationNs: 1 << 60}
	for name, test := range map[string]struct {
		of              *epperfv1.Soak
		done, unchecked uint64
		votes           []*epperfv1.SoakVote
		want            stretch
	}{
		"nobody knows":       {forever, 0, 0, []*epperfv1.SoakVote{vote(0, 0), vote(0, 0)}, stretch{1, 1}},
		"checks are cheap":   {forever, 6, 0, []*epperfv1.SoakVote{vote(2*ms, ms), vote(2*ms, ms)}, stretch{333, 1}},
		"checks take longer": {forever, 6, 0, []*epperfv1.SoakVote{vote(ms, 4*ms), vote(ms, 3*ms)}, stretch{555, 5}},
		"of sets and banks":  {forever, 6, 0, []*epperfv1.SoakVote{vote(ms, 7*ms)}, stretch{611, 11}}, // not 8, 9 or 10
		"as it is told":      {&epperfv1.Soak{Epochs: 5000, CheckEvery: 97}, 6, 0, []*epperfv1.SoakVote{vote(ms, 97*ms)}, stretch{500, 97}},
		"first, as told":     {&epperfv1.Soak{Epochs: 5000, CheckEvery: 97}, 0, 0, []*epperfv1.SoakVote{vote(0, 0)}, stretch{6, 97}},
		"the rest":           {&epperfv1.Soak{Epochs: 5000, CheckEvery: 97}, 4990, 3, []*epperfv1.SoakVote{vote(ms, ms)}, stretch{10, 97}},
		"all are done":       {&epperfv1.Soak{Epochs: 5000}, 5000, 0, []*epperfv1.SoakVote{vote(ms, ms)}, stretch{}},
		"one has enough":     {forever, 6, 0, []*epperfv1.SoakVote{vote(ms, ms), {Over: true}}, stretch{}},
		"slow epochs":        {forever, 6, 0, []*epperfv1.SoakVote{vote(3000*ms, ms)}, stretch{1, 1}},
		// A check longer than an eighth of 10 s: the ranks meet after it.
		"slow checks":                {forever, 6, 2, []*epperfv1.SoakVote{vote(400*ms, 2000*ms)}, stretch{1, 7}},
		"a rank's clock stood still": {forever, 6, 0, []*epperfv1.SoakVote{vote(0, ms), vote(ms, ms)}, stretch{833, 5}},
	} {
		t.Run(name, func(t *testing.T) {
			got := nextStretch(test.of, uint64(10*time.Second), test.done, test.unchecked, test.votes)
			if got != test.want {
				t.Errorf("nextStretch = %+v; want %+v", got, test.want)
			}
		})
	}
}

// Then a peer that checks is waited for in no operation: ranks come to the meeting instead.
func TestAStretchEndsWithASlowCheck(t *testing.T) {
	votes := []*epperfv1.SoakVote{{EpochNs: 1e6, CheckNs: 2e9}}
	of := &epperfv1.Soak{Epochs: 1e6, CheckEvery: 25}
	if got := nextStretch(of, 10e9, 100, 4, votes); got.epochs != 12 {
		t.Errorf("%d iterations; want 12, a second's worth", got.epochs)
	}
	if got := nextStretch(of, 10e9, 100, 20, votes); got.epochs != 5 {
		t.Errorf("%d iterations; want the 5 up to the check", got.epochs)
	}
}
