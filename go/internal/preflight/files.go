package preflight

import (
	"github.com/epperf/epperf/go/internal/command"
	"github.com/epperf/epperf/go/internal/host"
	"github.com/epperf/epperf/go/internal/plan"
	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

const (
	// launcherFiles is what a launcher has open besides what it has of each rank: an etcd server,
	// a client, the record.
	launcherFiles = 64
	// filesOfRank is what it has open of one: a session, its output, the process, and what is
	// open only while it starts.
	filesOfRank = 8
)

// EnoughFiles refuses a run for which this process may not open enough files, before anything
// starts: what runs out of them later says so in many ways.
func EnoughFiles(p *epperfv1.Plan, system host.System) error {
	needed := launcherFiles + filesOfRank*uint64(p.GetRanksPerHost())
	if system.OpenFiles >= needed {
		return nil
	}
	return command.Usagef("%d ranks need %d open files and the limit is %d; try ulimit -n %d or fewer --num-processes",
		p.GetRanksPerHost(), needed, system.OpenFiles, needed)
}

const (
	// launcherProcesses are a launcher's threads and its janitor's: those of Go, which grow with what
	// waits, and some to spare.
	launcherProcesses = 32
	// processesOfRank are a rank's threads, 5 to 7 of Go, and one of the launcher that waits for it.
	processesOfRank = 8
	// libraryProcesses are threads that CUDA's or NIXL's library starts in a rank.
	libraryProcesses = 16
)

// EnoughProcesses refuses a run for which this host does not let as many processes and threads
// start: a runtime that gets no thread ends its process with a page of its own.
func EnoughProcesses(p *epperfv1.Plan, system host.System) error {
	ofRank := processesOfRank + uint64(plan.Threads(p)) - 1
	if p.GetDevice() == epperfv1.Device_DEVICE_CUDA || plan.BackendOf(p).NIXL {
		ofRank += libraryProcesses
	}
	needed := launcherProcesses + ofRank*uint64(p.GetRanksPerHost())
	limit, limited := system.ProcessesLeft()
	if !limited || limit.Left >= needed {
		return nil
	}
	return command.Usagef("%d ranks need %d processes and threads, and %s leaves %d; raise it, or try fewer --num-processes",
		p.GetRanksPerHost(), needed, limit.By, limit.Left)
}
