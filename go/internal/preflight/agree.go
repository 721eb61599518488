package preflight

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/epperf/epperf/go/internal/host"
	"github.com/epperf/epperf/go/internal/plan"
	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

// Agree sees that the launchers of a run, as they introduce themselves, can make it together.
func Agree(p *epperfv1.Plan, entries []*epperfv1.HostEntry) error {
	if err := sameRun(entries); err != nil {
		return err
	}
	if err := ownGPUs(p, entries); err != nil {
		return err
	}
	return reachable(p, entries)
}

// sameRun sees that all launchers are of one build and were asked the same.
func sameRun(entries []*epperfv1.HostEntry) error {
	first := entries[0]
	for _, entry := range entries[1:] {
		if entry.GetBuildId() != first.GetBuildId() {
			return fmt.Errorf("%s runs build %s and %s build %s: start all launchers from one binary",
				named(first), first.GetBuildId(), named(entry), entry.GetBuildId())
		}
		if gpus := len(entry.GetHost().GetGpus()); (gpus > 0) != (len(first.GetHost().GetGpus()) > 0) {
			return fmt.Errorf("%s computes on %s and %s on %s: give all launchers the same --device, cpu or cuda",
				named(first), devices(first), named(entry), devices(entry))
		}
		if !bytes.Equal(entry.GetPlanSha256(), first.GetPlanSha256()) {
			if here, there := len(first.GetHost().GetGpus()), len(entry.GetHost().GetGpus()); here != there {
				return fmt.Errorf("%s has ranks on %d GPUs and %s on %d: give all launchers the same --num-processes",
					named(first), here, named(entry), there)
			}
			return fmt.Errorf("%s was given other flags than %s: start all launchers with the same, but for --node-rank, --output and --dump",
				named(entry), named(first))
		}
	}
	return nil
}

// devices names what a launcher's ranks compute on.
func devices(entry *epperfv1.HostEntry) string {
	if len(entry.GetHost().GetGpus()) > 0 {
		return "GPUs"
	}
	return "CPUs"
}

// ownGPUs sees that no two launchers measure on one GPU: they count those of their host alike.
func ownGPUs(p *epperfv1.Plan, entries []*epperfv1.HostEntry) error {
	if p.GetSharedGpu() {
		return nil
	}
	users := map[string]*epperfv1.HostEntry{}
	for _, entry := range entries {
		for _, gpu := range entry.GetHost().GetGpus() {
			if other := users[gpu.GetUuid()]; other != nil {
				return fmt.Errorf("%s and %s both compute on %s (%s): give each GPUs of its own with CUDA_VISIBLE_DEVICES, or try --nnodes=1",
					named(other), named(entry), gpu.GetUuid(), gpu.GetName())
			}
			users[gpu.GetUuid()] = entry
		}
	}
	return nil
}

// reachable sees that the backend brings rows from every host to every other.
func reachable(p *epperfv1.Plan, entries []*epperfv1.HostEntry) error {
	if !plan.BackendOf(p).OneHost {
		return nil
	}
	first := entries[0]
	for _, entry := range entries[1:] {
		if !host.Same(entry.GetHost(), first.GetHost()) {
			return errors.New("--nvlink-backend=ipc maps memory of one host, but " + named(first) + " and " + named(entry) +
				" are two hosts; start all launchers on one of them, or measure each by itself with --nnodes=1")
		}
		if here, there := first.GetHost().PidNamespace, entry.GetHost().PidNamespace; here != nil && there != nil && *here != *there {
			return fmt.Errorf("--nvlink-backend=ipc maps memory of processes by their numbers, but %s and %s are in two PID namespaces of one host (%d and %d); "+
				"start both in one (containers: --pid=host), or try --nvlink-backend=none", named(first), named(entry), *here, *there)
		}
	}
	return nil
}

func named(entry *epperfv1.HostEntry) string {
	name := entry.GetHost().GetName()
	if id := entry.GetHost().GetHostId(); id != "" {
		name += ", host id " + id
	}
	return fmt.Sprintf("node %d (%s)", entry.GetNodeRank(), name)
}
