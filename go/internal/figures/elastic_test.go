package figures_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/epperf/epperf/go/internal/figures"
	"github.com/epperf/epperf/go/internal/record/recordtest"
)

// A kill is known after 1 ms, and of no use to anybody after 3; those that are left have connected 997 ms after it
// was known, and dispatch well 999 ms after it.
func TestPhasesOfAnElasticRun(t *testing.T) {
	s := summarize(t, recordtest.Phased())
	ms := func(n int64) *int64 { return new(n * 1e6) }
	want := []figures.PhaseSummary{
		{Ranks: []int{0, 3}, Joined: []int{0, 3}, ReadyNS: ms(1), GoodNS: ms(3), Iterations: 24, Rows: 10_000, PIDs: []int{100, 103}},
		{
			Index: 1, Ranks: []int{0, 2, 3}, Joined: []int{2}, Killed: []int{2}, ReadyNS: ms(1), GoodNS: ms(3), DetectNS: ms(1), StopNS: ms(3),
			Iterations: 24, Rows: 10_000, PIDs: []int{100, 102, 103},
		},
		{
			Index: 1, Recovers: true, Ranks: []int{0, 3}, ReadyNS: ms(1), GoodNS: ms(3), RecoverNS: ms(997), GoodAfterNS: ms(999),
			Iterations: 24, Rows: 10_000, PIDs: []int{100, 103},
		},
	}
	if diff := cmp.Diff(want, s.Phases); diff != "" {
		t.Errorf("phases (-want +got):\n%s", diff)
	}
	if !s.Passed() {
		t.Errorf("%+v", s.Cases[1].Failures)
	}
}

// A rank that ends otherwise than the plan says fails its phase.
func TestAPhaseInWhichARankIsMissing(t *testing.T) {
	run := recordtest.Phased()
	run.Results[3].Work.Killed = false
	if s := summarize(t, run); s.Passed() || len(s.Cases[1].Failures) != 1 {
		t.Errorf("%+v", s.Cases[1].Failures)
	}
	run = recordtest.Phased()
	run.Results = run.Results[:6]
	if s := summarize(t, run); s.Passed() || s.Cases[2].PassedRanks != 1 {
		t.Errorf("%+v", s.Cases[2])
	}
}
