package conduct

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"syscall"
	"time"

	"github.com/epperf/epperf/go/internal/command"
	"github.com/epperf/epperf/go/internal/compare"
	"github.com/epperf/epperf/go/internal/report"
)

// endGrace is how long a launch has to end by itself after a signal.
const endGrace = 10 * time.Second

// Launches are runs of two builds in turns, which are compared.
type Launches struct {
	Count     int    // of each build
	Old, New  string // their binaries
	Arguments []string
	Output    string // folder in which a new one has the records
	Threshold float64
	Stdout    io.Writer
	Stderr    io.Writer
	Quiet     bool
}

// Do launches, a process each time, and prints the comparison.
func (l Launches) Do(ctx context.Context) (err error) {
	sides := [2]launchSide{
		{name: "old", binary: l.Old, launches: compare.NewLaunches(compare.Slowest)},
		{name: "new", binary: l.New, launches: compare.NewLaunches(compare.Slowest)},
	}
	folder := filepath.Join(l.Output, time.Now().UTC().Format("20060102T150405Z")+"-launches")
	for number, side := range turns(l.Count) {
		if !l.Quiet {
			fmt.Fprintf(l.Stderr, "perf: launch %d of %d, %s build\n", number+1, 2*l.Count, sides[side].name)
		}
		if err := l.launch(ctx, &sides[side], filepath.Join(folder, fmt.Sprintf("%s-%02d", sides[side].name, number/2+1))); err != nil {
			return err
		}
	}
	comparison := report.Comparison{Options: compare.Options{Figure: compare.Slowest, Threshold: l.Threshold}}
	comparison.Results, comparison.Alone, err = compare.Launched(sides[0].launches, sides[1].launches, comparison.Options)
	if err != nil {
		return err
	}
	if err := comparison.WriteText(l.Stdout); err != nil {
		return err
	}
	fmt.Fprintf(l.Stdout, "\nRecords: %s\n", folder)
	if comparison.Regressed() {
		return command.ErrRegressed
	}
	return nil
}

// turns are sides, 0 or 1, in the order of their launches: whichever came second comes first in the next
// pair, so that a machine that grows slower takes as much from both.
func turns(pairs int) (order []int) {
	for pair := range pairs {
		order = append(order, pair%2, 1-pair%2)
	}
	return order
}

// A launchSide is one of two builds, and what it measured.
type launchSide struct {
	name, binary string
	launches     *compare.Launches
}

// launch runs a side's build once. It ends when this program is killed, and with its ranks.
func (l Launches) launch(ctx context.Context, s *launchSide, folder string) error {
	runtime.LockOSThread() // the child is told when this thread ends
	defer runtime.UnlockOSThread()
	child := exec.CommandContext(ctx, s.binary, append(slices.Clone(l.Arguments), "--quiet", "--output="+folder)...)
	// In a group of its own it is not told by the terminal as well: a second signal would kill it at once.
	child.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM, Setpgid: true}
	child.Cancel = func() error { return child.Process.Signal(syscall.SIGTERM) }
	child.WaitDelay = endGrace
	child.Stderr = l.Stderr
	var exit *exec.ExitError
	switch err := child.Run(); {
	case ctx.Err() != nil:
		return fmt.Errorf("%w; what was measured is in %s", context.Cause(ctx), filepath.Dir(folder))
	case errors.As(err, &exit) && exit.ExitCode() == command.Misused:
		return command.Usagef("launch of the %s build, %s: it does not take these flags", s.name, s.binary)
	case err != nil:
		return fmt.Errorf("launch of the %s build, %s: %w", s.name, s.binary, err)
	}
	files, err := filepath.Glob(filepath.Join(folder, "*.epperf"))
	if err != nil || len(files) != 1 {
		return fmt.Errorf("launch of the %s build: %d records are in %s, one was to be there", s.name, len(files), folder)
	}
	return s.launches.Read(files[0])
}
