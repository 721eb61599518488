package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/epperf/epperf/go/internal/host"
	"github.com/epperf/epperf/go/internal/plan"
	"github.com/epperf/epperf/go/internal/rendezvous"
	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

// A firstMeeting is a rendezvous whose first exchange waits for all launchers and looks at them.
// By then the ranks run, so that whichever of them ends meanwhile is noticed.
type firstMeeting struct {
	*rendezvous.Member
	m    measurement
	kept *outcome
	// ready is told when all ranks of this host have come.
	ready func(string)
	met   bool
}

// Exchange lets the launchers meet, once, and then exchanges.
func (f *firstMeeting) Exchange(ctx context.Context, name string, blobs [][]byte) ([][]byte, error) {
	if !f.met {
		f.ready("ready")
		if err := f.meet(ctx); err != nil {
			return nil, err
		}
		f.met = true
	}
	return f.Member.Exchange(ctx, name, blobs)
}

func (f *firstMeeting) meet(ctx context.Context) error {
	entries, err := f.Hosts(ctx)
	if err != nil {
		return err
	}
	if err := agree(entries); err != nil {
		return err
	}
	if err := ownGPUs(f.m.plan, entries); err != nil {
		return err
	}
	if err := reachable(f.m.plan, entries); err != nil {
		return err
	}
	if len(entries) == 1 {
		return nil // the record knows it
	}
	hosts := make([]*epperfv1.Host, len(entries))
	for node, entry := range entries {
		hosts[node] = entry.GetHost()
	}
	return f.kept.setHosts(hosts)
}

// agree sees that all launchers are of one build and were asked the same.
func agree(entries []*epperfv1.HostEntry) error {
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
