package measure_test

import (
	"context"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/epperf/epperf/go/internal/measure"
	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

// A calibrator is a script that is asked for copies and flags.
type calibrator struct{ *script }

func (c calibrator) PoisonLanding() error { return c.step("poison landing") }

func (c calibrator) Copy(direction measure.Direction, distinct, n int) ([]uint64, error) {
	return make([]uint64, n), c.step("%s %d x%d", names[direction], distinct, n)
}

func (c calibrator) CheckLanding(direction measure.Direction, distinct int) (*epperfv1.Check, error) {
	return &epperfv1.Check{Rows: uint64(distinct)}, c.step("check %s %d", names[direction], distinct)
}

var names = map[measure.Direction]string{measure.Put: "put", measure.Get: "get", measure.Local: "local"}

func (c calibrator) RoundTrips(n int) ([]uint64, error) {
	return make([]uint64, n), c.step("round trips x%d", n)
}

func (c calibrator) RunFlags(n int) (measure.Block, error) {
	return measure.Block{FirstEpoch: 2, DurationNS: make([]uint64, n)}, c.step("flags x%d", n)
}

func (s *script) calibrate(ctx context.Context, rank int) error {
	return s.calibrateOn(ctx, epperfv1.Device_DEVICE_CPU, rank)
}

func (s *script) calibrateOn(ctx context.Context, device epperfv1.Device, rank int) error {
	return measure.Rank{
		Plan: &epperfv1.Plan{Device: device, Cases: []*epperfv1.Case{{
			Mode: epperfv1.Mode_MODE_CALIBRATE, Ranks: 3, Iterations: 4,
			Calibration: &epperfv1.Calibration{Rows: 40, CachedRows: 5, RoundTrips: 6, Epochs: 7},
		}}},
		Rank:           rank,
		Group:          s,
		Sink:           s,
		OpenCalibrator: func(*epperfv1.Case) (measure.Calibrator, error) { return calibrator{s}, s.step("open") },
	}.Run(ctx)
}

// The middle one of three ranks waits for its turn, and answers flags without reporting them.
func TestACalibrationGoesInOrder(t *testing.T) {
	var s script
	if err := s.calibrate(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	var want []string
	for _, part := range [][]string{
		{"open", "blob", "exchange", "connect 2", "meet connected"},
		{"poison landing", "meet warmup", "meet turn", "put 40 x4", "meet turn", "meet turn", "meet copied"},
		{"check put 40", "BLOCK_COPY_ALONE: 4 from epoch 0"},
		{"poison landing", "meet warmup", "flags x1", "put 40 x4", "meet copied"},
		{"check put 40", "BLOCK_COPY_ALL: 4 from epoch 0"},
		{"poison landing", "meet warmup", "meet turn", "put 5 x4", "meet turn", "meet turn", "meet copied"},
		{"check put 5", "BLOCK_CACHED_COPY_ALONE: 4 from epoch 0"},
		{"poison landing", "meet warmup", "flags x1", "put 5 x4", "meet copied"},
		{"check put 5", "BLOCK_CACHED_COPY_ALL: 4 from epoch 0"},
		{"meet round trips", "round trips x6"},
		{"meet epochs", "flags x7", "BLOCK_FLAGS: 7 from epoch 2"},
		{"meet cleanup", "close", "result"},
	} {
		want = append(want, part...)
	}
	if diff := cmp.Diff(want, s.steps); diff != "" {
		t.Errorf("steps (-want +got):\n%s", diff)
	}
	if !s.result.GetPassed() || s.result.GetCheck().GetRows() != 90 {
		t.Errorf("result %v, want 90 rows checked and passed", s.result)
	}
}

// What is fetched must lie where it is fetched from, though poison has gone over it.
func TestGPUsAlsoCopyBackAndWithinThemselves(t *testing.T) {
	var s script
	if err := s.calibrateOn(t.Context(), epperfv1.Device_DEVICE_CUDA, 1); err != nil {
		t.Fatal(err)
	}
	want := strings.Join([]string{
		"poison landing", "meet warmup", "put 40 x1", "meet put", "meet turn", "get 40 x4", "meet turn", "meet turn", "meet copied",
		"check get 40", "BLOCK_GET_ALONE: 4 from epoch 0",
		"poison landing", "meet warmup", "put 40 x1", "meet put", "flags x1", "get 40 x4", "meet copied",
		"check get 40", "BLOCK_GET_ALL: 4 from epoch 0",
		"poison landing", "meet warmup", "flags x1", "local 40 x4", "meet copied",
		"check local 40", "BLOCK_LOCAL_COPY: 4 from epoch 0",
		"meet round trips",
	}, ",")
	if got := strings.Join(s.steps, ","); !strings.Contains(got, want) {
		t.Errorf("steps %s, want among them %s", got, want)
	}
}

func TestRankZeroReportsRoundTrips(t *testing.T) {
	for rank, want := range []bool{true, false, false} {
		var s script
		if err := s.calibrate(t.Context(), rank); err != nil {
			t.Fatal(err)
		}
		if got := strings.Contains(strings.Join(s.steps, ","), "BLOCK_ROUND_TRIP: 6"); got != want {
			t.Errorf("rank %d reports round trips: %t, want %t", rank, got, want)
		}
		if got := strings.Contains(strings.Join(s.steps, ","), "round trips x6"); got != (rank < 2) {
			t.Errorf("rank %d takes part in round trips: %t", rank, got)
		}
	}
}

func TestAFailureEndsTheCalibrationAndIsReported(t *testing.T) {
	for _, failAt := range []string{
		"open", "blob", "exchange", "connect 2", "meet connected", "poison landing", "meet warmup", "meet turn",
		"put 40 x4", "meet copied", "check put 40", "BLOCK_COPY_ALONE: 4 from epoch 0", "flags x1", "put 5 x4",
		"meet round trips", "round trips x6", "meet epochs", "flags x7", "meet cleanup", "close",
	} {
		t.Run(failAt, func(t *testing.T) {
			s := script{failAt: failAt}
			if err := s.calibrate(t.Context(), 0); err == nil || !strings.Contains(err.Error(), "planted") {
				t.Errorf("Run = %v, want the planted error", err)
			}
			if s.result.GetPassed() || !strings.Contains(s.result.GetError(), "planted") {
				t.Errorf("result %v, want the planted error", s.result)
			}
			if failAt != "open" && !strings.Contains(strings.Join(s.steps, ","), "close") {
				t.Error("the calibrator was not closed")
			}
		})
	}
}

func TestDetailOfGPUsComesLast(t *testing.T) {
	for name, test := range map[string]struct {
		device epperfv1.Device
		detail *epperfv1.Detail
		want   []string
	}{
		"graphs and kernels": {
			epperfv1.Device_DEVICE_CUDA,
			&epperfv1.Detail{FreshIterations: 5, Pairs: 7, GraphOperations: 16, GraphReplays: 3, KernelIterations: 6},
			[]string{
				"poison", "meet detail", "run graph combine x3 of 16", "meet detailed", "check combine", "BLOCK_GRAPH: 3 from epoch 39",
				"poison", "meet detail", "run kernels combine x6", "meet detailed", "check combine", "BLOCK_KERNELS: 6 from epoch 49",
			},
		},
		"none planned": {epperfv1.Device_DEVICE_CUDA, &epperfv1.Detail{FreshIterations: 5, Pairs: 7}, nil},
		"no GPU": {
			epperfv1.Device_DEVICE_CPU,
			&epperfv1.Detail{FreshIterations: 5, Pairs: 7, GraphOperations: 16, GraphReplays: 3, KernelIterations: 6}, nil,
		},
	} {
		t.Run(name, func(t *testing.T) {
			var s script
			err := measure.Rank{
				Plan: &epperfv1.Plan{Device: test.device, Cases: []*epperfv1.Case{{
					Mode: epperfv1.Mode_MODE_COMBINE, Iterations: 20, Detail: test.detail,
				}}},
				Group: &s, Sink: &s,
				Open: func(*epperfv1.Case) (measure.Engine, error) { return &s, nil },
			}.Run(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			_, after, _ := strings.Cut(strings.Join(s.steps, "\n"), "BLOCK_CHAINED: 1 from epoch 29\n")
			want := strings.Join(append(test.want, "poison", "meet check"), "\n")
			if !strings.HasPrefix(after, want) {
				t.Errorf("after the chained pairs:\n%s\nwant\n%s", after, want)
			}
		})
	}
}

func TestDetailComesAfterTheTimedBlock(t *testing.T) {
	var s script
	err := measure.Rank{
		Plan: &epperfv1.Plan{Cases: []*epperfv1.Case{{
			Mode: epperfv1.Mode_MODE_COMBINE, Iterations: 20,
			Detail: &epperfv1.Detail{FreshIterations: 5, DroppedPairs: 16, Pairs: 7},
		}}},
		Group: &s,
		Sink:  &s,
		Open:  func(*epperfv1.Case) (measure.Engine, error) { return &s, nil },
	}.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	_, after, _ := strings.Cut(strings.Join(s.steps, "\n"), "samples 20 from epoch 9\n")
	want := strings.Join([]string{
		"poison", "meet detail", "run fresh combine x5", "meet detailed", "check combine", "BLOCK_FRESH: 5 from epoch 19",
		"poison", "meet detail", "run chained e2e x7 after 16", "meet detailed", "check e2e", "BLOCK_CHAINED: 1 from epoch 29",
		"poison", "meet check",
	}, "\n")
	if !strings.HasPrefix(after, want) {
		t.Errorf("after the timed block:\n%s\nwant\n%s", after, want)
	}
}
