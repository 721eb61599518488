package measure_test

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/epperf/epperf/go/internal/measure"
	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

// A lived is a script whose clock goes by what is done, and that keeps what is reported.
type lived struct {
	script
	ns      int64
	samples [][]uint64
}

func (l *lived) Connect(blobs [][]byte) error { l.ns += 30; return l.script.Connect(blobs) }
func (l *lived) Disconnect() error            { l.ns += 5; return l.script.Disconnect() }
func (l *lived) Close() error                 { l.ns += 7; return l.script.Close() }
func (l *lived) Run(p *epperfv1.Pass) (measure.Block, error) {
	l.ns += 1000
	return l.script.Run(p)
}

func (l *lived) Samples(s *epperfv1.Samples) error {
	l.samples = append(l.samples, s.GetDurationNs())
	return nil
}

func (l *lived) live(t *testing.T, rounds int) error {
	t.Helper()
	l.check = &epperfv1.Check{Rows: 10}
	rounded := uint32(0)
	return measure.Rank{
		Plan: &epperfv1.Plan{
			Cases:         []*epperfv1.Case{{Mode: epperfv1.Mode_MODE_DISPATCH, Passes: epperfv1.ControlPasses(rounds)}},
			WaitTimeoutNs: 10e9,
		},
		Rank:  1,
		Group: l,
		Sink:  l,
		Open: func(*epperfv1.Case) (measure.Engine, error) {
			l.ns += 100
			return l, l.step("open")
		},
		Now: func() time.Time { return time.Unix(0, l.ns) },
		Use: func() (*epperfv1.ProcessUse, error) {
			rounded++
			return &epperfv1.ProcessUse{Descriptors: rounded}, nil
		},
	}.Run(t.Context())
}

// Each round has every step once, and what checks a connection counts in none.
func TestRoundsOfTheControlPlane(t *testing.T) {
	var l lived
	if err := l.live(t, 2); err != nil {
		t.Fatal(err)
	}
	used := []string{"poison", "meet check", "run dispatch x1", "check dispatch", "paths", "traffic"}
	round := slices.Concat(
		[]string{"meet before init", "open", "meet before connect", "blob", "exchange", "connect 2", "meet connected"}, used,
		[]string{"meet before disconnect", "disconnect", "meet before reconnect", "blob", "exchange", "connect 2", "meet connected"}, used,
		[]string{"meet before destroy", "close"})
	if diff := cmp.Diff(append(slices.Concat(round, round), "result"), l.steps); diff != "" {
		t.Errorf("steps (-want +got):\n%s", diff)
	}
	want := [][]uint64{{100, 100}, {30, 30}, {5, 5}, {30, 30}, {7, 7}, {172, 172}}
	if diff := cmp.Diff(want, l.samples); diff != "" {
		t.Errorf("samples (-want +got):\n%s", diff)
	}
	if !l.result.GetPassed() || l.result.GetCheck().GetRows() != 40 || l.result.GetFirstRound().GetDescriptors() != 1 || l.result.GetLastRound().GetDescriptors() != 2 {
		t.Errorf("result %v", l.result)
	}
}

// A step that fails ends the run, and leaves no engine.
func TestAStepThatFailsEndsTheRounds(t *testing.T) {
	for _, at := range []string{"connect 2", "disconnect", "check dispatch"} {
		l := lived{script: script{failAt: at}}
		if err := l.live(t, 2); err == nil || l.result.GetPassed() {
			t.Errorf("%s: %v", at, err)
		}
		if closed := slices.Contains(l.steps, "close"); !closed {
			t.Errorf("%s: steps %q", at, l.steps)
		}
	}
}
