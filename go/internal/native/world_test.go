package native_test

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/epperf/epperf/go/internal/native"
	"github.com/epperf/epperf/go/internal/workload"
	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

func smallCase() *epperfv1.Case {
	return &epperfv1.Case{
		Mode:           epperfv1.Mode_MODE_E2E,
		Ranks:          2,
		TokensOfRank:   []uint32{8, 3},
		Hidden:         256,
		ExpertsPerRank: 4,
		Topk:           3,
		Dtype:          epperfv1.Dtype_DTYPE_FP8,
		Routing:        &epperfv1.Routing{Kind: epperfv1.Routing_KIND_UNIFORM},
		Seed:           1,
		Warmup:         2,
		Passes:         []*epperfv1.Pass{epperfv1.Operations(epperfv1.Mode_MODE_E2E, 5)},
	}
}

func open(t *testing.T, c *epperfv1.Case, rank int, waitTimeout time.Duration) *native.Engine {
	t.Helper()
	return openWith(t, c, native.Config{Rank: rank, Threads: 1, WaitTimeout: waitTimeout})
}

// openWith opens a rank of the case on the only CPU; the rest is as in config.
func openWith(t *testing.T, c *epperfv1.Case, config native.Config) *native.Engine {
	t.Helper()
	routing, err := workload.New(c)
	if err != nil {
		t.Fatal(err)
	}
	config.Case, config.Routing = c, routing
	config.Device, config.Backend = epperfv1.Device_DEVICE_CPU, epperfv1.NvlinkBackend_NVLINK_BACKEND_IPC
	config.CPUs, config.RanksOnHost = 1, 1
	engine, err := native.Open(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { engine.Close() })
	return engine
}

// connected opens all ranks of the case in this process.
func connected(t *testing.T, c *epperfv1.Case, waitTimeout time.Duration) []*native.Engine {
	t.Helper()
	var engines []*native.Engine
	var blobs [][]byte
	for rank := range int(c.GetRanks()) {
		engine := open(t, c, rank, waitTimeout)
		blob, err := engine.Blob()
		if err != nil {
			t.Fatal(err)
		}
		engines, blobs = append(engines, engine), append(blobs, blob)
	}
	for _, engine := range engines {
		if err := engine.Connect(blobs); err != nil {
			t.Fatal(err)
		}
	}
	return engines
}

// A hall is a measure.Group of goroutines.
type hall struct {
	mu      sync.Mutex
	arrived *sync.Cond
	ranks   int
	waiting int
	round   int
	blobs   [][]byte
}

func newHall(ranks int) *hall {
	h := &hall{ranks: ranks, blobs: make([][]byte, ranks)}
	h.arrived = sync.NewCond(&h.mu)
	return h
}

func (h *hall) meet() {
	h.mu.Lock()
	defer h.mu.Unlock()
	round := h.round
	if h.waiting++; h.waiting == h.ranks {
		h.waiting, h.round = 0, h.round+1
		h.arrived.Broadcast()
	}
	for h.round == round {
		h.arrived.Wait()
	}
}

// A guest is one rank in a hall, and keeps what the rank reports.
type guest struct {
	*hall
	rank    int
	samples []*epperfv1.Samples
	result  *epperfv1.RankResult
}

func (g *guest) Exchange(_ context.Context, _ string, blob []byte) ([][]byte, error) {
	g.blobs[g.rank] = blob
	g.meet()
	return slices.Clone(g.blobs), nil
}

func (g *guest) Barrier(context.Context, string) error {
	g.meet()
	return nil
}

func (g *guest) Samples(s *epperfv1.Samples) error {
	g.samples = append(g.samples, s)
	return nil
}

func (g *guest) Result(r *epperfv1.RankResult) error {
	g.result = r
	return nil
}
