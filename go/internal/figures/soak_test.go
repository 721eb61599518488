package figures_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/epperf/epperf/go/internal/figures"
	"github.com/epperf/epperf/go/internal/record/recordtest"
	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

func TestASoakIsWhatAllRanksDidAndEachCompared(t *testing.T) {
	run := recordtest.Soaked()
	run.Results[3].Soak.Epochs, run.Results[3].Soak.Checked = 99_999, 14_285
	run.Results[5].Soak.Wrong = 2
	s := summarize(t, run)
	want := &figures.SoakSummary{
		PlannedEpochs: 100_000, CheckEvery: 7,
		Epochs: 99_999, Checked: 14_285, Rows: 8 * 14_286 * 1152, Wrong: 2,
		// A dispatched row has 7,408 bytes, a combined one 14,336; of one rank's last check nobody counts which.
		Bytes: 8*14_286*(1024*7408+128*14_336) - 128*(14_336-7408),
	}
	repeat := figures.ShapeOf(run.Case())
	want.Repeat = &repeat
	if diff := cmp.Diff(want, s.Cases[0].Soak); diff != "" {
		t.Errorf("soak (-want +got):\n%s", diff)
	}
	if s.Cases[0].Bandwidth != nil || s.Cases[0].LatencyNS != nil || s.Cases[0].Slowest != nil {
		t.Error("a soak has figures")
	}
}

func TestASoakPassesOnceItIsThrough(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*recordtest.Run)
		passed bool
	}{
		"all epochs":      {func(*recordtest.Run) {}, true},
		"one less":        {func(r *recordtest.Run) { r.Results[3].Soak.Epochs-- }, false},
		"no count at all": {func(r *recordtest.Run) { r.Results[3].Soak = nil }, false},
		"all of its time": {func(r *recordtest.Run) { r.Case().Soak = &epperfv1.Soak{DurationNs: uint64(time.Minute)} }, true},
		"none of its time": {func(r *recordtest.Run) {
			r.Case().Soak = &epperfv1.Soak{DurationNs: uint64(time.Minute)}
			r.Results[3].Soak.Epochs = 0
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			run := recordtest.Soaked()
			test.change(run)
			if s := summarize(t, run); s.Passed() != test.passed {
				t.Errorf("passed: %t, want %t: %v", s.Passed(), test.passed, s.Cases[0].Failures)
			}
		})
	}
}
