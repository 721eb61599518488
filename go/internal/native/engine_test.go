package native_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
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

// Each row is kept once, or padding comes in; what comes back is one row a selection.
func TestMemoryFollowsTheLayout(t *testing.T) {
	needed := func(change func(*epperfv1.Case)) native.Memory {
		c := smallCase()
		c.Hidden = 7168
		change(c)
		memory, err := native.MemoryNeeded(c, epperfv1.NvlinkBackend_NVLINK_BACKEND_IPC, 1, 32)
		if err != nil {
			t.Fatal(err)
		}
		return memory
	}
	expert := needed(func(*epperfv1.Case) {})
	contig := needed(func(c *epperfv1.Case) { c.Layout = epperfv1.Layout_LAYOUT_CONTIG })
	flat := needed(func(c *epperfv1.Case) { c.Layout = epperfv1.Layout_LAYOUT_FLAT })
	byExpert := needed(func(c *epperfv1.Case) { c.Combine = epperfv1.CombineSum_COMBINE_SUM_EXPERT })
	if contig.PrivateBytes <= expert.PrivateBytes || flat.PrivateBytes >= expert.PrivateBytes {
		t.Errorf("contig takes %d bytes, expert %d, flat %d", contig.PrivateBytes, expert.PrivateBytes, flat.PrivateBytes)
	}
	if expert.RegionBytes != contig.RegionBytes || byExpert.RegionBytes <= expert.RegionBytes {
		t.Errorf("regions: expert %d bytes, contig %d, by expert %d", expert.RegionBytes, contig.RegionBytes, byExpert.RegionBytes)
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
	if !errors.As(err, &failure) || failure.Kind != native.KindTimeout || !strings.Contains(err.Error(), "nothing from rank 1") {
		t.Errorf("Run = %v, want a timeout that names rank 1", err)
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

func TestSectionsAreTheRegion(t *testing.T) {
	for name, test := range map[string]struct {
		tokens, hidden, experts, topk uint32
		dtype                         epperfv1.Dtype
		wantMB                        uint64
	}{
		"128 tokens, fp8":  {128, 7168, 36, 8, epperfv1.Dtype_DTYPE_FP8, 44},
		"128 tokens, bf16": {128, 7168, 36, 8, epperfv1.Dtype_DTYPE_BF16, 58},
		"512 tokens, fp8":  {512, 4096, 8, 2, epperfv1.Dtype_DTYPE_FP8, 101},
	} {
		t.Run(name, func(t *testing.T) {
			c := smallCase()
			c.Ranks, c.TokensOfRank, c.Dtype = 8, slices.Repeat([]uint32{test.tokens}, 8), test.dtype
			c.Hidden, c.ExpertsPerRank, c.Topk = test.hidden, test.experts, test.topk
			memory, err := native.MemoryNeeded(c, epperfv1.NvlinkBackend_NVLINK_BACKEND_IPC, 1, 0)
			if err != nil {
				t.Fatal(err)
			}
			sum := sumOfSections(t, c, epperfv1.Device_DEVICE_CPU, 1)
			if sum != memory.RegionBytes || sum/1_000_000 != test.wantMB {
				t.Errorf("sections have %d bytes, the region %d; want some %d MB", sum, memory.RegionBytes, test.wantMB)
			}
		})
	}
}

func sumOfSections(t *testing.T, c *epperfv1.Case, device epperfv1.Device, threads int) uint64 {
	t.Helper()
	sections, err := native.Sections(c, device, threads)
	if err != nil {
		t.Fatal(err)
	}
	var sum uint64
	for _, section := range sections {
		sum += section.Bytes
	}
	return sum
}

// Workers have words of their own in a region, so its size depends on how many there are.
func TestARegionIsAsLargeAsForetold(t *testing.T) {
	c := smallCase()
	c.TokensOfRank = []uint32{300, 300}
	sizes := map[uint64]bool{}
	for _, threads := range []int{1, 3, 64} {
		memory, err := native.MemoryNeeded(c, epperfv1.NvlinkBackend_NVLINK_BACKEND_IPC, threads, 0)
		if err != nil {
			t.Fatal(err)
		}
		if sum := sumOfSections(t, c, epperfv1.Device_DEVICE_CPU, threads); sum != memory.RegionBytes {
			t.Errorf("%d threads: sections have %d bytes, the region %d", threads, sum, memory.RegionBytes)
		}
		before := sharedRegions(t)
		engine := openWith(t, c, native.Config{Threads: threads})
		if got := sharedRegions(t) - before; got != memory.RegionBytes {
			t.Errorf("%d threads: a region of %d bytes was foretold, there is one of %d", threads, memory.RegionBytes, got)
		}
		engine.Close()
		sizes[memory.RegionBytes] = true
	}
	if len(sizes) < 2 {
		t.Error("regions of all numbers of threads have the same size")
	}
	if _, err := native.Sections(c, epperfv1.Device_DEVICE_CPU, 0); err == nil {
		t.Error("a rank without a thread has a region")
	}
	if _, err := native.Sections(c, epperfv1.Device_DEVICE_UNSPECIFIED, 1); err == nil {
		t.Error("a rank of no device has a region")
	}
}

// sharedRegions adds up the regions that this process has made: they are memory without a name.
func sharedRegions(t *testing.T) uint64 {
	t.Helper()
	const descriptors = "/proc/self/fd"
	open, err := os.ReadDir(descriptors)
	if err != nil {
		t.Fatal(err)
	}
	var bytes uint64
	for _, each := range open {
		path := filepath.Join(descriptors, each.Name())
		if what, _ := os.Readlink(path); !strings.Contains(what, "epperf-region") {
			continue // or it is that of the folder, which is closed by now
		}
		described, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		bytes += uint64(described.Size())
	}
	return bytes
}

func TestACalibrationNeedsItsRowsTwiceAndNoFlush(t *testing.T) {
	c := smallCase()
	plain, err := native.MemoryNeeded(c, epperfv1.NvlinkBackend_NVLINK_BACKEND_IPC, 1, 0)
	if err != nil {
		t.Fatal(err)
	}
	c.Mode, c.Passes = epperfv1.Mode_MODE_UNSPECIFIED, []*epperfv1.Pass{{Kind: epperfv1.Pass_KIND_COPY, Rows: 1000, DistinctRows: 1}}
	landing, err := native.MemoryNeeded(c, epperfv1.NvlinkBackend_NVLINK_BACKEND_IPC, 1, 0)
	if err != nil {
		t.Fatal(err)
	}
	const rowBytes = 2 * 256
	if got := landing.RegionBytes - plain.RegionBytes; got != 1000*rowBytes+128 {
		t.Errorf("its region has %d bytes more", got)
	}
	if got := landing.PrivateBytes - (plain.PrivateBytes - plain.FlushBytes); got != 1000*rowBytes {
		t.Errorf("it has %d bytes more of its own", got)
	}
}

// Besides BF16, three sets of all tokens' codes and scales.
func TestRowsThatAreQuantisedBeforeNeedMemory(t *testing.T) {
	c := smallCase()
	inside, err := native.MemoryNeeded(c, epperfv1.NvlinkBackend_NVLINK_BACKEND_IPC, 1, 0)
	if err != nil {
		t.Fatal(err)
	}
	c.Quantize = epperfv1.Quantize_QUANTIZE_OUTSIDE
	outside, err := native.MemoryNeeded(c, epperfv1.NvlinkBackend_NVLINK_BACKEND_IPC, 1, 0)
	if err != nil {
		t.Fatal(err)
	}
	want := inside
	want.PrivateBytes += 3 * uint64(c.GetTokensOfRank()[0]) * (256 + 2*4)
	if outside != want {
		t.Errorf("memory %+v; want %+v", outside, want)
	}
	c.Dtype = epperfv1.Dtype_DTYPE_BF16
	if _, err := native.MemoryNeeded(c, epperfv1.NvlinkBackend_NVLINK_BACKEND_IPC, 1, 0); err == nil {
		t.Error("the core quantises BF16")
	}
}

// docs/architecture.md has these sums.
func TestMemoryNeededAtTheSeedsShape(t *testing.T) {
	c := smallCase()
	c.Ranks, c.TokensOfRank, c.Hidden, c.ExpertsPerRank, c.Topk = 8, []uint32{128, 128, 128, 128, 128, 128, 128, 128}, 7168, 36, 8
	memory, err := native.MemoryNeeded(c, epperfv1.NvlinkBackend_NVLINK_BACKEND_IPC, 1, 1024)
	if err != nil {
		t.Fatal(err)
	}
	if got := memory.RegionBytes; got != 44_673_024 {
		t.Errorf("a region has %d bytes, want 44,673,024", got)
	}
	// 1024 rows of 7168 + 224 + 8 + 3 * 14336 bytes, 128 tokens in and out, and 256 MB of zeros.
	if got := memory.PrivateBytes / 1_000_000; got != 315 {
		t.Errorf("a rank has %d bytes of its own, want some 315 MB", memory.PrivateBytes)
	}
	c.Hidden = 100
	if _, err := native.MemoryNeeded(c, epperfv1.NvlinkBackend_NVLINK_BACKEND_IPC, 1, 1024); err == nil {
		t.Error("a hidden size of 100 was accepted")
	}
}

func TestWithoutMappedMemoryPeersHaveImages(t *testing.T) {
	c := smallCase()
	c.Ranks, c.TokensOfRank = 3, []uint32{4, 4, 4}
	mapped, err := native.MemoryNeeded(c, epperfv1.NvlinkBackend_NVLINK_BACKEND_IPC, 1, 0)
	if err != nil {
		t.Fatal(err)
	}
	sent, err := native.MemoryNeeded(c, epperfv1.NvlinkBackend_NVLINK_BACKEND_NIXL, 1, 0)
	if err != nil {
		t.Fatal(err)
	}
	// A region holds what three ranks share of it; an image what one does.
	if sent.ImageBytes == 0 || sent.ImageBytes > sent.RegionBytes*2/3 {
		t.Errorf("images of two peers have %d bytes, a region of three ranks %d", sent.ImageBytes, sent.RegionBytes)
	}
	if mapped.ImageBytes != 0 || sent.PrivateBytes != mapped.PrivateBytes+sent.ImageBytes || sent.RegionBytes != mapped.RegionBytes {
		t.Errorf("mapped: %+v, sent: %+v", mapped, sent)
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
