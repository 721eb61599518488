package figures_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/epperf/epperf/go/internal/figures"
	"github.com/epperf/epperf/go/internal/record/recordtest"
	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

// A trailer that says "passed" is not believed over the ranks' own results.
func TestWhyARankDidNotPass(t *testing.T) {
	for name, test := range map[string]struct {
		change    func(*recordtest.Run)
		want      figures.Verdict // of rank 1
		wantRight int             // ranks whose checks are right
	}{
		"all is well": {func(*recordtest.Run) {}, figures.Verdict{Reason: figures.None}, 2},
		"its own words come first": {
			func(r *recordtest.Run) { r.Results[1].Error, r.Results[1].Check.Wrong = "lost rank 0", 4 },
			figures.Verdict{Reason: figures.Reported, Error: "lost rank 0"},
			1,
		},
		"wrong rows": {
			func(r *recordtest.Run) { r.Results[1].Check.Wrong = 4 },
			figures.Verdict{Reason: figures.NotRight, Error: "4 of 14976 checked rows are wrong"},
			1,
		},
		"nothing compared": {
			func(r *recordtest.Run) { r.Results[1].Check.Rows = 0 },
			figures.Verdict{Reason: figures.NotRight, Error: "no row was checked although this rank moves some"},
			1,
		},
		"nothing compared of what it received": {
			func(r *recordtest.Run) {
				r.Results[1].Check.Rows = 0
				r.Results[1].Traffic = &epperfv1.Traffic{SelectionsOfExpert: []uint64{0, 1}}
			},
			figures.Verdict{Reason: figures.NotRight, Error: "no row was checked although this rank moves some"},
			1,
		},
		"no check": {
			func(r *recordtest.Run) { r.Results[1].Check = nil },
			figures.Verdict{Reason: figures.NotRight, Error: "no row was checked"},
			1,
		},
		"no result": {
			func(r *recordtest.Run) { r.Results = r.Results[:1] },
			figures.Verdict{Reason: figures.NoResult},
			1,
		},
		"samples are missing": {
			func(r *recordtest.Run) { r.Samples = r.Samples[:1] },
			figures.Verdict{Reason: figures.Unfinished, Want: 3},
			2,
		},
		"failed without a word": {
			func(r *recordtest.Run) { r.Results[1].Passed = false },
			figures.Verdict{Reason: figures.Unexplained},
			2,
		},
	} {
		t.Run(name, func(t *testing.T) {
			run := recordtest.Small()
			test.change(run)
			s := summarize(t, run)
			if test.want.Want == 0 { // all samples are there
				test.want.Have, test.want.Want = 3, 3
			}
			var want []figures.Failure
			if !test.want.Passed() {
				want = []figures.Failure{{Rank: 1, Verdict: test.want}}
			}
			c := s.Cases[0]
			if diff := cmp.Diff(want, c.Failures); diff != "" {
				t.Errorf("failures (-want +got):\n%s", diff)
			}
			if s.Passed() != (want == nil) || c.PassedRanks != 2-len(want) {
				t.Errorf("passed = %t, %d ranks", s.Passed(), c.PassedRanks)
			}
			if c.Check.RightRanks != test.wantRight {
				t.Errorf("%d ranks are right; want %d", c.Check.RightRanks, test.wantRight)
			}
		})
	}
}
