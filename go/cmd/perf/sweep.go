package main

import (
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/epperf/epperf/go/internal/command"
	"github.com/epperf/epperf/go/internal/plan"
	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
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
	for _, shape := range []string{"hidden", "experts-per-rank", "topk"} {
		if c.String("model") != "" && c.IsSet(shape) {
			return command.Usagef("--%s: --model says it", shape)
		}
	}
	return measure(c, measurement{plan: func(common plan.Options) (*epperfv1.Plan, error) {
		return plan.NewSweep(plan.Sweep{
			Base: common, Models: c.String("model"), Modes: c.String("mode"), Tokens: c.String("tokens"),
			Dtypes: c.String("dtype"), Layouts: c.String("layout"), SMs: c.String("sms"), Routings: c.String("routing"),
		})
	}})
}
