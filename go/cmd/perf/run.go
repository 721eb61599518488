package main

import (
	"context"
	"os"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/epperf/epperf/go/internal/command"
	"github.com/epperf/epperf/go/internal/compare"
	"github.com/epperf/epperf/go/internal/conduct"
	"github.com/epperf/epperf/go/internal/plan"
	"github.com/epperf/epperf/go/internal/preflight"
	"github.com/epperf/epperf/go/internal/record"
	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

// run is the root command: one case, with this host's part in it.
func run(c *cli.Context) error {
	if c.Args().Present() {
		return command.Usagef("%q is neither a flag nor a command", c.Args().First())
	}
	if err := refuseTimed(c); err != nil {
		return err
	}
	return measure(c, measurement{
		options:  optionsOf(c, plan.Defaults(), func(string) bool { return true }),
		plan:     plan.New,
		explains: c.Bool("explain"),
		dump:     c.String(dumpFlag),
	})
}

// A measurement is what a run and a sweep have each their own of.
type measurement struct {
	// options are those that all cases have in common, and plan plans from them.
	options plan.Options
	plan    func(plan.Options) (*epperfv1.Plan, error)
	// explains: only say what would run.
	explains bool
	dump     string
	// unfinished, where not nil, finds the record that the plan's run goes on with; nil if none.
	unfinished func(*epperfv1.Plan, conduct.Party) (*record.Unfinished, error)
}

// measure does this host's part of a measurement.
func measure(c *cli.Context, m measurement) error {
	if c.String("output") == "" {
		return command.Usagef("--output: a folder is missing")
	}
	if againstAnother(c) {
		return launches(c)
	}
	expected, err := expectedOf(c)
	if err != nil {
		return err
	}
	at, err := placeOf(c, os.Getenv)
	if err != nil {
		return err
	}
	runID, err := runIDOf(c, at, os.Getenv)
	if err != nil {
		return err
	}
	party, err := partyOf(c, at, runID)
	if err != nil {
		return err
	}
	nics, err := preflight.NewNICs(c.Bool("skip-nic-discovery"), decimalOf[int](c, "nics-per-gpu"), c.String("nic-map"))
	if err != nil {
		return err
	}
	common := m.options
	common.RunID, common.Nodes = runID, party.Nodes
	common = at.fitted(common)
	if err := at.takeGPUs(common); err != nil {
		return err
	}
	counted, search := preflight.CountGPUs(common)
	at.say(c.App.ErrWriter, counted.NumProcesses, party.Meet())
	p, err := m.plan(counted)
	if err != nil {
		return err
	}
	if m.explains && at.as != nil && at.rank > 0 {
		return nil // the first of the copies says it
	}
	if m.explains {
		return conduct.Explain(c.App.Writer, p, party.NodeRank, search)
	}
	unfinished, err := m.goingOn(c, p, party)
	if err != nil {
		return err
	}
	if unfinished != nil && party.Nodes == 1 { // several meet under this run's id, and ask for the same
		p = unfinished.Header.GetPlan()
	}
	limit, err := conduct.LimitFor(p, c.Bool("detail"), c.String("calibration"), c.String("output"))
	if err != nil {
		return err
	}
	nixl, err := preflight.FindNIXL(p, c.String(nixlRootFlag))
	if err != nil {
		return err
	}
	ctx, stop := conduct.UntilSignal(context.Background())
	defer stop()
	return conduct.Run{
		Plan:          p,
		Party:         party,
		Limit:         limit,
		Output:        c.String("output"),
		Dump:          m.dump,
		Unfinished:    unfinished,
		Expected:      expected,
		NIXL:          nixl,
		NICs:          nics,
		GPUs:          search,
		RankArguments: rankArguments,
		Stdout:        c.App.Writer,
		Stderr:        c.App.ErrWriter,
		Quiet:         c.Bool("quiet"),
		Debug:         os.Getenv("EPPERF_DEBUG") != "",
		GatherBytes:   conduct.MaxGatheredBytes,
	}.Do(ctx)
}

// refuseTimed refuses flags of what a soak does not do.
func refuseTimed(c *cli.Context) error {
	for _, timed := range []string{"warmup", "iters"} {
		if c.String("soak") != "" && c.IsSet(timed) {
			return command.Usagef("--%s: a soak times nothing; --soak itself says how many iterations there are", timed)
		}
	}
	return nil
}

// againstAnother reports whether two builds are to be compared.
func againstAnother(c *cli.Context) bool {
	return c.IsSet(launchesFlag) || c.IsSet(againstFlag) || c.IsSet(thresholdFlag)
}

// launches runs what the other flags say with two builds in turns, and compares them.
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
	return conduct.Launches{
		Count:     count,
		Old:       against,
		New:       own,
		Arguments: withoutLaunches(os.Args[1:]),
		Output:    c.String("output"),
		Threshold: threshold,
		Stdout:    c.App.Writer,
		Stderr:    c.App.ErrWriter,
		Quiet:     c.Bool("quiet"),
	}.Do(ctx)
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
