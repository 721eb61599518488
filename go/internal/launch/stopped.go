package launch

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
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
		stopped := !rank.exited && isStopped(rank.inProc)
		if stopped && rank.stopped {
			r.fail(r.rankError(rank, "stopped by a signal or a debugger"))
			return
		}
		rank.stopped = stopped
	}
}

// numberInProc returns the number of a child as /proc has it, or 0 where it is not known. It is another one
// than the child's own where /proc is that of a PID namespace further out; a file of the child's own number
// would be another process's.
func numberInProc(pid int) int {
	if self, _ := os.Readlink("/proc/self"); self == strconv.Itoa(os.Getpid()) {
		return pid
	}
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return 0
	}
	defer unix.Close(fd)
	info, _ := os.ReadFile(fmt.Sprintf("/proc/self/fdinfo/%d", fd))
	for line := range bytes.Lines(info) {
		if number, found := bytes.CutPrefix(line, []byte("Pid:")); found {
			known, _ := strconv.Atoi(string(bytes.TrimSpace(number)))
			return max(known, 0)
		}
	}
	return 0
}

// isStopped reports whether a process was stopped; of one that is gone others will say so.
func isStopped(number int) bool {
	state := stateOf(number)
	return state == 'T' || state == 't'
}

// isEnding reports whether a process has ended, although we may not have heard of it yet.
func isEnding(number int) bool {
	const exiting = 4 // PF_EXITING of Linux, set before peers can see that anything is gone
	if number == 0 {
		return false
	}
	fields := statOf(number)
	if len(fields) < 7 {
		return true
	}
	flags, _ := strconv.ParseUint(string(fields[6]), 10, 32)
	return fields[0][0] == 'Z' || fields[0][0] == 'X' || flags&exiting != 0
}

// stateOf reads a process's state, 0 for one that is gone.
func stateOf(number int) byte {
	if fields := statOf(number); len(fields) > 0 {
		return fields[0][0]
	}
	return 0
}

// statOf reads what /proc tells of a process behind its name, the state first; nil for one that is
// gone.
func statOf(number int) [][]byte {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", number))
	if err != nil {
		return nil
	}
	return bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
}
