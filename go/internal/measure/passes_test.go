package measure_test

import (
	"context"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/epperf/epperf/go/internal/measure"
	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

func (s *script) calibrate(ctx context.Context, rank int, passes ...*epperfv1.Pass) error {
	return measure.Rank{
		Plan:  &epperfv1.Plan{Cases: []*epperfv1.Case{{Ranks: 3, Passes: passes}}},
		Rank:  rank,
		Group: s,
		Sink:  s,
		Open:  func(*epperfv1.Case) (measure.Engine, error) { return s, s.step("open") },
	}.Run(ctx)
}

func copies(direction epperfv1.Pass_Direction, distinct uint32, alone bool) *epperfv1.Pass {
	return &epperfv1.Pass{
		Kind: epperfv1.Pass_KIND_COPY, Count: 4, Rows: 40, DistinctRows: distinct, Direction: direction, Alone: alone,
	}
}

var (
	putAlone   = copies(epperfv1.Pass_DIRECTION_PUT, 40, true)
	putCached  = copies(epperfv1.Pass_DIRECTION_PUT, 5, false)
	roundTrips = &epperfv1.Pass{Kind: epperfv1.Pass_KIND_ROUND_TRIPS, Count: 6}
	flags      = &epperfv1.Pass{Kind: epperfv1.Pass_KIND_FLAGS, Count: 7}
)

// The middle one of three ranks waits for its turn, and answers flags without reporting them.
func TestACalibrationGoesInOrder(t *testing.T) {
	var s script
	if err := s.calibrate(t.Context(), 1, putAlone, putCached, roundTrips, flags); err != nil {
		t.Fatal(err)
	}
	var want []string
	for _, part := range [][]string{
		{"open", "blob", "exchange", "connect 2", "meet connected"},
		{"poison copies", "meet timing", "meet turn", "run put 40 x4", "meet turn", "meet turn", "meet timed"},
		{"check put 40", "samples 4 of pass 0"},
		{"poison copies", "meet timing", "run flags x1", "run put 5 x4", "meet timed"},
		{"check put 5", "samples 4 of pass 1"},
		{"meet timing", "run round-trips x6", "meet timed"},
		{"meet timing", "run flags x7", "meet timed", "samples 7 of pass 3"},
		{"meet cleanup", "close", "result"},
	} {
		want = append(want, part...)
	}
	if diff := cmp.Diff(want, s.steps); diff != "" {
		t.Errorf("steps (-want +got):\n%s", diff)
	}
	if !s.result.GetPassed() || s.result.GetCheck().GetRows() != 20 {
		t.Errorf("result %v, want 20 rows checked and passed", s.result)
	}
}

// What is fetched must lie where it is fetched from, though poison has gone over it.
func TestWhatIsFetchedIsPutFirst(t *testing.T) {
	var s script
	get := epperfv1.Pass_DIRECTION_GET
	if err := s.calibrate(t.Context(), 1, copies(get, 40, true), copies(get, 40, false)); err != nil {
		t.Fatal(err)
	}
	want := strings.Join([]string{
		"poison copies", "meet timing", "run put 40 x1", "meet put",
		"meet turn", "run get 40 x4", "meet turn", "meet turn", "meet timed", "check get 40", "samples 4 of pass 0",
		"poison copies", "meet timing", "run put 40 x1", "meet put",
		"run flags x1", "run get 40 x4", "meet timed", "check get 40", "samples 4 of pass 1",
	}, ",")
	if got := strings.Join(s.steps, ","); !strings.Contains(got, want) {
		t.Errorf("steps %s, want among them %s", got, want)
	}
}

func TestRankZeroReportsRoundTrips(t *testing.T) {
	for rank, want := range []bool{true, false, false} {
		var s script
		if err := s.calibrate(t.Context(), rank, roundTrips); err != nil {
			t.Fatal(err)
		}
		if got := strings.Contains(strings.Join(s.steps, ","), "samples 6 of pass 0"); got != want {
			t.Errorf("rank %d reports round trips: %t, want %t", rank, got, want)
		}
		if got := strings.Contains(strings.Join(s.steps, ","), "run round-trips x6"); got != (rank < 2) {
			t.Errorf("rank %d takes part in round trips: %t", rank, got)
		}
	}
}

func TestAFailureEndsTheCalibrationAndIsReported(t *testing.T) {
	for _, failAt := range []string{
		"open", "blob", "exchange", "connect 2", "meet connected", "poison copies", "meet timing", "meet turn",
		"run put 40 x4", "meet timed", "check put 40", "samples 4 of pass 0", "run flags x1", "run put 5 x4",
		"run round-trips x6", "run flags x7", "meet cleanup", "close",
	} {
		t.Run(failAt, func(t *testing.T) {
			s := script{failAt: failAt}
			if err := s.calibrate(t.Context(), 0, putAlone, putCached, roundTrips, flags); err == nil || !strings.Contains(err.Error(), "planted") {
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

func TestPassesComeInTheirOrderAndAreChecked(t *testing.T) {
	var s script
	mode := epperfv1.Mode_MODE_COMBINE
	err := measure.Rank{
		Plan: &epperfv1.Plan{Cases: []*epperfv1.Case{{Mode: mode, Passes: timed(mode, 20,
			&epperfv1.Pass{Kind: epperfv1.Pass_KIND_FRESH, Operation: mode, Count: 5},
			&epperfv1.Pass{Kind: epperfv1.Pass_KIND_CHAINED, Operation: epperfv1.Mode_MODE_E2E, Count: 1, Dropped: 16, Captured: 7},
			&epperfv1.Pass{Kind: epperfv1.Pass_KIND_GRAPH, Operation: mode, Count: 3, Captured: 16},
		)}}},
		Group: &s,
		Sink:  &s,
		Open:  func(*epperfv1.Case) (measure.Engine, error) { return &s, nil },
	}.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	_, after, _ := strings.Cut(strings.Join(s.steps, "\n"), "samples 20 of pass 0\n")
	want := strings.Join([]string{
		"poison", "meet timing", "run fresh combine x5", "meet timed", "check combine", "samples 5 of pass 1",
		"poison", "meet timing", "run chained e2e x1", "meet timed", "check e2e", "samples 1 of pass 2",
		"poison", "meet timing", "run graph combine x3", "meet timed", "check combine", "samples 3 of pass 3",
		"poison", "meet check",
	}, "\n")
	if !strings.HasPrefix(after, want) {
		t.Errorf("after the timed block:\n%s\nwant\n%s", after, want)
	}
}

// A meter that is alone moves no rows; whatever runs beside one is checked like any other operation.
func TestAMeterHasNoRowsButWhatRunsBesideIt(t *testing.T) {
	s := script{sms: [3][]uint32{{1}, {1}, {2, 3}}}
	mode, gemm := epperfv1.Mode_MODE_COMBINE, epperfv1.Pass_METER_GEMM
	err := measure.Rank{
		Plan: &epperfv1.Plan{Device: epperfv1.Device_DEVICE_CUDA, Cases: []*epperfv1.Case{{Mode: mode, Sms: 1, Passes: timed(mode, 20,
			&epperfv1.Pass{Kind: epperfv1.Pass_KIND_METER, Meter: gemm, Count: 11},
			&epperfv1.Pass{Kind: epperfv1.Pass_KIND_METER, Meter: gemm, Operation: mode, Count: 11, Captured: 20},
			&epperfv1.Pass{Kind: epperfv1.Pass_KIND_BESIDE, Meter: gemm, Operation: mode, Count: 20},
		)}}},
		Group:           &s,
		Sink:            &s,
		Open:            func(*epperfv1.Case) (measure.Engine, error) { return &s, nil },
		Multiprocessors: 3,
	}.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	_, after, _ := strings.Cut(strings.Join(s.steps, "\n"), "samples 20 of pass 0\n")
	want := strings.Join([]string{
		"meet timing", "run meter gemm unspecified x11", "meet timed", "look at SMs", "samples 11 of pass 1",
		"poison", "meet timing", "run meter gemm beside combine x11", "meet timed", "look at SMs", "check combine", "samples 11 of pass 2",
		"poison", "meet timing", "run beside gemm combine x20", "meet timed", "look at SMs", "check combine", "samples 20 of pass 3",
		"poison", "meet check",
	}, "\n")
	if !strings.HasPrefix(after, want) {
		t.Errorf("after the timed block:\n%s\nwant\n%s", after, want)
	}
	for pass, want := range []int{0, 2, 2, 2} {
		if got := s.result.GetSms().Of(pass).GetOfMeterBlock(); len(got) != want {
			t.Errorf("a result says of a meter's blocks in pass %d %v", pass, got)
		}
	}
}
