package launch

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
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

// isStopped reports whether a process was stopped; of one that is gone others will say so.
func isStopped(pid int) bool {
	state := stateOf(pid)
	return state == 'T' || state == 't'
}

// isEnding reports whether a process has ended, although we may not have heard of it yet.
func isEnding(pid int) bool {
	const exiting = 4 // PF_EXITING of Linux, set before peers can see that anything is gone
	fields := statOf(pid)
	if len(fields) < 7 {
		return true
	}
	flags, _ := strconv.ParseUint(string(fields[6]), 10, 32)
	return fields[0][0] == 'Z' || fields[0][0] == 'X' || flags&exiting != 0
}

// stateOf reads a process's state, 0 for one that is gone.
func stateOf(pid int) byte {
	if fields := statOf(pid); len(fields) > 0 {
		return fields[0][0]
	}
	return 0
}

// statOf reads what /proc tells of a process behind its name, the state first; nil for one that is
// gone.
func statOf(pid int) [][]byte {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return nil
	}
	return bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
}
