package figures_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/epperf/epperf/go/internal/figures"
	"github.com/epperf/epperf/go/internal/record/recordtest"
)

// Quantiles are over all ranks and all rounds but the first, and what is left is that of the worst rank.
func TestStepsOfAControlPlane(t *testing.T) {
	run := recordtest.Controlled()
	run.Results[3].LastRound.Descriptors = 27
	run.Results[5].LastRound.ResidentBytes = 0
	c := summarize(t, run).Cases[0].Control
	if diff := cmp.Diff(&figures.ControlLeft{Descriptors: 7, Mappings: 1, ResidentBytes: 1 << 20}, c.Left); diff != "" {
		t.Errorf("left (-want +got):\n%s", diff)
	}
	connect := c.Steps[1]
	if connect.Name != "connect" || *connect.FirstNS != 150_007_000 || connect.Each.Samples != 8*99 || connect.Each.Max != 150_007_000+99*15e5 {
		t.Errorf("%+v", connect)
	}
	if ns, ok := connect.P50NS(); !ok || ns != 150_003_000+50*15e5 {
		t.Errorf("p50 %v, %t", ns, ok)
	}
}

func TestARankThatDidNotEndItsRoundsLeavesNoQuantiles(t *testing.T) {
	run := recordtest.Controlled()
	run.Samples[2].DurationNs = run.Samples[2].DurationNs[:40]
	run.Results[2].LastRound = nil
	s := summarize(t, run)
	if of := s.Cases[0].Control; s.Passed() || of.Steps[0].Each != nil || of.Steps[0].FirstNS == nil || of.Left != nil {
		t.Errorf("passed %t, %+v", s.Passed(), of)
	}
}
