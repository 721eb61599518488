package launch

import (
	"bytes"
	"fmt"
	"os"
	"time"
)

// minLook keeps the search for stopped ranks from costing CPU time that is measured.
const minLook = 250 * time.Millisecond

// lookInterval is how often ranks are looked at: what is found twice in a row is found within
// --wait-timeout, whether or not a peer waits for it.
func (r *Ranks) lookInterval() time.Duration {
	return max(time.Duration(r.config.Plan.GetWaitTimeoutNs())/2, minLook)
}

// lookForStopped fails the run if a rank was stopped by a signal, or by a debugger, for a whole
// interval. Such a rank closes nothing and says nothing; where it has no peer to wait for it, the
// run would last until --timeout.
func (r *Ranks) lookForStopped() {
	for _, rank := range r.ranks {
		stopped := !rank.exited && isStopped(rank.process.Process.Pid)
		if stopped && rank.stopped {
			r.fail(r.rankError(rank, "stopped by a signal or a debugger"))
			return
		}
		rank.stopped = stopped
	}
}

// isStopped reads a process's state.
func isStopped(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false // gone, and somebody will say so
	}
	_, fields, _ := bytes.Cut(stat[bytes.LastIndexByte(stat, ')')+1:], []byte{' '}) // after the name
	return len(fields) > 0 && (fields[0] == 'T' || fields[0] == 't')
}
