package conduct

import (
	"io"
	"os"
	"time"

	"github.com/epperf/epperf/go/internal/figures"
	"github.com/epperf/epperf/go/internal/host"
	"github.com/epperf/epperf/go/internal/native"
	"github.com/epperf/epperf/go/internal/plan"
	"github.com/epperf/epperf/go/internal/preflight"
	"github.com/epperf/epperf/go/internal/record"
	"github.com/epperf/epperf/go/internal/report"
	"github.com/epperf/epperf/go/internal/workload"
	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

// Explain prints what the plan's run would be and take. It starts nothing and keeps nothing, so it
// also says it of a run that this host cannot hold.
func Explain(to io.Writer, p *epperfv1.Plan, nodeRank int, search *epperfv1.GpuSearch) error {
	system, err := host.This()
	if err != nil {
		return err
	}
	gpus, err := preflight.GPUsOf(p)
	if err != nil {
		return err
	}
	facts := system.Describe()
	facts.Gpus, facts.GpuSearch = gpus, search
	facts.PlaceOfRank = preflight.DescribePlaces(preflight.Places(p, nodeRank, system, gpus, os.DirFS("/sys")))
	c := p.GetCases()[0]
	routing, err := workload.New(c)
	if err != nil {
		return err
	}
	of := report.Explanation{
		Summary: figures.Summarize(&record.Record{Header: &epperfv1.Header{
			Plan: p, Hosts: []*epperfv1.Host{facts},
		}}),
		Routing:     epperfv1.RoutingName(c.GetRouting()),
		Dtype:       epperfv1.Name(c.GetDtype()),
		Seed:        c.GetSeed(),
		Places:      facts.GetPlaceOfRank(),
		RanksHere:   int(p.GetRanksPerHost()),
		Timeout:     time.Duration(p.GetTimeoutNs()),
		WaitTimeout: time.Duration(p.GetWaitTimeoutNs()),
	}
	if limit, known := system.AvailableMemory(); known {
		of.AvailableBytes, of.AvailableBy = limit.Left, limit.By
	}
	sections, err := native.Sections(c, native.Site{Device: p.GetDevice(), Backend: p.GetNvlinkBackend(), Threads: plan.Threads(p)})
	if err != nil {
		return err
	}
	for _, section := range sections {
		of.Region = append(of.Region, report.Part{Name: section.Name, Bytes: section.Bytes})
	}
	memory, err := preflight.MemoryOf(p, c, routing, preflight.Node{Rank: nodeRank, FlushBytes: preflight.FlushBytes(p, system)})
	if err != nil {
		return err
	}
	most := memory.Largest
	of.NeededBytes = memory.Bytes
	of.Output = report.OutputRows{Reserved: most.OutputRows, Bytes: most.OutputBytes, Received: most.Received}
	of.Private = privateParts(most.Memory,
		report.Part{Name: "routing of all ranks", Bytes: most.RoutingBytes},
		report.Part{Name: "process", Bytes: preflight.ProcessBytes})
	if len(gpus) > 0 {
		if of.GPU, of.Private, err = explainGPU(p, gpus); err != nil {
			return err
		}
	}
	var traffic []*epperfv1.Traffic
	for rank := range plan.RankCount(p) {
		traffic = append(traffic, routing.Traffic(rank))
	}
	of.Traffic = figures.MeanBytes(c, traffic)
	_, err = to.Write(of.Text())
	return err
}

// explainGPU returns what ranks take of the first GPU, which has as many as any, and what a rank has
// of its own there.
func explainGPU(p *epperfv1.Plan, gpus []*epperfv1.Gpu) (*report.GPUMemory, []report.Part, error) {
	rank, err := native.GPUMemoryNeeded(p.GetCases()[0], preflight.GPURankOf(p, 0))
	if err != nil {
		return nil, nil, err
	}
	ranks := plan.RanksOnGPU(p, 0, len(gpus))
	return &report.GPUMemory{
		Name:        gpus[0].GetName(),
		Ranks:       ranks,
		NeededBytes: uint64(ranks) * (rank.RegionBytes + rank.PrivateBytes),
		HasBytes:    gpus[0].GetMemoryBytes(),
	}, privateParts(rank), nil
}

// privateParts lists what a rank has of its own: its engine's, then others, then images of peers'
// regions, where they are not mapped.
func privateParts(engine native.Memory, others ...report.Part) []report.Part {
	parts := append([]report.Part{
		{Name: "inputs, outputs, handle", Bytes: engine.PrivateBytes - engine.FlushBytes - engine.ImageBytes},
		{Name: "cache flush, while it lasts", Bytes: engine.FlushBytes},
	}, others...)
	if engine.ImageBytes > 0 {
		parts = append(parts, report.Part{Name: "images of peers' regions", Bytes: engine.ImageBytes})
	}
	return parts
}
