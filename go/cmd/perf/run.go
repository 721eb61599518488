package main

import (
	"context"
	"os"

	"github.com/urfave/cli/v2"

	"github.com/epperf/epperf/go/internal/command"
	"github.com/epperf/epperf/go/internal/conduct"
	"github.com/epperf/epperf/go/internal/plan"
	"github.com/epperf/epperf/go/internal/preflight"
)

// run is the root command: one case, with this host's part in it.
func run(c *cli.Context) error {
	if c.Args().Present() {
		return command.Usagef("%q is neither a flag nor a command", c.Args().First())
	}
	if c.String("output") == "" {
		return command.Usagef("--output: a folder is missing")
	}
	if err := refuseCopies(c, os.Getenv); err != nil {
		return err
	}
	party, err := partyOf(c)
	if err != nil {
		return err
	}
	runID, err := runIDOf(party.Nodes, c.String("run-id"), os.Getenv)
	if err != nil {
		return err
	}
	nics, err := preflight.NewNICs(c.Bool("skip-nic-discovery"), decimalOf[int](c, "nics-per-gpu"), c.String("nic-map"))
	if err != nil {
		return err
	}
	if err := refuseTimed(c); err != nil {
		return err
	}
	options := optionsOf(c)
	options.RunID, options.Nodes = runID, party.Nodes
	p, err := plan.New(preflight.CountGPUs(options))
	if err != nil {
		return err
	}
	if c.Bool("explain") {
		return explain(c.App.Writer, p, party.NodeRank)
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
		Dump:          c.String(dumpFlag),
		NIXL:          nixl,
		NICs:          nics,
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
