// Package conduct makes one run on one launcher: it starts the ranks of this host, meets other
// launchers, leads the ranks through the plan, keeps what they report, and prints it. It also is what
// the processes are that a launcher starts: a rank, and the janitor.
package conduct

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/epperf/epperf/go/internal/binding"
	"github.com/epperf/epperf/go/internal/expect"
	"github.com/epperf/epperf/go/internal/host"
	"github.com/epperf/epperf/go/internal/launch"
	"github.com/epperf/epperf/go/internal/native"
	"github.com/epperf/epperf/go/internal/plan"
	"github.com/epperf/epperf/go/internal/preflight"
	"github.com/epperf/epperf/go/internal/record"
	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

// A Run is a plan, this launcher's part in it, and where its record and its words go.
type Run struct {
	Plan   *epperfv1.Plan
	Party  Party
	Limit  *epperfv1.Limit // what the run is held against; nil if nothing
	Output string          // folder of the record
	Dump   string          // where ranks leave their tensors; may be empty
	// Unfinished, where not nil, is the record that the run goes on with; Plan asks for the same as its
	// plan. Of several launchers node 0 alone has it.
	Unfinished *record.Unfinished
	// Expected, where not nil, is held against what was measured.
	Expected *expect.Table
	NIXL     native.NIXL
	NICs     preflight.NICs
	GPUs     *epperfv1.GpuSearch // what the record says of it; nil where nobody looked for GPUs
	// RankArguments are what makes this binary a rank with some options.
	RankArguments func(RankOptions) []string
	Stdout        io.Writer
	Stderr        io.Writer
	Quiet         bool // no progress
	Debug         bool // say when barriers are passed
	// GatherBytes is how many bytes of samples are brought to node 0; of more there are only parts.
	GatherBytes uint64

	buildID string
	places  []binding.Place // of this launcher's ranks; nil where nothing is bound
	server  ServerConfig    // of an etcd server that this launcher runs
}

// A Party is the launchers of a run, which of them this one is, and where they meet.
type Party struct {
	Nodes, NodeRank int
	HostID          string
	Endpoints       []string    // none: node 0 serves
	TLS             *tls.Config // nil: plain text
	Master          *Master     // where it serves; nil: on any port, for itself alone
}

// Meet is where launchers meet, in words.
func (p Party) Meet() string {
	if p.Master != nil {
		return p.Master.endpoint()
	}
	return strings.Join(p.Endpoints, ",")
}

// Do makes sure that the run can be made and kept, makes it, and prints its record.
func (r Run) Do(ctx context.Context) error {
	started := time.Now()
	system, err := host.This()
	if err != nil {
		return err
	}
	facts, err := r.facts(system)
	if err != nil {
		return err
	}
	if r.buildID, err = buildID(); err != nil {
		return err
	}
	if err := r.findServerFolder(); err != nil {
		return err
	}
	if err := r.prepareDump(); err != nil {
		return err
	}
	writer, done, err := r.writer(started, facts)
	if err != nil {
		return err
	}
	kept := newOutcome(writer, r.Plan, r.Party.NodeRank)
	kept.apart = r.partsOnly()
	progress := newProgress(r.Stderr, r.Quiet, len(r.Plan.GetCases()))
	begin := func(first int) {
		kept.begin(first, done)
		progress.begin(first)
	}
	begin(r.firstCase())
	met := func(barrier string) {
		progress.met(barrier)
		if tells(barrier) {
			kept.passed(barrier, started)
		}
		if r.Debug {
			fmt.Fprintf(progress, "perf: %s after %v\n", barrier, time.Since(started).Round(time.Millisecond))
		}
	}
	killedBefore := system.KilledForMemory()
	failure := r.lead(ctx, launch.Config{
		Plan:      r.Plan,
		NodeRank:  r.Party.NodeRank,
		FirstCase: r.firstCase(),
		Host:      facts.GetName(),
		BuildID:   r.buildID,
		Args:      r.RankArguments(RankOptions{Dump: r.Dump, Progress: soaks(r.Plan) && !r.Quiet, NIXL: r.NIXL, Host: host.IDOf(facts).String(), CPUs: sharedCPUs(r.places, system)}),
		Env:       rankEnvironment(r.Plan),
		RankEnv:   netDevicesEnvironment(facts.GetNetDevicesOfRank()),
		Place:     placer(r.places),
		Stderr:    progress,
		Sink:      kept,
		Met:       met,
	}, facts, kept, begin)
	progress.close()
	failure = forMemory(failure, system.KilledForMemory()-killedBefore)
	if failure == nil {
		failure = r.describeDump()
	}
	return r.conclude(kept, failure)
}

// writer returns where the record is written, and the results that it has already.
func (r Run) writer(started time.Time, facts *epperfv1.Host) (w *record.Writer, done []*epperfv1.RankResult, err error) {
	if r.Unfinished != nil {
		w, err = r.Unfinished.Continue(started.UnixNano())
		return w, r.Unfinished.Results, err
	}
	w, err = record.Create(r.Output, &epperfv1.Header{
		Plan:          r.Plan,
		PlanSha256:    plan.Hash(r.Plan),
		BuildId:       r.buildID,
		StartedUnixNs: started.UnixNano(),
		Hosts:         []*epperfv1.Host{facts},
		PartOfNode:    r.partOf(),
		Limit:         r.Limit,
	})
	return w, nil, err
}

// firstCase is the first that was not measured yet, as far as this launcher knows by itself.
func (r Run) firstCase() int {
	if r.Unfinished == nil {
		return 0
	}
	return r.Unfinished.Done
}

// findServerFolder finds where the data of an etcd server that this launcher runs have room.
func (r *Run) findServerFolder() (err error) {
	switch master := r.Party.Master; {
	case master != nil && r.Party.NodeRank > 0, len(r.Party.Endpoints) > 0:
		return nil
	case master != nil:
		r.server.Listen = master.endpoint()
	}
	r.server.Folder, err = ServerFolder(r.server.Config, r.Stderr)
	return err
}

// forMemory adds to the failure of a rank that somebody killed that meanwhile the kernel did so for want of
// memory, which nobody else says.
func forMemory(failure error, killed uint64) error {
	var of *launch.RankError
	if killed == 0 || !errors.As(failure, &of) || !of.Killed() {
		return failure
	}
	return fmt.Errorf("%w; meanwhile the kernel killed for want of memory (oom_kill in /proc/vmstat): give this host or its cgroup more, or try fewer ranks or tokens", failure)
}

// facts are what the record says of this host, once it is found to have what the run needs.
func (r *Run) facts(system host.System) (*epperfv1.Host, error) {
	node := preflight.Node{Rank: r.Party.NodeRank, FlushBytes: preflight.FlushBytes(r.Plan, system)}
	if err := preflight.EnoughMemory(allRounds(r.Plan), node, system); err != nil {
		return nil, err
	}
	gpus, err := preflight.GPUsOf(r.Plan)
	if err != nil {
		return nil, err
	}
	if err := preflight.EnoughGPUMemory(r.Plan, gpus); err != nil {
		return nil, err
	}
	if err := preflight.EnoughFiles(r.Plan, system); err != nil {
		return nil, err
	}
	if err := preflight.EnoughProcesses(r.Plan, system); err != nil {
		return nil, err
	}
	netDevices, err := r.NICs.OfRanks(r.Plan, gpus, os.DirFS("/sys"), r.Stderr)
	if err != nil {
		return nil, err
	}
	facts := system.Describe()
	if len(gpus) > 0 {
		facts.Nearness = nearness()
	}
	facts.HostId, facts.Gpus, facts.NetDevicesOfRank = r.Party.HostID, gpus, netDevices
	facts.GpuSearch = r.GPUs
	r.places = preflight.Places(r.Plan, r.Party.NodeRank, system, gpus, os.DirFS("/sys"))
	facts.PlaceOfRank = preflight.DescribePlaces(r.places)
	if len(gpus) == 0 {
		facts.FlushBytesOfRank = &node.FlushBytes
	}
	return facts, nil
}
