package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/epperf/epperf/go/internal/command"
	"github.com/epperf/epperf/go/internal/compare"
	"github.com/epperf/epperf/go/internal/conduct"
	"github.com/epperf/epperf/go/internal/report"
)

const (
	launchesFlag  = "launches"
	againstFlag   = "against"
	thresholdFlag = "threshold"
	// endGrace is how long a launch has to end by itself after a signal.
	endGrace = 10 * time.Second
)

func launchFlags() []cli.Flag {
	return []cli.Flag{
		&cli.GenericFlag{Name: launchesFlag, Value: newDecimal(0), DefaultText: "none", Usage: "launch this build and another so often, in turns, and compare them; exit code 3 is a regression"},
		&cli.StringFlag{Name: againstFlag, Usage: "perf of the other build, the older one"},
		&cli.StringFlag{Name: thresholdFlag, DefaultText: compare.DefaultThreshold, Usage: "the change that matters to --launches"},
	}
}

// againstAnother reports whether two builds are to be compared.
func againstAnother(c *cli.Context) bool {
	return c.IsSet(launchesFlag) || c.IsSet(againstFlag) || c.IsSet(thresholdFlag)
}

// launches runs what the other flags say with two builds in turns, a process each time, and compares.
func launches(c *cli.Context) error {
	count, against := decimalOf[int](c, launchesFlag), c.String(againstFlag)
	switch {
	case count < 1 || against == "":
		return command.Usagef("--%s and --%s: both are needed, as --launches=6 --against=old/perf", launchesFlag, againstFlag)
	case decimalOf[int](c, "nnodes") > 1 || c.String("run-id") != "":
		return command.Usagef("--%s: launches are of one host, and each has a run id of its own; leave out --nnodes and --run-id", launchesFlag)
	case c.String("expect") != "" || c.String("soak") != "" || c.String(dumpFlag) != "" || c.Bool("explain") || c.String(resumeFlag) != "":
		return command.Usagef("--%s: it compares how long things take, and nothing else; leave out --expect, --soak, --dump, --explain and --resume", launchesFlag)
	}
	threshold, err := compare.ParseThreshold(c.String(thresholdFlag))
	if err != nil {
		return command.Usagef("--%s=%q: %w", thresholdFlag, c.String(thresholdFlag), err)
	}
	own, err := os.Executable()
	if err != nil {
		return err
	}
	ctx, stop := conduct.UntilSignal(context.Background())
	defer stop()
	sides := [2]launchSide{
		{name: "old", binary: against, launches: compare.NewLaunches(compare.Slowest)},
		{name: "new", binary: own, launches: compare.NewLaunches(compare.Slowest)},
	}
	folder := filepath.Join(c.String("output"), time.Now().UTC().Format("20060102T150405Z")+"-launches")
	arguments := withoutLaunches(os.Args[1:])
	for number, side := range turns(count) {
		if !c.Bool("quiet") {
			fmt.Fprintf(c.App.ErrWriter, "perf: launch %d of %d, %s build\n", number+1, 2*count, sides[side].name)
		}
		if err := sides[side].launch(ctx, c, arguments, filepath.Join(folder, fmt.Sprintf("%s-%02d", sides[side].name, number/2+1))); err != nil {
			return err
		}
	}
	comparison := report.Comparison{Options: compare.Options{Figure: compare.Slowest, Threshold: threshold}}
	comparison.Results, comparison.Alone, err = compare.Launched(sides[0].launches, sides[1].launches, comparison.Options)
	if err != nil {
		return err
	}
	if err := comparison.WriteText(c.App.Writer); err != nil {
		return err
	}
	fmt.Fprintf(c.App.Writer, "\nRecords: %s\n", folder)
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

// launch runs the side's build once. It ends when this program is killed, and with its ranks.
func (s *launchSide) launch(ctx context.Context, c *cli.Context, arguments []string, folder string) error {
	runtime.LockOSThread() // the child is told when this thread ends
	defer runtime.UnlockOSThread()
	child := exec.CommandContext(ctx, s.binary, append(slices.Clone(arguments), "--quiet", "--output="+folder)...)
	// In a group of its own it is not told by the terminal as well: a second signal would kill it at once.
	child.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM, Setpgid: true}
	child.Cancel = func() error { return child.Process.Signal(syscall.SIGTERM) }
	child.WaitDelay = endGrace
	child.Stderr = c.App.ErrWriter
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

// withoutLaunches leaves out of a command line what is not for a launch.
func withoutLaunches(arguments []string) (rest []string) {
	own := []string{launchesFlag, againstFlag, thresholdFlag, "output", "quiet"}
	for i := 0; i < len(arguments); i++ {
		name, _, whole := strings.Cut(strings.TrimLeft(arguments[i], "-"), "=")
		if !strings.HasPrefix(arguments[i], "-") || !slices.Contains(own, name) {
			rest = append(rest, arguments[i])
		} else if !whole && name != "quiet" {
			i++ // its value
		}
	}
	return rest
}
