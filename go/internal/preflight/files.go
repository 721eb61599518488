package preflight

import (
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/epperf/epperf/go/internal/command"
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
func EnoughFiles(p *epperfv1.Plan) error {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return fmt.Errorf("read the limit of open files: %w", err)
	}
	needed := launcherFiles + filesOfRank*uint64(p.GetRanksPerHost())
	if limit.Cur >= needed {
		return nil
	}
	return command.Usagef("%d ranks need %d open files and the limit is %d; try ulimit -n %d or fewer --num-processes",
		p.GetRanksPerHost(), needed, limit.Cur, needed)
}
