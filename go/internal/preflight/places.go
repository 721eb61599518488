package preflight

import (
	"io/fs"

	"github.com/epperf/epperf/go/internal/binding"
	"github.com/epperf/epperf/go/internal/host"
	"github.com/epperf/epperf/go/internal/topology"
	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

// Places returns where each of this launcher's ranks is to run, as its /sys and the user have it; nil where
// nothing is bound.
func Places(p *epperfv1.Plan, nodeRank int, system host.System, gpus []*epperfv1.Gpu, sys fs.FS) []binding.Place {
	if epperfv1.BindOf(p) == epperfv1.Bind_BIND_NONE {
		return nil
	}
	nodes, ranks := binding.Nodes(sys, system.CPUs), int(p.GetRanksPerHost())
	if len(gpus) == 0 {
		return binding.WithMemory(binding.OfCPUs(nodes, nodeRank*ranks, ranks))
	}
	var devices []topology.GPU
	for _, gpu := range gpus {
		address, _ := topology.ParsePCI(gpu.GetPci()) // one that cannot be read is none that /sys has
		devices = append(devices, topology.GPU{PCI: address})
	}
	near := make([]*int, ranks)
	if at, err := topology.Read(sys, devices); err == nil { // else nobody knows where they are
		for local := range near {
			near[local] = at.GPUs[local%len(at.GPUs)].NUMA
		}
	}
	return binding.WithMemory(binding.OfGPUs(nodes, near))
}

// DescribePlaces is what a record says of them.
func DescribePlaces(places []binding.Place) []*epperfv1.Place {
	var described []*epperfv1.Place
	for _, place := range places {
		of := &epperfv1.Place{Cpus: binding.FormatCPUs(place.CPUs), Memory: place.Memory}
		if place.Node != nil {
			of.NumaNode = new(uint32(*place.Node))
		}
		described = append(described, of)
	}
	return described
}
