package figures

import (
	"cmp"
	"slices"

	"github.com/epperf/epperf/go/internal/record"
	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

// This file says whether others used what a run measured on. What others do beside it without taking
// anything from it is no contention.

const (
	// A rank that waited for a CPU for less than waitedShare of its block, or for less than waitedNS, may
	// have been interrupted by a kernel's own threads.
	waitedShare, waitedNS = 0.10, 10e6
	// Stolen time is counted in ticks of 10 ms, one of which may have been begun long before.
	stolenShare, stolenNS = 0.02, 30e6
	// throttledNS is more than a clock is off.
	throttledNS = 1e6
	// computesShare of a CPU is what a process uses at least that others wait for.
	computesShare = 0.02
)

// Contention is what others took from a run in its timed block. Zero values are none.
type Contention struct {
	// Rank is that which waited for a CPU for the largest share of its block, WaitedShare.
	Rank        int
	WaitedShare float64
	// Others are who computed meanwhile on the hosts whose ranks waited, as far as they are seen from
	// there; most first.
	Others []Other
	// StolenShare is what a hypervisor took of the CPUs of a host, of the host where it took most.
	StolenShare float64
	// ThrottledNS is how long a cgroup held back the processes of a host, of that where it was longest.
	ThrottledNS int64
	// OnGPUs are who computed on GPUs of ranks.
	OnGPUs []Other
}

// An Other is a process that is not of the run.
type Other struct {
	// Rank is whose GPU it computed on; of CPUs, the rank that saw it.
	Rank int
	PID  int
	Name string // "" where it is not seen
	// Share is of a CPU's time, or of the GPU's.
	Share float64
}

func mostFirst(a, b Other) int { return cmp.Compare(b.Share, a.Share) }

// contention returns nil where a run had all to itself, or does not tell. Ranks that outnumber their CPUs
// wait for each other.
func contention(ranks []record.RankRecord, p *epperfv1.Plan, oversubscribed bool) *Contention {
	var c Contention
	waiting := map[int]bool{} // launchers
	launcher := func(rank int) int { return rank / max(1, int(p.GetRanksPerHost())) }
	for rank, of := range ranks {
		load := of.Result.GetLoad()
		window := float64(load.GetWindowNs()) * float64(max(1, p.GetThreadsPerRank()))
		waited := float64(load.GetWaitedNs())
		if !oversubscribed && waited >= waitedNS && waited >= waitedShare*window {
			waiting[launcher(rank)] = true
			if share := min(waited/window, 1); share > c.WaitedShare {
				c.Rank, c.WaitedShare = rank, share
			}
		}
		c.addHost(load.GetHost())
		c.OnGPUs = append(c.OnGPUs, othersOnGPU(rank, of.Result)...)
	}
	for rank, of := range ranks {
		if load := of.Result.GetLoad().GetHost(); load != nil && waiting[launcher(rank)] {
			c.Others = append(c.Others, othersOf(rank, load)...)
		}
	}
	slices.SortStableFunc(c.Others, mostFirst)
	if c.WaitedShare == 0 && c.StolenShare == 0 && c.ThrottledNS == 0 && len(c.OnGPUs) == 0 {
		return nil
	}
	return &c
}

func (c *Contention) addHost(load *epperfv1.HostLoad) {
	if stolen := float64(load.GetStolenNs()); stolen >= stolenNS {
		if share := stolen / (float64(load.GetWindowNs()) * float64(max(1, load.GetCpus()))); share >= stolenShare {
			c.StolenShare = max(c.StolenShare, min(share, 1))
		}
	}
	if held := load.GetThrottledNs(); held >= throttledNS {
		c.ThrottledNS = max(c.ThrottledNS, int64(held))
	}
}

func othersOf(rank int, load *epperfv1.HostLoad) []Other {
	var others []Other
	for _, process := range load.GetOthers() {
		if share := float64(process.GetCpuNs()) / float64(max(1, load.GetWindowNs())); share >= computesShare {
			others = append(others, Other{rank, int(process.GetPid()), process.GetName(), share})
		}
	}
	return others
}

// othersOnGPU returns who used a rank's GPU while it was timed. Where the driver does not list the rank,
// it numbers processes by another namespace, and the first that it lists may be the rank.
func othersOnGPU(rank int, result *epperfv1.RankResult) []Other {
	listed := result.GetGpuAfter().GetProcesses()
	own := slices.ContainsFunc(listed, (*epperfv1.GpuProcess).GetOwn)
	if !own && len(listed) < 2 {
		return nil
	}
	var others []Other
	for _, process := range listed {
		if percent := process.GetSmPercent(); !process.GetOwn() && percent > 0 {
			others = append(others, Other{rank, int(process.GetPid()), process.GetName(), float64(percent) / 100})
		}
	}
	if !own && len(others) > 0 { // one of them is the rank: it uses most
		slices.SortFunc(others, mostFirst)
		others = others[1:]
	}
	return others
}
