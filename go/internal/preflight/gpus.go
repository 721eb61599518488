package preflight

import (
	"fmt"
	"slices"

	"github.com/epperf/epperf/go/internal/command"
	"github.com/epperf/epperf/go/internal/native"
	"github.com/epperf/epperf/go/internal/plan"
	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

// CountGPUs tells the options what this host has, unless they do without.
func CountGPUs(o plan.Options) plan.Options {
	if !o.AsksForGPUs() {
		return o
	}
	gpus, err := native.CountGPUs()
	if err == nil && o.SMs > 0 {
		o.Multiprocessors, err = fewestMultiprocessors(min(gpus, o.NumProcesses))
	}
	if err != nil {
		o.NoGPU = err.Error()
		return o
	}
	o.GPUs = gpus
	return o
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
			rank, err := native.GPUMemoryNeeded(c)
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
