package measure_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/testing/protocmp"

	"github.com/epperf/epperf/go/internal/measure"
	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

// A soaked is a script whose clock goes by what is done: 1 ms an iteration, 4 ms a check.
type soaked struct {
	script
	ns int64
	// endAt is the iteration, counted over the whole run, in which the engine is aborted; 0: none.
	endAt, ran int
	// wrongAt is the check, counted over the whole run, that finds a wrong row; 0: none.
	wrongAt, checked int
	// wrongOf is the routing of which every check finds a wrong row.
	wrongOf epperfv1.Routing_Kind
	open    *epperfv1.Case
	rounds  []string
}

func (s *soaked) Run(p *epperfv1.Pass) (measure.Block, error) {
	n := int(p.GetCount())
	s.ran += n
	s.ns += int64(n) * 1e6
	if s.endAt > 0 && s.ran >= s.endAt {
		return measure.Block{}, errors.New("told to stop")
	}
	return s.script.Run(p)
}

func (s *soaked) Check(p *epperfv1.Pass) (*epperfv1.Check, error) {
	s.checked++
	s.ns += 4e6
	s.check = &epperfv1.Check{Rows: 10}
	if s.checked == s.wrongAt || s.wrongOf != 0 && s.open.GetRouting().GetKind() == s.wrongOf {
		s.check.Wrong, s.check.First = 1, &epperfv1.WrongRow{Token: 7}
	}
	return s.script.Check(p)
}

func (s *soaked) soak(t *testing.T, soak *epperfv1.Soak) error {
	t.Helper()
	return measure.Rank{
		Plan: &epperfv1.Plan{
			Cases: []*epperfv1.Case{{
				Mode: epperfv1.Mode_MODE_DISPATCH, Soak: soak, Seed: 7, Topk: 2, Routing: &epperfv1.Routing{Kind: epperfv1.Routing_KIND_UNIFORM},
			}},
			WaitTimeoutNs: 10e9,
		},
		Rank:  1,
		Group: s,
		Sink:  s,
		Open: func(c *epperfv1.Case) (measure.Engine, error) {
			s.rounds = append(s.rounds, fmt.Sprint(epperfv1.RoutingName(c.GetRouting()), " ", c.GetSeed()))
			s.open = c
			return s, nil
		},
		Now: func() time.Time { return time.Unix(0, s.ns) },
	}.Run(t.Context())
}

func (s *soaked) want(t *testing.T, want *epperfv1.SoakCount) {
	t.Helper()
	if diff := cmp.Diff(want, s.result.GetSoak(), protocmp.Transform()); diff != "" {
		t.Errorf("soak (-want +got):\n%s", diff)
	}
}

// What comes before and after is what comes around a timed block.
func TestASoakTakesThePlaceOfTheTimedBlock(t *testing.T) {
	var s soaked
	if err := s.soak(t, &epperfv1.Soak{Epochs: 12, CheckEvery: 5}); err != nil {
		t.Fatal(err)
	}
	checked := times(6, "poison", "meet check", "run e2e x1", "check e2e")
	var want []string
	for _, part := range [][]string{
		{"blob", "exchange", "connect 2", "meet connected", "run dispatch x1", "paths", "make expert rows"},
		checked,
		{"traffic", "meet soaking", "exchange"},
		{"run dispatch x4", "poison", "run dispatch x1", "check dispatch", "exchange"},
		{"run dispatch x4", "poison", "run dispatch x1", "check dispatch"},
		{"run dispatch x1", "poison", "run dispatch x1", "check dispatch", "exchange"}, // the last is checked, too
		checked,
		{"meet cleanup", "close", "result"},
	} {
		want = append(want, part...)
	}
	if diff := cmp.Diff(want, s.steps); diff != "" {
		t.Errorf("steps (-want +got):\n%s", diff)
	}
	s.want(t, &epperfv1.SoakCount{Epochs: 12, Checked: 3, Rows: 30, Rounds: 1})
	if !s.result.GetPassed() || s.result.GetCheck().GetRows() != 150 {
		t.Errorf("result %v, want 150 rows checked and passed", s.result)
	}
}

func TestASoakEndsWhenItsTimeIsOver(t *testing.T) {
	var s soaked
	if err := s.soak(t, &epperfv1.Soak{DurationNs: 10e9}); err != nil {
		t.Fatal(err)
	}
	count := s.result.GetSoak()
	tookMS := count.GetEpochs() + 4*count.GetChecked()
	if tookMS < 10_000 || tookMS > 11_100 {
		t.Errorf("soaked for %d ms, want 10 s and a stretch at most", tookMS)
	}
	if share := 4 * float64(count.GetChecked()) / float64(tookMS); share < 0.3 || share > 0.51 {
		t.Errorf("checks took %.0f %% of the time, want somewhat less than half", 100*share)
	}
	if count.GetRows() != 10*count.GetChecked() || !s.result.GetPassed() {
		t.Errorf("result %v", s.result)
	}
}

func TestAWrongRowEndsASoakAndFailsTheRank(t *testing.T) {
	s := soaked{wrongAt: 6 + 3}
	if err := s.soak(t, &epperfv1.Soak{DurationNs: 3600e9, CheckEvery: 1}); err != nil {
		t.Fatalf("wrong rows are a result, not an error of the run: %v", err)
	}
	count := s.result.GetSoak()
	if s.result.GetPassed() || count.GetWrong() != 1 || s.result.GetCheck().GetFirst().GetToken() != 7 {
		t.Errorf("result %v, want one wrong row", s.result)
	}
	if count.GetEpochs() > 1000 {
		t.Errorf("went on for %d epochs", count.GetEpochs())
	}
}

func TestWhatWasSoakedBeforeAnInterruptIsReported(t *testing.T) {
	s := soaked{endAt: 1 + 6 + 100}
	if err := s.soak(t, &epperfv1.Soak{DurationNs: 3600e9, CheckEvery: 1}); err == nil || !strings.Contains(err.Error(), "told to stop") {
		t.Fatalf("Run = %v, want the engine's word that it was told to stop", err)
	}
	s.want(t, &epperfv1.SoakCount{Epochs: 99, Checked: 99, Rows: 990, Rounds: 1})
	if s.result.GetPassed() {
		t.Error("a soak passed that was interrupted")
	}
}

func TestEachRoundHasItsOwnRoutingAndSeed(t *testing.T) {
	var s soaked
	if err := s.soak(t, &epperfv1.Soak{DurationNs: 60e9, RoundNs: 9e9, CheckEvery: 7}); err != nil {
		t.Fatal(err)
	}
	want := []string{"uniform 7", "uniform 8", "zipf:1 9", "hot:2 10", "balanced 11", "uniform 12"}
	if diff := cmp.Diff(want, s.rounds[:min(len(want), len(s.rounds))]); diff != "" || int(s.result.GetSoak().GetRounds()) != len(s.rounds) {
		t.Errorf("%d rounds (-want +got):\n%s", s.result.GetSoak().GetRounds(), diff)
	}
	if !s.result.GetPassed() || s.result.GetSoak().WrongRound != nil {
		t.Errorf("result %v", s.result)
	}
}

// A planted fault that one routing alone brings to light: the soak ends there, and says where.
func TestTheRoundThatFindsAFaultIsKnown(t *testing.T) {
	s := soaked{wrongOf: epperfv1.Routing_KIND_HOT}
	if err := s.soak(t, &epperfv1.Soak{DurationNs: 3600e9, RoundNs: 5e9}); err != nil {
		t.Fatal(err)
	}
	count := s.result.GetSoak()
	if s.result.GetPassed() || count.WrongRound == nil || count.GetWrongRound() != 3 || count.GetRounds() != 4 {
		t.Errorf("result %v, want a wrong row in round 3", s.result)
	}
	again := s.open.OfRound(0) // as it would be asked for
	if len(s.rounds) != 4 || again.GetSeed() != 10 || epperfv1.RoutingName(again.GetRouting()) != "hot:2" {
		t.Errorf("rounds %v", s.rounds)
	}
}

func TestASoakSaysHowFarItIs(t *testing.T) {
	var s soaked
	var said []uint64
	err := measure.Rank{
		Plan: &epperfv1.Plan{
			Cases:         []*epperfv1.Case{{Mode: epperfv1.Mode_MODE_E2E, Soak: &epperfv1.Soak{Epochs: 800, CheckEvery: 1}}},
			WaitTimeoutNs: 10e9,
		},
		Group:    &s,
		Sink:     &s,
		Open:     func(*epperfv1.Case) (measure.Engine, error) { return &s, nil },
		Now:      func() time.Time { return time.Unix(0, s.ns) },
		Progress: func(count *epperfv1.SoakCount) { said = append(said, count.GetEpochs()) },
	}.Run(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	// One to know what it takes, then a second's worth at 5 ms each.
	if diff := cmp.Diff([]uint64{1, 201, 401, 601, 800}, said); diff != "" {
		t.Errorf("said (-want +got):\n%s", diff)
	}
}
