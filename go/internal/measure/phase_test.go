package measure_test

import (
	"context"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/epperf/epperf/go/internal/measure"
	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

// phase runs one phase of 20 iterations, in which ranks are killed or not.
func (s *script) phase(ctx context.Context, of *epperfv1.Phase) error {
	return measure.Rank{
		Plan: &epperfv1.Plan{Cases: []*epperfv1.Case{{
			Mode: epperfv1.Mode_MODE_E2E, Passes: timed(epperfv1.Mode_MODE_E2E, 20), Phase: of,
		}}},
		Rank: 1, Group: s, Sink: s,
		Open: func(*epperfv1.Case) (measure.Engine, error) { return s, s.step("open") },
	}.Run(ctx)
}

// The dispatch of the connection is checked before anything else, and the last iteration of each block.
func TestAPhaseIsCheckedFromItsFirstDispatchOn(t *testing.T) {
	var s script
	if err := s.phase(t.Context(), &epperfv1.Phase{}); err != nil {
		t.Fatal(err)
	}
	want := slices.Concat(
		[]string{"open", "blob", "exchange", "connect 2", "poison", "meet connected", "run dispatch x1", "paths", "make expert rows"},
		[]string{"check dispatch", "traffic", "meet good"},
		times(2, "poison", "run e2e x8", "check e2e"), []string{"poison", "run e2e x4", "check e2e"},
		[]string{"meet cleanup", "close", "result"})
	if diff := cmp.Diff(want, s.steps); diff != "" {
		t.Errorf("steps (-want +got):\n%s", diff)
	}
	if s.result.GetWork().GetIterations() != 20 || !s.result.GetPassed() || s.result.GetWork().GetPid() == 0 {
		t.Errorf("%v", s.result)
	}
}

// A kill that ends the phase is no failure of those that are left; that of any other phase is.
func TestAPhaseWithAKillEndsWhenItsLauncherSaysSo(t *testing.T) {
	for killed, of := range map[bool]*epperfv1.Phase{true: {Killed: []uint32{0}}, false: {}} {
		ctx, cancel := context.WithCancel(t.Context())
		s := &script{failAt: "run e2e x8"}
		cancel() // before the wait fails
		err := s.phase(ctx, of)
		if passed := err == nil && s.result.GetPassed(); passed != killed || !slices.Contains(s.steps, "close") || slices.Contains(s.steps, "meet cleanup") {
			t.Errorf("killed %t: %v, %v, %q", killed, err, s.result, s.steps)
		}
	}
}
