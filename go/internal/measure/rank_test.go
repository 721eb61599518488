package measure_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/epperf/epperf/go/internal/measure"
	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

// A script is an Engine, a Group and a Sink that write down what they are asked, and fail where
// they are told to.
type script struct {
	steps  []string
	failAt string
	// Of the blocks of dispatches, of combines and of a meter.
	sms    [3][]uint32
	check  *epperfv1.Check
	result *epperfv1.RankResult
}

func (s *script) step(format string, args ...any) error {
	step := fmt.Sprintf(format, args...)
	s.steps = append(s.steps, step)
	if step == s.failAt {
		return errors.New("planted")
	}
	return nil
}

func (s *script) Blob() ([]byte, error)        { return []byte("b"), s.step("blob") }
func (s *script) Connect(blobs [][]byte) error { return s.step("connect %d", len(blobs)) }
func (s *script) Disconnect() error            { return s.step("disconnect") }
func (s *script) MakeExpertRows() error        { return s.step("make expert rows") }
func (s *script) FlushCaches() error           { return s.step("flush") }
func (s *script) Abort()                       { s.steps = append(s.steps, "abort") }
func (s *script) Close() error                 { return s.step("close") }

func (s *script) Run(p *epperfv1.Pass) (measure.Block, error) {
	return measure.Block{FirstEpoch: 9, DurationNS: make([]uint64, p.GetCount())}, s.step("run %s x%d", named(p), p.GetCount())
}

func (s *script) Poison(p *epperfv1.Pass) error {
	if p.GetKind() == epperfv1.Pass_KIND_COPY {
		return s.step("poison copies")
	}
	return s.step("poison")
}

// named is what a pass does, in the words of a script's steps.
func named(p *epperfv1.Pass) string {
	switch p.GetKind() {
	case epperfv1.Pass_KIND_OPERATIONS:
		return epperfv1.Name(p.GetOperation())
	case epperfv1.Pass_KIND_COPY:
		return fmt.Sprintf("%s %d", epperfv1.Name(p.GetDirection()), p.GetDistinctRows())
	case epperfv1.Pass_KIND_FLAGS, epperfv1.Pass_KIND_ROUND_TRIPS:
		return p.Label()
	}
	return p.Label() + " " + epperfv1.Name(p.GetOperation())
}

func (s *script) SMsOfBlocks() (ofDispatch, ofCombine, ofMeter []uint32, err error) {
	return s.sms[0], s.sms[1], s.sms[2], s.step("look at SMs")
}

func (s *script) Check(p *epperfv1.Pass) (*epperfv1.Check, error) {
	check := s.check
	if check == nil {
		check = &epperfv1.Check{Rows: 10}
	}
	if p.GetKind() == epperfv1.Pass_KIND_COPY {
		return check, s.step("check %s", named(p))
	}
	return check, s.step("check %s", epperfv1.Name(p.GetOperation()))
}

func (s *script) Paths() ([]epperfv1.Path, *epperfv1.Network, error) {
	return []epperfv1.Path{epperfv1.Path_PATH_OWN, epperfv1.Path_PATH_MAPPED}, nil, s.step("paths")
}

func (s *script) Traffic() (*epperfv1.Traffic, error) {
	return &epperfv1.Traffic{Selections: 4}, s.step("traffic")
}

func (s *script) Exchange(_ context.Context, _ string, blob []byte) ([][]byte, error) {
	return [][]byte{blob, blob}, s.step("exchange")
}

func (s *script) Barrier(_ context.Context, name string) error { return s.step("meet %s", name) }

func (s *script) Samples(samples *epperfv1.Samples) error {
	return s.step("samples %d of pass %d", len(samples.GetDurationNs()), samples.GetPass())
}

func (s *script) Result(r *epperfv1.RankResult) error {
	s.result = r
	return s.step("result")
}

func (s *script) run(ctx context.Context) error {
	return measure.Rank{
		Plan: &epperfv1.Plan{Cases: []*epperfv1.Case{{
			Mode: epperfv1.Mode_MODE_COMBINE, Warmup: 3, Passes: timed(epperfv1.Mode_MODE_COMBINE, 20),
		}}},
		Rank:  1,
		Group: s,
		Sink:  s,
		Open:  func(*epperfv1.Case) (measure.Engine, error) { return s, s.step("open") },
	}.Run(ctx)
}

// timed is the first pass of a case, and more.
func timed(mode epperfv1.Mode, n int, more ...*epperfv1.Pass) []*epperfv1.Pass {
	return append([]*epperfv1.Pass{epperfv1.Operations(mode, n)}, more...)
}

func times(n int, steps ...string) (all []string) {
	for range n {
		all = append(all, steps...)
	}
	return all
}

// A watched script is a Watch, too.
type watched struct{ *script }

func (w watched) Start() { w.steps = append(w.steps, "watch") }
func (w watched) Stop()  { w.steps = append(w.steps, "stop watching") }
func (w watched) Load() *epperfv1.Load {
	w.steps = append(w.steps, "load")
	return &epperfv1.Load{WindowNs: 7}
}

func TestTheTimedBlockAloneIsWatched(t *testing.T) {
	var s script
	mode := epperfv1.Mode_MODE_DISPATCH
	err := measure.Rank{
		Plan:  &epperfv1.Plan{Cases: []*epperfv1.Case{{Mode: mode, Passes: timed(mode, 20, &epperfv1.Pass{Kind: epperfv1.Pass_KIND_FRESH, Operation: mode, Count: 3})}}},
		Group: &s, Sink: &s,
		Open: func(*epperfv1.Case) (measure.Engine, error) { return &s, nil },
		Watch: func() measure.Watch {
			s.steps = append(s.steps, "look at the host")
			return watched{&s}
		},
	}.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Join(s.steps, ", ")
	const want = "poison, look at the host, flush, meet timing, watch, run dispatch x20, stop watching, meet timed, load, "
	if !strings.Contains(text, want) || strings.Count(text, "watch,") != 1 || s.result.GetLoad().GetWindowNs() != 7 {
		t.Errorf("load %v; want %q once in %s", s.result.GetLoad(), want, text)
	}
}

func TestARunGoesInOrder(t *testing.T) {
	var s script
	if err := s.run(t.Context()); err != nil {
		t.Fatal(err)
	}
	checked := times(6, "poison", "meet check", "run e2e x1", "check e2e")
	var want []string
	for _, part := range [][]string{
		{"open", "blob", "exchange", "connect 2", "meet connected", "run dispatch x1", "paths", "make expert rows"},
		checked,
		{"traffic", "meet checked", "run combine x3", "poison", "flush"},
		{"meet timing", "run combine x20", "meet timed", "check combine", "samples 20 of pass 0"},
		checked,
		{"meet cleanup", "close", "result"},
	} {
		want = append(want, part...)
	}
	if diff := cmp.Diff(want, s.steps); diff != "" {
		t.Errorf("steps (-want +got):\n%s", diff)
	}
	if !s.result.GetPassed() || s.result.GetCheck().GetRows() != 130 || s.result.GetRank() != 1 {
		t.Errorf("result %v, want 130 rows checked and passed", s.result)
	}
}

func TestAFailureEndsTheCaseAndIsReported(t *testing.T) {
	for _, failAt := range []string{
		"open", "blob", "exchange", "connect 2", "meet connected", "run dispatch x1", "paths", "make expert rows",
		"poison", "check e2e", "traffic", "meet checked", "run combine x3", "flush", "meet timing",
		"run combine x20", "meet timed", "check combine", "samples 20 of pass 0", "meet cleanup", "close",
	} {
		t.Run(failAt, func(t *testing.T) {
			s := script{failAt: failAt}
			if err := s.run(t.Context()); err == nil || !strings.Contains(err.Error(), "planted") {
				t.Errorf("Run = %v, want the planted error", err)
			}
			if s.result.GetPassed() || !strings.Contains(s.result.GetError(), "planted") {
				t.Errorf("result %v, want the planted error", s.result)
			}
			if failAt != "open" && !strings.Contains(strings.Join(s.steps, ","), "close") {
				t.Error("the engine was not closed")
			}
		})
	}
}

func TestWrongRowsFailTheRank(t *testing.T) {
	s := script{check: &epperfv1.Check{Rows: 10, Wrong: 1, First: &epperfv1.WrongRow{Token: 7}}}
	if err := s.run(t.Context()); err != nil {
		t.Fatalf("wrong rows are a result, not an error of the run: %v", err)
	}
	if s.result.GetPassed() || s.result.GetCheck().GetWrong() != 13 || s.result.GetCheck().GetFirst().GetRank() != 1 {
		t.Errorf("result %v, want 13 wrong rows found by rank 1", s.result)
	}
}

func TestAComparisonOfNothingFailsTheRank(t *testing.T) {
	s := script{check: &epperfv1.Check{}}
	if err := s.run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if s.result.GetPassed() {
		t.Error("a rank passed that selects experts and compared no row")
	}
}

func TestTheEndOfTheContextAbortsTheEngine(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	var s script
	aborted := make(chan struct{})
	err := measure.Rank{
		Plan:  &epperfv1.Plan{Cases: []*epperfv1.Case{{Mode: epperfv1.Mode_MODE_DISPATCH, Passes: timed(epperfv1.Mode_MODE_DISPATCH, 2)}}},
		Group: &s,
		Sink:  &s,
		Open: func(*epperfv1.Case) (measure.Engine, error) {
			return waiting{&s, cancel, aborted}, nil
		},
	}.Run(ctx)
	if err == nil || !strings.Contains(err.Error(), "told to stop") {
		t.Errorf("Run = %v, want the engine's word that it was told to stop", err)
	}
}

// waiting is an engine whose first operation waits until it is aborted.
type waiting struct {
	*script
	cancel  context.CancelFunc
	aborted chan struct{}
}

func (w waiting) Run(*epperfv1.Pass) (measure.Block, error) {
	w.cancel()
	<-w.aborted
	return measure.Block{}, errors.New("told to stop")
}

func (w waiting) Abort() { close(w.aborted) }

// Reading a GPU takes time that belongs to no iteration.
func TestTheGPUIsReadAroundTheTimedBlock(t *testing.T) {
	var s script
	read := uint64(0)
	err := measure.Rank{
		Plan:  &epperfv1.Plan{Cases: []*epperfv1.Case{{Mode: epperfv1.Mode_MODE_DISPATCH, Passes: timed(epperfv1.Mode_MODE_DISPATCH, 2)}}},
		Group: &s,
		Sink:  &s,
		Open:  func(*epperfv1.Case) (measure.Engine, error) { return &s, nil },
		GPUState: func() *epperfv1.GpuState {
			read++
			if err := s.step("read GPU"); err != nil {
				t.Error(err)
			}
			return &epperfv1.GpuState{ThrottleReasons: &read}
		},
	}.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := "read GPU\nflush\nmeet timing\nrun dispatch x2\nread GPU\nmeet timed"
	if !strings.Contains(strings.Join(s.steps, "\n"), want) || read != 2 {
		t.Errorf("steps %q lack %q", s.steps, want)
	}
	if s.result.GetGpuBefore() == nil || s.result.GetGpuAfter() == nil {
		t.Errorf("result %v", s.result)
	}
}

// What is kept is a pair that was checked, and peers are still there.
func TestADumpComesAfterTheLastCheck(t *testing.T) {
	var s script
	err := measure.Rank{
		Plan:  &epperfv1.Plan{Cases: []*epperfv1.Case{{Mode: epperfv1.Mode_MODE_DISPATCH, Passes: timed(epperfv1.Mode_MODE_DISPATCH, 2)}}},
		Group: &s,
		Sink:  &s,
		Open:  func(*epperfv1.Case) (measure.Engine, error) { return &s, nil },
		Dump:  func(*epperfv1.Case, measure.Engine) error { return s.step("dump") },
	}.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"run e2e x1", "check e2e", "dump", "meet cleanup", "close", "result"}
	if diff := cmp.Diff(want, s.steps[len(s.steps)-len(want):]); diff != "" {
		t.Errorf("last steps (-want +got):\n%s", diff)
	}
}
