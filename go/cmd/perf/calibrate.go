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

func calibrateCommand() *cli.Command {
	d := plan.CalibrationDefaults()
	return &cli.Command{
		Name:      "calibrate",
		Usage:     "measure what this machine can do at best: memory copies and flags between ranks, on GPUs or CPUs",
		UsageText: "perf calibrate [flags]",
		Flags: []cli.Flag{
			&cli.GenericFlag{Name: "num-processes", Value: newDecimal(d.NumProcesses), DefaultText: ranksDefault, Usage: "number of ranks on this host, a process each; auto is one on each of 2 to 8 GPUs, else 8 on CPUs"},
			&cli.StringFlag{Name: "device", Value: d.Device, Usage: "whose memory: cpu, cuda, or auto for GPUs if this host has any"},
			&cli.GenericFlag{Name: "hidden", Value: newDecimal(d.Hidden), Usage: "channels of a copied row, two bytes each"},
			&cli.GenericFlag{Name: "working-set", Value: newDecimal(d.WorkingSetBytes >> 20), Usage: "MiB that a rank reads and writes in one iteration, more than caches hold"},
			&cli.GenericFlag{Name: "iters", Value: newDecimal(d.Iters), Usage: "timed iterations of each way to copy; figures leave out the first"},
			&cli.GenericFlag{Name: "timeout", Value: newSpan(d.Timeout), Usage: "limit for the whole run, in seconds or as 2m30s"},
			&cli.GenericFlag{Name: "wait-timeout", Value: newSpan(d.WaitTimeout), Usage: "limit for every wait for a peer's flag"},
			&cli.StringFlag{Name: "output", Value: "epperf-results", Usage: "folder for the record"},
			&cli.BoolFlag{Name: "quiet", Usage: "no progress bar"},
			startedBy(),
		},
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
	// What counts GPUs is the same as of a run.
	counted, search := preflight.CountGPUs(plan.Options{
		Device: c.String("device"), NumProcesses: decimalOf[int](c, "num-processes"), RanksGiven: c.IsSet("num-processes"),
	})
	p, err := plan.NewCalibration(plan.CalibrationOptions{
		NumProcesses:    counted.NumProcesses,
		Device:          counted.Device,
		GPUs:            counted.GPUs,
		NoGPU:           counted.NoGPU,
		Hidden:          decimalOf[int](c, "hidden"),
		WorkingSetBytes: min(decimalOf[uint64](c, "working-set"), 1<<40) << 20,
		Iters:           decimalOf[int](c, "iters"),
		Timeout:         spanOf(c, "timeout"),
		WaitTimeout:     spanOf(c, "wait-timeout"),
	})
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
