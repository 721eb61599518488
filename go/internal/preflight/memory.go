// Package preflight is what can be known before anything starts: what a run needs, what this host
// has, and which of the two is too little. It takes facts and returns problems; perf --explain prints
// the same facts.
package preflight

import (
	"fmt"

	"github.com/epperf/epperf/go/internal/command"
	"github.com/epperf/epperf/go/internal/host"
	"github.com/epperf/epperf/go/internal/native"
	"github.com/epperf/epperf/go/internal/plan"
	"github.com/epperf/epperf/go/internal/workload"
	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

// ProcessBytes is what a rank's process takes before it has an engine: code, Go's runtime, stacks.
const ProcessBytes = 32 << 20

// EnoughMemory refuses a run that this host cannot hold, before anything starts: a rank that the
// kernel kills for memory would take others with it.
func EnoughMemory(p *epperfv1.Plan, nodeRank int, system host.System) error {
	limit, known := system.AvailableMemory()
	for _, c := range p.GetCases() {
		needed, err := MemoryNeeded(p, c, nodeRank) // also finds what is wrong with a routing
		if err != nil {
			return err
		}
		if known && needed > limit.Bytes {
			return command.Usagef("%s needs %s for %d ranks, and %s leaves %s; try fewer --num-processes, --tokens or --experts-per-rank",
				plan.CaseName(c), gibibytes(needed), p.GetRanksPerHost(), limit.By, gibibytes(limit.Bytes))
		}
	}
	return nil
}

// MemoryNeeded sums up what one case takes on the host of a node.
func MemoryNeeded(p *epperfv1.Plan, c *epperfv1.Case, nodeRank int) (uint64, error) {
	routing, err := workload.New(c)
	if err != nil {
		return 0, err
	}
	var sum uint64
	first := nodeRank * int(p.GetRanksPerHost())
	for rank := first; rank < first+int(p.GetRanksPerHost()); rank++ {
		needed, err := memoryOf(p, c, routing, rank)
		if err != nil {
			return 0, err
		}
		sum += needed.total()
	}
	return sum, nil
}

// A RankMemory is what one rank takes.
type RankMemory struct {
	native.Memory
	// RoutingBytes are the ids of all ranks and the weights of this one, in layouts that keep rows once
	// of all, on the Go side.
	RoutingBytes uint64
	// Received are the rows that it is left with after a dispatch, at most.
	Received uint64
}

func (m RankMemory) total() uint64 {
	return m.RegionBytes + m.PrivateBytes + m.RoutingBytes + ProcessBytes
}

// memoryOf returns what a rank takes of its host's memory.
func memoryOf(p *epperfv1.Plan, c *epperfv1.Case, routing *workload.Routing, rank int) (RankMemory, error) {
	engine, err := native.MemoryNeeded(c, p.GetNvlinkBackend(), plan.Threads(p), routing.ReceivedSelections(rank))
	if err != nil {
		return RankMemory{}, err
	}
	onGPU := p.GetDevice() == epperfv1.Device_DEVICE_CUDA
	if plan.BackendOf(p).On(p.GetDevice()).Mapped {
		engine.PrivateBytes, engine.ImageBytes = engine.PrivateBytes-engine.ImageBytes, 0 // no images
	}
	ids := uint64(plan.MaxTokens(c)) * uint64(c.GetTopk()) * 4 // of a rank; or its weights of a set
	if onGPU {
		engine.RegionBytes = 0 // a GPU's; the check has a copy of the tensors here
	}
	weighted, received := uint64(1), routing.ReceivedSelections(rank) // ranks; rows
	if !epperfv1.FansOut(epperfv1.LayoutOf(c)) {
		weighted += uint64(c.GetRanks())
		received = min(received, uint64(c.GetRanks())*uint64(plan.MaxTokens(c)))
	}
	return RankMemory{engine, ids * (uint64(c.GetRanks()) + weighted*workload.Sets), received}, nil
}

// LargestRank returns what the rank of this host takes that takes most: it receives most.
func LargestRank(p *epperfv1.Plan, routing *workload.Routing, nodeRank int) (RankMemory, error) {
	var most RankMemory
	first := nodeRank * int(p.GetRanksPerHost())
	for rank := first; rank < first+int(p.GetRanksPerHost()); rank++ {
		needed, err := memoryOf(p, p.GetCases()[0], routing, rank)
		if err != nil {
			return RankMemory{}, err
		}
		if needed.PrivateBytes > most.PrivateBytes {
			most = needed
		}
	}
	return most, nil
}

func gibibytes(bytes uint64) string { return fmt.Sprintf("%.1f GiB", float64(bytes)/(1<<30)) }
