package preflight

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"

	"github.com/epperf/epperf/go/internal/command"
	"github.com/epperf/epperf/go/internal/native"
	"github.com/epperf/epperf/go/internal/plan"
	"github.com/epperf/epperf/go/internal/topology"
	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

// CountGPUs tells the options what this host has, unless they do without, and fits its ranks to that. It
// also returns what a record says of the search; nil where nobody searched.
func CountGPUs(o plan.Options) (plan.Options, *epperfv1.GpuSearch) {
	if !o.AsksForGPUs() {
		return o, nil
	}
	gpus, err := native.CountGPUs()
	if err == nil && o.SMs > 0 {
		o.Multiprocessors, err = fewestMultiprocessors(min(gpus, o.NumProcesses))
	}
	if err != nil {
		gpus, o.NoGPU = 0, err.Error()
	}
	o.GPUs = gpus
	return o.Fitted(), searched(gpus, err, os.DirFS("/sys"), os.LookupEnv)
}

// searched returns what a search for GPUs came to, with what explains that it found none.
func searched(usable int, none error, sys fs.FS, lookup func(string) (string, bool)) *epperfv1.GpuSearch {
	search := &epperfv1.GpuSearch{Usable: uint32(usable)}
	if none != nil {
		search.None = none.Error()
	}
	var failed *native.Error
	search.NoDriver = errors.As(none, &failed) && failed.NoDriver
	if inSys, err := topology.GPUsOf(sys); err == nil { // else it does not tell
		search.InSys = uint32(len(inSys))
	}
	if visible, set := lookup("CUDA_VISIBLE_DEVICES"); set {
		search.VisibleDevices = &visible
	}
	return search
}

// fewestMultiprocessors returns what each of the first GPUs has at least.
func fewestMultiprocessors(gpus int) (int, error) {
	var each []int
	for number := range gpus {
		gpu, err := native.DescribeGPU(number)
		if err != nil {
			return 0, err
		}
		each = append(each, int(gpu.GetMultiprocessors()))
	}
	if len(each) == 0 {
		return 0, nil
	}
	return slices.Min(each), nil
}

// GPUsOf describes the GPUs that this host's ranks compute on, none if they are on CPUs.
func GPUsOf(p *epperfv1.Plan) ([]*epperfv1.Gpu, error) {
	if p.GetDevice() != epperfv1.Device_DEVICE_CUDA {
		return nil, nil
	}
	count, err := native.CountGPUs()
	if err != nil {
		return nil, err
	}
	var described []*epperfv1.Gpu
	for number := range plan.GPUsUsed(p, count) {
		gpu, err := native.DescribeGPU(number)
		if err != nil {
			return nil, err
		}
		described = append(described, gpu)
	}
	return described, nil
}

// EnoughGPUMemory refuses a run that a GPU cannot hold. What else lies in its memory is not known.
func EnoughGPUMemory(p *epperfv1.Plan, gpus []*epperfv1.Gpu) error {
	for _, c := range p.GetCases() {
		for number, gpu := range gpus {
			rank, err := native.GPUMemoryNeeded(c, GPURankOf(p, 0))
			if err != nil {
				return err
			}
			ranks := plan.RanksOnGPU(p, number, len(gpus))
			if err := fitsGPU(c, gpu, ranks, uint64(ranks)*(rank.RegionBytes+rank.PrivateBytes)); err != nil {
				return err
			}
		}
	}
	return nil
}

func fitsGPU(c *epperfv1.Case, gpu *epperfv1.Gpu, ranks int, needed uint64) error {
	if needed <= gpu.GetMemoryBytes() {
		return nil
	}
	of, try := "1 rank", "fewer --tokens or --experts-per-rank"
	if ranks > 1 {
		of, try = fmt.Sprintf("%d ranks", ranks), "fewer --num-processes, --tokens or --experts-per-rank"
	}
	return command.Usagef("%s needs %s of a GPU's memory for %s, and %s (%s) has %s; try %s",
		plan.CaseName(c), gibibytes(needed), of, gpu.GetName(), gpu.GetUuid(), gibibytes(gpu.GetMemoryBytes()), try)
}
