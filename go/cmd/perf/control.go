package main

import (
	"slices"

	"github.com/urfave/cli/v2"

	"github.com/epperf/epperf/go/internal/command"
	"github.com/epperf/epperf/go/internal/plan"
	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

// notControlled are the flags of a run that shape what rounds of the control plane do not time.
var notControlled = []string{
	dumpFlag, "soak", "soak-check", "soak-round", "explain", "mode", "warmup", "iters", "detail", "beside", "calibration",
	launchesFlag, againstFlag, thresholdFlag,
}

func controlCommand() *cli.Command {
	flags := []cli.Flag{
		&cli.GenericFlag{Name: "rounds", Value: newDecimal(plan.DefaultRounds), Usage: "lives of an engine; figures leave out the first"},
	}
	for _, flag := range runFlags() {
		switch name := flag.Names()[0]; {
		case name == "expect":
			flags = append(flags, &cli.StringFlag{Name: name, Usage: "print what is expected beside it, by a file, or the examples control-a or control-b of two READMEs"})
		case !slices.Contains(notControlled, name):
			flags = append(flags, flag)
		}
	}
	return &cli.Command{
		Name:         epperfv1.Control,
		Usage:        "time what ranks do before and after they move rows: init, connect, disconnect, reconnect, destroy",
		UsageText:    "perf control [flags]",
		Flags:        command.InGroups(flags, groups...),
		OnUsageError: command.OnUsageError,
		Action:       control,
	}
}

func control(c *cli.Context) error {
	if c.Args().Present() {
		return command.Usagef("control: %q is no flag", c.Args().First())
	}
	return measure(c, measurement{
		options: optionsOf(c, plan.Defaults(), func(name string) bool { return !slices.Contains(notControlled, name) }),
		plan: func(o plan.Options) (*epperfv1.Plan, error) {
			return plan.NewControl(o, decimalOf[int](c, "rounds"))
		},
	})
}
