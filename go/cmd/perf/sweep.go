package main

import (
	"context"
	"os"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/epperf/epperf/go/internal/command"
	"github.com/epperf/epperf/go/internal/conduct"
	"github.com/epperf/epperf/go/internal/plan"
	"github.com/epperf/epperf/go/internal/preflight"
)

// ladders are the flags of a run that a sweep takes lists for, and what they are then.
var ladders = map[string]string{
	"mode":    "modes, with commas between",
	"tokens":  "tokens on each rank: a ladder, 1,8,32",
	"dtype":   "dtypes",
	"layout":  "layouts",
	"sms":     "multiprocessors that operations may use; 0 for all",
	"routing": "routings",
}

// notSwept are the flags of a run that a sweep does not have.
var notSwept = map[string]bool{dumpFlag: true, "soak": true, "soak-check": true, "explain": true}

func sweepCommand() *cli.Command {
	flags := []cli.Flag{&cli.StringFlag{Name: "model", Usage: "shapes of models, instead of --hidden, --experts-per-rank and --topk: " + strings.Join(plan.ModelNames(), ", ")}}
	for _, flag := range runFlags() {
		name := flag.Names()[0]
		usage, ladder := ladders[name]
		switch {
		case ladder:
			flags = append(flags, &cli.StringFlag{Name: name, Usage: usage})
		case name == "timeout":
			flags = append(flags, &cli.GenericFlag{Name: name, Value: newSpan(12 * plan.Defaults().Timeout), Usage: "limit for the whole sweep"})
		case !notSwept[name]:
			flags = append(flags, flag)
		}
	}
	return &cli.Command{
		Name:         "sweep",
		Usage:        "measure all combinations of several values, in one launch and one record",
		UsageText:    "perf sweep --tokens=1,8,32 --layout=expert,flat --mode=dispatch,combine [flags]",
		Flags:        flags,
		OnUsageError: command.OnUsageError,
		Action:       sweep,
	}
}

func sweep(c *cli.Context) error {
	if c.Args().Present() {
		return command.Usagef("sweep: %q is no flag", c.Args().First())
	}
	if c.String("output") == "" {
		return command.Usagef("--output: a folder is missing")
	}
	for _, shape := range []string{"hidden", "experts-per-rank", "topk"} {
		if c.String("model") != "" && c.IsSet(shape) {
			return command.Usagef("--%s: --model says it", shape)
		}
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
	p, err := plan.NewSweep(plan.Sweep{
		Base: preflight.CountGPUs(sweptOptions(c, party.Nodes, runID)), Models: c.String("model"), Modes: c.String("mode"), Tokens: c.String("tokens"),
		Dtypes: c.String("dtype"), Layouts: c.String("layout"), SMs: c.String("sms"), Routings: c.String("routing"),
	})
	if err != nil {
		return err
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

// sweptOptions are what all cases have in common; what a ladder sets is the default until then.
func sweptOptions(c *cli.Context, nodes int, runID string) plan.Options {
	o := plan.Defaults()
	o.RunID, o.Nodes = runID, nodes
	o.NumProcesses = decimalOf[int](c, "num-processes")
	o.Hidden, o.ExpertsPerRank, o.Topk = decimalOf[int](c, "hidden"), decimalOf[int](c, "experts-per-rank"), decimalOf[int](c, "topk")
	o.NvlinkBackend, o.Device, o.SharedGPU = c.String("nvlink-backend"), c.String("device"), c.Bool("shared-gpu")
	o.Combine, o.Quantize, o.Threads = c.String("combine"), c.String("quantize"), decimalOf[int](c, "threads")
	o.Seed, o.Warmup, o.Iters = decimalOf[uint64](c, "seed"), decimalOf[int](c, "warmup"), decimalOf[int](c, "iters")
	o.Detail, o.Beside, o.Timeout, o.WaitTimeout = c.Bool("detail"), c.String("beside"), spanOf(c, "timeout"), spanOf(c, "wait-timeout")
	return o
}
