package native_test

import (
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/epperf/epperf/go/internal/measure"
	"github.com/epperf/epperf/go/internal/native"
	"github.com/epperf/epperf/go/internal/workload"
	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

func TestACalibrationRunsAndIsRight(t *testing.T) {
	const rows, cached, iterations = 9, 2, 3
	c := smallCase()
	c.Mode, c.Dtype, c.TokensOfRank, c.Topk = epperfv1.Mode_MODE_UNSPECIFIED, epperfv1.Dtype_DTYPE_BF16, []uint32{1, 1}, 1
	c.Passes = nil
	for _, distinct := range []uint32{rows, cached} {
		c.Passes = append(c.Passes, copies(distinct, iterations, true), copies(distinct, iterations, false))
	}
	c.Passes = append(c.Passes,
		&epperfv1.Pass{Kind: epperfv1.Pass_KIND_ROUND_TRIPS, Count: 20}, &epperfv1.Pass{Kind: epperfv1.Pass_KIND_FLAGS, Count: 30})
	routing, err := workload.New(c)
	if err != nil {
		t.Fatal(err)
	}
	hall := newHall(int(c.GetRanks()))
	var running sync.WaitGroup
	for r := range int(c.GetRanks()) {
		g := &guest{hall: hall, rank: r}
		running.Go(func() {
			err := measure.Rank{
				Plan: &epperfv1.Plan{Cases: []*epperfv1.Case{c}}, Rank: r, Group: g, Sink: g,
				Open: func(c *epperfv1.Case) (measure.Engine, error) {
					return native.Open(native.Config{Case: c, Device: epperfv1.Device_DEVICE_CPU, Backend: epperfv1.NvlinkBackend_NVLINK_BACKEND_IPC, Rank: r, CPUs: 1, RanksOnHost: 1, Threads: 1, WaitTimeout: 10 * time.Second, Routing: routing})
				},
			}.Run(t.Context())
			if err != nil {
				t.Errorf("rank %d: %v", r, err)
			}
			if !g.result.GetPassed() || g.result.GetCheck().GetRows() != 2*(rows+cached) {
				t.Errorf("rank %d: %v", r, g.result)
			}
			for _, samples := range g.samples {
				if slices.Contains(samples.GetDurationNs(), 0) {
					t.Errorf("rank %d: nothing took no time: %v", r, samples)
				}
			}
			if want := 6 - r; len(g.samples) != want { // rank 0 reports round trips for both
				t.Errorf("rank %d sent %d blocks, want %d", r, len(g.samples), want)
			}
		})
	}
	running.Wait()
}

// copies is a pass of copies to the next rank.
func copies(distinct uint32, iterations int, alone bool) *epperfv1.Pass {
	return &epperfv1.Pass{
		Kind: epperfv1.Pass_KIND_COPY, Count: uint32(iterations), Rows: 9, DistinctRows: distinct,
		Direction: epperfv1.Pass_DIRECTION_PUT, Alone: alone,
	}
}

func TestOnlyACalibrationCopies(t *testing.T) {
	engine := connected(t, smallCase(), time.Second)[0]
	_, err := engine.Run(copies(1, 1, false))
	var failure *native.Error
	if !errors.As(err, &failure) || failure.Kind != native.KindState {
		t.Errorf("Copy = %v, want an error of state", err)
	}
}
