package launch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// A RankError says which rank ended the run, and how.
type RankError struct {
	Rank int
	PID  int
	Host string
	// How it ended, such as "killed by signal 9 (SIGKILL)".
	How string
	// Where it was, such as `at barrier "warmup"`.
	Where string
	// Said is what it reported itself; "" if nothing.
	Said string
}

func (e *RankError) Error() string {
	text := fmt.Sprintf("rank %d (pid %d on %s): %s %s", e.Rank, e.PID, e.Host, e.How, e.Where)
	if e.Said != "" {
		text += ": " + e.Said
	}
	return text
}

// Killed reports whether somebody killed it, be it the kernel.
func (e *RankError) Killed() bool { return strings.HasPrefix(e.How, "killed by signal 9 ") }

func (r *Ranks) rankError(rank *rank, how string) *RankError {
	return &RankError{
		Rank: rank.number, PID: rank.process.Process.Pid, Host: rank.host,
		How: how, Where: rank.where, Said: rank.said,
	}
}

// disconnected notes that nothing more can be heard from a rank, or said to it.
func (r *Ranks) disconnected(rank *rank, err error) {
	if rank.disconnected != nil {
		return
	}
	rank.disconnected = err
	if rank.exited {
		r.end(rank)
		return
	}
	patience := settle
	if r.missingResults(rank) == 0 {
		patience = grace // it is on its way out, and may have much memory to free
	}
	r.after(patience, func() { r.judge(rank, err) })
}

// judge ends the run over a rank that cannot be heard any more, unless its exit says more, be it
// in a moment.
func (r *Ranks) judge(rank *rank, err error) {
	switch {
	case rank.exited, rank.leaves:
	case !errors.Is(err, io.EOF):
		r.fail(r.rankError(rank, err.Error()))
	case isEnding(rank.inProc):
		r.after(settle, func() { r.judge(rank, err) })
	default:
		r.fail(r.rankError(rank, "closed its socket"))
	}
}

// exited notes that a rank's process is gone.
func (r *Ranks) exited(rank *rank) {
	rank.exited = true
	rank.errors.flush()
	if rank.disconnected != nil {
		r.end(rank)
		return
	}
	// What it said last may still be on its way; who holds its socket open is not a rank.
	r.after(settle, func() { rank.peer.Close() })
}

// end judges a rank that is gone and has been heard to the end.
func (r *Ranks) end(rank *rank) {
	if rank.ended {
		return
	}
	state, missing := rank.process.ProcessState, r.missingResults(rank)
	failed := !state.Success() || missing > 0
	if failed && r.failure == nil && state.Exited() && r.anyIsEnding() {
		// It may well have failed because another dies, whose end says more.
		r.after(settle, func() { r.end(rank) })
		return
	}
	rank.ended = true
	r.running--
	if r.failure != nil || rank.leaves || !slices.Contains(r.ranks, rank) {
		return
	}
	if errors.Is(r.ctx.Err(), context.Canceled) {
		r.fail(context.Cause(r.ctx)) // a signal for all may end a rank before it gets here
		return
	}
	if !state.Success() {
		r.fail(r.rankError(rank, howEnded(rank.process)))
	} else if failed {
		r.fail(r.rankError(rank, fmt.Sprintf("ended with %d results missing", missing)))
	}
}

// anyIsEnding reports whether some rank's process ends, or was killed, and is not judged yet.
func (r *Ranks) anyIsEnding() bool {
	return slices.ContainsFunc(r.ranks, func(rank *rank) bool {
		if rank.exited {
			return !rank.ended && !rank.process.ProcessState.Exited()
		}
		return isEnding(rank.inProc)
	})
}

func (r *Ranks) missingResults(rank *rank) int {
	return len(r.config.Plan.GetCases()) - r.config.FirstCase - rank.results
}

func howEnded(process *exec.Cmd) string {
	status, ok := process.ProcessState.Sys().(syscall.WaitStatus)
	if ok && status.Signaled() {
		return fmt.Sprintf("killed by signal %d (%s)", status.Signal(), unix.SignalName(status.Signal()))
	}
	return fmt.Sprintf("exited with status %d", process.ProcessState.ExitCode())
}

// after posts do later, unless the ranks are closed before.
func (r *Ranks) after(wait time.Duration, do func()) {
	r.all.Go(func() {
		select {
		case <-time.After(wait):
			r.post(do)
		case <-r.closed:
		}
	})
}
