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

// EnoughMemory refuses a run that this host cannot hold, or whose processes may not have what it takes,
// before anything starts: a rank that the kernel kills for memory would take others with it.
func EnoughMemory(p *epperfv1.Plan, node Node, system host.System) error {
	limit, known := system.AvailableMemory()
	for _, c := range p.GetCases() {
		routing, err := workload.New(c) // also finds what is wrong with a routing
		if err != nil {
			return err
		}
		memory, err := MemoryOf(p, c, routing, node)
		if err != nil {
			return err
		}
		if needed := memory.Bytes; known && needed > limit.Left {
			return command.Usagef("%s needs %s for %d ranks, and %s leaves %s; try fewer --num-processes, --tokens or --experts-per-rank",
				plan.CaseName(c), gibibytes(needed), p.GetRanksPerHost(), limit.By, gibibytes(limit.Left))
		}
		if err := withinLimits(p, c, memory, system); err != nil {
			return err
		}
	}
	return nil
}

// A Node is one launcher of a run.
type Node struct {
	Rank int
	// FlushBytes is what FlushBytes returns there.
	FlushBytes uint64
}

// HostMemory is what the ranks of one host take of its memory.
type HostMemory struct {
	// Bytes of all of them together.
	Bytes uint64
	// Largest is that of the rank that takes most: it receives most.
	Largest RankMemory
}

// MemoryOf returns what one case takes on the host of a node.
func MemoryOf(p *epperfv1.Plan, c *epperfv1.Case, routing *workload.Routing, node Node) (HostMemory, error) {
	var memory HostMemory
	first := node.Rank * int(p.GetRanksPerHost())
	for rank := first; rank < first+int(p.GetRanksPerHost()); rank++ {
		needed, err := memoryOf(p, c, routing, rank)
		if err != nil {
			return HostMemory{}, err
		}
		if flushes(c) && p.GetDevice() == epperfv1.Device_DEVICE_CPU {
			needed.FlushBytes = node.FlushBytes
			needed.PrivateBytes += node.FlushBytes
		}
		memory.Bytes += needed.total()
		if needed.PrivateBytes > memory.Largest.PrivateBytes {
			memory.Largest = needed
		}
	}
	return memory, nil
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

// GPURankOf returns what decides how much memory a plan's ranks on GPUs need, of which one is left with
// so many rows.
func GPURankOf(p *epperfv1.Plan, received uint64) native.GPURank {
	return native.GPURank{
		Backend: p.GetNvlinkBackend(), RanksOnHost: plan.RanksOnHost(p), NicMemory: epperfv1.NicMemoryOf(p), ReceivedSelections: received,
	}
}

// memoryOf returns what a rank takes of its host's memory.
func memoryOf(p *epperfv1.Plan, c *epperfv1.Case, routing *workload.Routing, rank int) (RankMemory, error) {
	received := routing.ReceivedSelections(rank) // rows
	var engine native.Memory
	var err error
	if p.GetDevice() == epperfv1.Device_DEVICE_CUDA {
		engine, err = native.HostMemoryNeeded(c, GPURankOf(p, received))
	} else {
		engine, err = native.MemoryNeeded(c, native.CPURank{
			Backend: p.GetNvlinkBackend(), RanksOnHost: plan.RanksOnHost(p), Threads: plan.Threads(p), ReceivedSelections: received,
		})
	}
	if err != nil {
		return RankMemory{}, err
	}
	ids := uint64(plan.MaxTokens(c)) * uint64(c.GetTopk()) * 4 // of a rank; or its weights of a set
	weighted := uint64(1)                                      // ranks
	if !epperfv1.FansOut(epperfv1.LayoutOf(c)) {
		weighted += uint64(c.GetRanks())
		received = min(received, uint64(c.GetRanks())*uint64(plan.MaxTokens(c)))
	}
	return RankMemory{engine, ids * (uint64(c.GetRanks()) + weighted*workload.Sets), received}, nil
}

func gibibytes(bytes uint64) string { return fmt.Sprintf("%.1f GiB", float64(bytes)/(1<<30)) }
