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
			&cli.IntFlag{Name: "num-processes", Value: d.NumProcesses, Usage: "number of ranks on this host, a process each"},
			&cli.StringFlag{Name: "device", Value: d.Device, Usage: "whose memory: cpu, cuda, or auto for GPUs if this host has any"},
			&cli.IntFlag{Name: "hidden", Value: d.Hidden, Usage: "channels of a copied row, two bytes each"},
			&cli.Uint64Flag{Name: "working-set", Value: d.WorkingSetBytes >> 20, Usage: "MiB that a rank reads and writes in one iteration, more than caches hold"},
			&cli.IntFlag{Name: "iters", Value: d.Iters, Usage: "timed iterations of each way to copy; figures leave out the first"},
			&cli.GenericFlag{Name: "timeout", Value: newSpan(d.Timeout), Usage: "limit for the whole run, in seconds or as 2m30s"},
			&cli.GenericFlag{Name: "wait-timeout", Value: newSpan(d.WaitTimeout), Usage: "limit for every wait for a peer's flag"},
			&cli.StringFlag{Name: "output", Value: "epperf-results", Usage: "folder for the record"},
			&cli.BoolFlag{Name: "quiet", Usage: "no progress bar"},
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
	// What counts GPUs is the same as of a run.
	counted := preflight.CountGPUs(plan.Options{Device: c.String("device")})
	p, err := plan.NewCalibration(plan.CalibrationOptions{
		NumProcesses:    c.Int("num-processes"),
		Device:          counted.Device,
		GPUs:            counted.GPUs,
		NoGPU:           counted.NoGPU,
		Hidden:          c.Int("hidden"),
		WorkingSetBytes: min(c.Uint64("working-set"), 1<<40) << 20,
		Iters:           c.Int("iters"),
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
		Output:        c.String("output"),
		RankArguments: rankArguments,
		Stdout:        c.App.Writer,
		Stderr:        c.App.ErrWriter,
		Quiet:         c.Bool("quiet"),
		Debug:         os.Getenv("EPPERF_DEBUG") != "",
	}.Do(ctx)
}
