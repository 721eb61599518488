package main

import (
	"fmt"
	"os"
	"slices"

	"github.com/epperf/epperf/go/internal/command"
	"github.com/epperf/epperf/go/internal/native"
	"github.com/epperf/epperf/go/internal/plan"
	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

// This file is what the launcher does about GPUs: it counts them for the plan, describes them for
// the record, and sees that they hold what ranks need.

// countGPUs tells the options what this host has, unless they do without.
func countGPUs(o plan.Options) plan.Options {
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

// gpusOf describes the GPUs that this host's ranks compute on, none if they are on CPUs.
func gpusOf(p *epperfv1.Plan) ([]*epperfv1.Gpu, error) {
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

// enoughGPUMemory refuses a run that a GPU cannot hold. What else lies in its memory is not known.
func enoughGPUMemory(p *epperfv1.Plan, gpus []*epperfv1.Gpu) error {
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

// eagerLoading has CUDA load all kernels when a rank starts. One that is loaded when it is first
// launched would wait for kernels that run, and those wait for this rank.
const eagerLoading = "CUDA_MODULE_LOADING"

// rankEnvironment is what ranks get besides this process's environment. What the user set stays.
func rankEnvironment(p *epperfv1.Plan) []string {
	if _, set := os.LookupEnv(eagerLoading); set || p.GetDevice() != epperfv1.Device_DEVICE_CUDA {
		return nil
	}
	return []string{eagerLoading + "=EAGER"}
}
