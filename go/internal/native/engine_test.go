package native_test

import (
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/epperf/epperf/go/internal/measure"
	"github.com/epperf/epperf/go/internal/native"
	"github.com/epperf/epperf/go/internal/workload"
	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

func TestEveryModeRunsAndIsRight(t *testing.T) {
	for _, mode := range []epperfv1.Mode{epperfv1.Mode_MODE_DISPATCH, epperfv1.Mode_MODE_COMBINE, epperfv1.Mode_MODE_E2E} {
		for _, dtype := range []epperfv1.Dtype{epperfv1.Dtype_DTYPE_FP8, epperfv1.Dtype_DTYPE_BF16} {
			t.Run(epperfv1.Name(mode)+" "+epperfv1.Name(dtype), func(t *testing.T) {
				c := smallCase()
				c.Mode, c.Dtype = mode, dtype
				runs(t, c)
			})
		}
	}
}

func TestEveryLayoutRunsAndIsRight(t *testing.T) {
	for _, way := range []struct {
		layout  epperfv1.Layout
		combine epperfv1.CombineSum
	}{
		{epperfv1.Layout_LAYOUT_CONTIG, epperfv1.CombineSum_COMBINE_SUM_RANK},
		{epperfv1.Layout_LAYOUT_FLAT, epperfv1.CombineSum_COMBINE_SUM_RANK},
		{epperfv1.Layout_LAYOUT_RANK, epperfv1.CombineSum_COMBINE_SUM_RANK},
		{epperfv1.Layout_LAYOUT_EXPERT, epperfv1.CombineSum_COMBINE_SUM_EXPERT},
		{epperfv1.Layout_LAYOUT_CONTIG, epperfv1.CombineSum_COMBINE_SUM_EXPERT},
	} {
		t.Run(epperfv1.Name(way.layout)+" "+epperfv1.Name(way.combine), func(t *testing.T) {
			c := smallCase()
			c.Layout, c.Combine = way.layout, way.combine
			runs(t, c)
		})
	}
}

func runs(t *testing.T, c *epperfv1.Case) {
	t.Helper()
	routing, err := workload.New(c)
	if err != nil {
		t.Fatal(err)
	}
	hall := newHall(int(c.GetRanks()))
	var guests []*guest
	var running sync.WaitGroup
	for r := range int(c.GetRanks()) {
		g := &guest{hall: hall, rank: r}
		guests = append(guests, g)
		rank := measure.Rank{
			Plan:  &epperfv1.Plan{Cases: []*epperfv1.Case{c}},
			Rank:  r,
			Group: g,
			Sink:  g,
			Open: func(c *epperfv1.Case) (measure.Engine, error) {
				return native.Open(native.Config{Case: c, Device: epperfv1.Device_DEVICE_CPU, Backend: epperfv1.NvlinkBackend_NVLINK_BACKEND_IPC, Rank: r, CPUs: 1, RanksOnHost: 1, Threads: 2, WaitTimeout: 10 * time.Second, Routing: routing})
			},
		}
		running.Go(func() {
			if err := rank.Run(t.Context()); err != nil {
				t.Errorf("rank %d: %v", r, err)
			}
		})
	}
	running.Wait()
	for r, g := range guests {
		if !g.result.GetPassed() || g.result.GetCheck().GetWrong() != 0 {
			t.Errorf("rank %d: %v", r, g.result)
		}
		if len(g.samples) != 1 || len(g.samples[0].GetDurationNs()) != c.Iterations() {
			t.Errorf("rank %d sent samples %v", r, g.samples)
		}
		if got, want := g.result.GetTraffic().GetSelections(), uint64(c.GetTokensOfRank()[r]*c.GetTopk()); got != want {
			t.Errorf("rank %d made %d selections, want %d", r, got, want)
		}
	}
}

func TestASilentPeerIsNamed(t *testing.T) {
	engines := connected(t, smallCase(), 20*time.Millisecond)
	_, err := engines[0].Run(epperfv1.Operations(epperfv1.Mode_MODE_DISPATCH, 1))
	var failure *native.Error
	if !errors.As(err, &failure) || failure.Kind != native.KindTimeout ||
		!strings.Contains(err.Error(), "nothing from rank 1") || !strings.HasSuffix(err.Error(), ". Is it alive? --wait-timeout allows more") {
		t.Errorf("Run = %v, want a timeout that names rank 1 and the flag", err)
	}
}

func TestAbortEndsAWait(t *testing.T) {
	engines := connected(t, smallCase(), time.Hour)
	time.AfterFunc(10*time.Millisecond, engines[0].Abort)
	_, err := engines[0].Run(epperfv1.Operations(epperfv1.Mode_MODE_DISPATCH, 1))
	var failure *native.Error
	if !errors.As(err, &failure) || failure.Kind != native.KindAborted {
		t.Errorf("Run = %v, want an abort", err)
	}
}

func TestAbortAfterCloseDoesNothing(t *testing.T) {
	engine := open(t, smallCase(), 0, time.Second)
	if err := engine.Close(); err != nil {
		t.Fatal(err)
	}
	engine.Abort()
	if err := engine.Close(); err != nil {
		t.Errorf("second Close: %v", err)
	}
}

func TestABlobOfNobodyIsRefused(t *testing.T) {
	engine := open(t, smallCase(), 0, time.Second)
	if err := engine.Connect([][]byte{nil, {1, 2, 3}}); err == nil || !strings.Contains(err.Error(), "rank 1") {
		t.Errorf("Connect = %v, want an error that names rank 1", err)
	}
	if err := engine.Connect(nil); err == nil {
		t.Error("Connect accepted no blobs for two ranks")
	}
}

func TestTensorsAreCopiedInPiecesAndWithinTheirSize(t *testing.T) {
	engine := open(t, smallCase(), 0, time.Second)
	var failed *native.Error
	if _, err := engine.TensorBytes(measure.X); !errors.As(err, &failed) || failed.Kind != native.KindState {
		t.Errorf("before any operation: %v", err)
	}
	c := smallCase()
	c.Ranks, c.TokensOfRank = 1, []uint32{5}
	engine = connected(t, c, time.Second)[0]
	if _, err := engine.Run(epperfv1.Operations(epperfv1.Mode_MODE_DISPATCH, 1)); err != nil {
		t.Fatal(err)
	}
	if err := engine.MakeExpertRows(); err != nil {
		t.Fatal(err)
	}
	if _, err := engine.Run(epperfv1.Operations(epperfv1.Mode_MODE_E2E, 1)); err != nil {
		t.Fatal(err)
	}
	const received = 5 * 3
	for tensor, want := range map[measure.Tensor]uint64{
		measure.X: 5 * 256 * 2, measure.TopkIdx: 5 * 3 * 4, measure.TopkWeights: 5 * 3 * 4, measure.RecvCount: 4 * 4,
		measure.RecvX: received * 256, measure.RecvScales: received * 2 * 4, measure.RecvSrc: received * 2 * 4,
		measure.ExpertOut: received * 256 * 2, measure.Combined: 5 * 256 * 2,
	} {
		got, err := engine.TensorBytes(tensor)
		if err != nil || got != want {
			t.Errorf("tensor %d has %d bytes, %v; want %d", tensor, got, err, want)
			continue
		}
		whole, pieces := make([]byte, want), make([]byte, want)
		if err := engine.CopyTensor(tensor, 0, whole); err != nil {
			t.Fatal(err)
		}
		for at := range pieces {
			if err := engine.CopyTensor(tensor, uint64(at), pieces[at:at+1]); err != nil {
				t.Fatal(err)
			}
		}
		if !slices.Equal(whole, pieces) {
			t.Errorf("tensor %d in pieces is another", tensor)
		}
		for _, offset := range []uint64{1, want + 1, 1<<64 - 1} {
			if err := engine.CopyTensor(tensor, offset, whole); !errors.As(err, &failed) || failed.Kind != native.KindInvalid {
				t.Errorf("tensor %d, %d bytes from byte %d on: %v", tensor, want, offset, err)
			}
		}
		if err := engine.CopyTensor(tensor, want, nil); err != nil {
			t.Errorf("nothing from the end on: %v", err)
		}
	}
}
