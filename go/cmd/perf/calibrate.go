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

// calibrated are the flags of a run that a calibration has, and what they are there, if not the same.
var calibrated = map[string]string{
	"num-processes": "",
	"device":        "whose memory: cpu, cuda, or auto for GPUs if this host has any",
	"hidden":        "channels of a copied row, two bytes each",
	"iters":         "timed iterations of each way to copy; figures leave out the first",
	"timeout":       "",
	"wait-timeout":  "limit for every wait for a peer's flag",
}

func calibrateCommand() *cli.Command {
	d := plan.CalibrationDefaults()
	return &cli.Command{
		Name:      "calibrate",
		Usage:     "measure what this machine can do at best: memory copies and flags between ranks, on GPUs or CPUs",
		UsageText: "perf calibrate [flags]",
		Flags: append(planFlags(d.Options, calibrated),
			&cli.GenericFlag{Name: "working-set", Value: newDecimal(d.WorkingSetBytes >> 20), Usage: "MiB that a rank reads and writes in one iteration, more than caches hold"},
			&cli.StringFlag{Name: "output", Value: "epperf-results", Usage: "folder for the record"},
			&cli.BoolFlag{Name: "quiet", Usage: "no progress bar"},
			startedBy(),
		),
		OnUsageError: command.OnUsageError,
		Action:       calibrate,
	}
}

func calibrate(c *cli.Context) error {
	if c.Args().Present() {
		return command.Usagef("calibrate: %q is no flag", c.Args().First())
	}
	if c.String("output") == "" {
		return command.Usagef("--output: a folder is missing")
	}
	if err := refuseCopiesHere(c, os.Getenv); err != nil {
		return err
	}
	o := plan.CalibrationDefaults()
	o.Options = optionsOf(c, o.Options, func(name string) bool { _, has := calibrated[name]; return has })
	o.WorkingSetBytes = min(decimalOf[uint64](c, "working-set"), 1<<40) << 20
	counted, search := preflight.CountGPUs(o.Options)
	o.Options = counted
	p, err := plan.NewCalibration(o)
	if err != nil {
		return err
	}
	ctx, stop := conduct.UntilSignal(context.Background())
	defer stop()
	return conduct.Run{
		Plan:          p,
		Party:         conduct.Party{Nodes: 1},
		GPUs:          search,
		Output:        c.String("output"),
		RankArguments: rankArguments,
		Stdout:        c.App.Writer,
		Stderr:        c.App.ErrWriter,
		Quiet:         c.Bool("quiet"),
		Debug:         os.Getenv("EPPERF_DEBUG") != "",
	}.Do(ctx)
}
