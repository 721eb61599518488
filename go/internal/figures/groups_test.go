package figures_test

import (
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/epperf/epperf/go/internal/figures"
	"github.com/epperf/epperf/go/internal/record/recordtest"
	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

// jump makes iterations of some ranks take 408 instead of 13 microseconds, with some noise.
func jump(run *recordtest.Run, late func(rank, iteration int) bool) {
	random := rand.New(rand.NewPCG(1, 1))
	for rank, samples := range run.Samples {
		for i := range samples.DurationNs {
			samples.DurationNs[i] = 13_000 + random.Uint64N(400)
			if late(rank, i) {
				samples.DurationNs[i] = 408_000 + random.Uint64N(9000)
			}
		}
	}
}

func TestTwoGroupsOfDurationsAreFound(t *testing.T) {
	for name, test := range map[string]struct {
		late  func(rank, iteration int) bool
		upper float64 // 0: one group
	}{
		"nobody jumps":            {func(int, int) bool { return false }, 0},
		"all wait for who is":     {func(_, i int) bool { return i%5 == 1 }, 20. / 99},
		"half of the time":        {func(_, i int) bool { return i%2 == 1 }, 50. / 99},
		"most of the time":        {func(_, i int) bool { return i%10 != 1 }, 89. / 99},
		"one":                     {func(rank, i int) bool { return rank == 5 && i%5 == 1 }, 20. / 99},
		"few of each, not all":    {func(rank, i int) bool { return i%25 == rank+1 }, 32. / 99},
		"the first alone":         {func(_, i int) bool { return i == 0 }, 0},
		"a few":                   {func(_, i int) bool { return i%20 == 1 }, 0},
		"who waits takes turns":   {func(rank, i int) bool { return i%2 == rank%2 }, 0},
		"one is early now and on": {func(rank, i int) bool { return rank != 6 || i%5 == 1 }, 0},
	} {
		t.Run(name, func(t *testing.T) {
			run := recordtest.Passed(epperfv1.Mode_MODE_DISPATCH)
			jump(run, test.late)
			got := summarize(t, run).Cases[0].Groups
			if (got != nil) != (test.upper > 0) {
				t.Fatalf("groups %+v", got)
			}
			if got == nil {
				return
			}
			want := &figures.Groups{Lower: figures.Group{Share: 1 - test.upper}, Upper: figures.Group{Share: test.upper}}
			if low, high := got.Lower.P50NS/1000, got.Upper.P50NS/1000; low != 13 || high < 408 || high > 417 {
				t.Errorf("groups of %d and %d microseconds", low, high)
			}
			got.Lower.P50NS, got.Upper.P50NS = 0, 0
			if diff := cmp.Diff(want, got, nearly); diff != "" {
				t.Errorf("groups (-want +got):\n%s", diff)
			}
		})
	}
}

func TestGroupsNeedAllRanks(t *testing.T) {
	run := recordtest.Passed(epperfv1.Mode_MODE_DISPATCH)
	jump(run, func(_, i int) bool { return i%2 == 1 })
	run.Results = run.Results[:7]
	if got := summarize(t, run).Cases[0].Groups; got != nil {
		t.Errorf("groups %+v of a run that did not finish", got)
	}
}
