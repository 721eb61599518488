package plan

import (
	"cmp"
	"fmt"
	"strconv"

	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

// This file decides what ranks compute on, and which rank on which GPU.

// automatic is the --device that is no Device: New puts one in its place.
const automatic = "auto"

// A NoGPUError says that a run asks for GPUs and that this host has none. Commands exit with 1.
type NoGPUError struct {
	// Flag is the argument that asks, such as --device=cuda.
	Flag string
	// Reason is why there is none.
	Reason string
	// Try is what would do.
	Try string
}

func (e *NoGPUError) Error() string {
	return fmt.Sprintf("%s: this host has no GPU that can be used (%s); try %s", e.Flag, e.Reason, e.Try)
}

// AsksForGPUs reports whether New wants to know how many GPUs there are.
func (o Options) AsksForGPUs() bool { return o.Device != epperfv1.Name(epperfv1.Device_DEVICE_CPU) }

// Fitted returns the options with as many ranks as this host has GPUs, up to as many as without any,
// where the user does not say how many. A single GPU with no other launcher's would have nobody to send
// to: its host's ranks are on CPUs, unless the user asks for GPUs.
func (o Options) Fitted() Options {
	switch {
	case o.RanksGiven || o.SharedGPU || o.GPUs == 0 || !o.AsksForGPUs():
	case o.GPUs > 1 || o.Nodes > 1:
		o.NumProcesses = min(o.GPUs, o.NumProcesses)
	case o.Device == automatic:
		o.Device = epperfv1.Name(epperfv1.Device_DEVICE_CPU)
	}
	return o
}

// device returns what ranks compute on, whether this host can or not.
func (o Options) device() (epperfv1.Device, error) {
	const cpu, cuda = epperfv1.Device_DEVICE_CPU, epperfv1.Device_DEVICE_CUDA
	if o.Device == automatic {
		if o.GPUs > 0 || o.SharedGPU {
			return cuda, nil
		}
		return cpu, nil // the engine that every host has
	}
	device, err := parse[epperfv1.Device]("device", o.Device, Defaults().Device, automatic)
	if err == nil && device != cuda && o.SharedGPU {
		err = &UsageError{"device", o.Device, "--shared-gpu is for GPUs", argument("device", epperfv1.Name(cuda))}
	}
	return device, err
}

// enoughGPUs returns a *NoGPUError or a *UsageError where GPUs, or those of this host, are not enough
// for the plan.
func (o Options) enoughGPUs(p *epperfv1.Plan) error {
	switch {
	case p.GetDevice() != epperfv1.Device_DEVICE_CUDA:
		return nil
	case RankCount(p) > maxRanksGPU:
		problem := fmt.Sprintf("%d ranks in all, more than the %d that a GPU has room to plan for", RankCount(p), maxRanksGPU)
		return &UsageError{"num-processes", strconv.Itoa(o.NumProcesses), problem, argument("num-processes", max(maxRanksGPU/max(o.Nodes, 1), 1)) + " or --device=cpu"}
	case Experts(p.GetCases()[0]) > maxExpertsGPU:
		c := p.GetCases()[0]
		problem := fmt.Sprintf("%d ranks would have %s experts, more than the %s that a GPU has room to plan for",
			c.GetRanks(), thousands(Experts(c)), thousands(maxExpertsGPU))
		return &UsageError{"experts-per-rank", count(c.GetExpertsPerRank()), problem, argument("experts-per-rank", maxExpertsGPU/c.GetRanks()) + " or --device=cpu"}
	case o.GPUs < 1:
		none := &NoGPUError{argument("device", o.Device), cmp.Or(o.NoGPU, "nobody counted them"), "--device=cpu"}
		if o.SharedGPU {
			none.Flag, none.Try = "--shared-gpu", "without, on CPUs"
		}
		return none
	case o.Threads > 1:
		return &UsageError{"threads", strconv.Itoa(o.Threads), "a rank on a GPU has no worker threads", "--threads=1 or --device=cpu"}
	case o.GPUs < o.NumProcesses && !o.SharedGPU:
		have := fmt.Sprintf("this host has %d GPUs, and each rank takes one", o.GPUs)
		if o.GPUs == 1 {
			have = "this host has 1 GPU, and each rank takes one"
		}
		try := argument("num-processes", o.GPUs) + ", --device=cpu, or --shared-gpu to check without measuring"
		if !p.GetCases()[0].Operates() {
			try = argument("num-processes", o.GPUs) + " or --device=cpu"
		}
		return &UsageError{"num-processes", strconv.Itoa(o.NumProcesses), have, try}
	}
	return o.enoughSMs()
}

// GPUsUsed returns how many of a host's GPUs its ranks compute on.
func GPUsUsed(p *epperfv1.Plan, gpus int) int {
	if p.GetDevice() != epperfv1.Device_DEVICE_CUDA {
		return 0
	}
	return min(gpus, int(p.GetRanksPerHost()))
}

// GPUOf returns which of its host's GPUs a rank computes on; there is at least one.
func GPUOf(p *epperfv1.Plan, rank, gpus int) int { return rank % int(p.GetRanksPerHost()) % gpus }

// RanksOnGPU returns how many ranks share a GPU at most: launchers that share GPUs may be on one
// host and see the same ones.
func RanksOnGPU(p *epperfv1.Plan, gpu, gpus int) int {
	ranks := 0
	for local := range int(p.GetRanksPerHost()) {
		if GPUOf(p, local, gpus) == gpu {
			ranks++
		}
	}
	if p.GetSharedGpu() {
		ranks *= HostCount(p)
	}
	return ranks
}
