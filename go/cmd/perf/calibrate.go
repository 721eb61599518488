package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/urfave/cli/v2"

	"github.com/epperf/epperf/go/internal/command"
	"github.com/epperf/epperf/go/internal/conduct"
	"github.com/epperf/epperf/go/internal/figures"
	"github.com/epperf/epperf/go/internal/host"
	"github.com/epperf/epperf/go/internal/plan"
	"github.com/epperf/epperf/go/internal/preflight"
	"github.com/epperf/epperf/go/internal/record"
	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

// This file is what perf calibrate measures, and how a run finds it again.

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

// limitFrom reads the calibration in a file that the user names.
func limitFrom(path string, p *epperfv1.Plan) (*epperfv1.Limit, error) {
	kept, err := record.Read(path)
	if err != nil {
		return nil, fmt.Errorf("--calibration: %w", err)
	}
	limit, ok := figures.LimitOf(kept)
	if !ok {
		return nil, command.Usagef("--calibration=%s: not a calibration that passed; perf calibrate makes one", path)
	}
	if device := kept.Header.GetPlan().GetDevice(); device != p.GetDevice() {
		return nil, command.Usagef("--calibration=%s: of device %s, this run is on %s; perf calibrate --device=%s makes one",
			path, epperfv1.Name(device), epperfv1.Name(p.GetDevice()), epperfv1.Name(p.GetDevice()))
	}
	if ranks := limit.GetCase().GetRanks(); ranks != p.GetRanksPerHost() {
		return nil, command.Usagef("--calibration=%s: of %d ranks, this run has %d on a host; perf calibrate --num-processes=%d makes one",
			path, ranks, p.GetRanksPerHost(), p.GetRanksPerHost())
	}
	return limit, nil
}

// newestLimit returns what the newest calibration in a folder says of this machine with as many
// ranks as the plan has; nil if there is none. Files that are no such thing are passed over.
func newestLimit(folder string, p *epperfv1.Plan) (*epperfv1.Limit, error) {
	system, err := host.This()
	if err != nil {
		return nil, err
	}
	names, err := filepath.Glob(filepath.Join(escaped(folder), "*-"+epperfv1.Calibrate+"-*.epperf"))
	if err != nil {
		return nil, fmt.Errorf("look for calibrations: %w", err)
	}
	slices.Sort(names) // they begin with the time
	this := system.Describe()
	if this.Gpus, err = preflight.GPUsOf(p); err != nil {
		return nil, err
	}
	for _, name := range slices.Backward(names) {
		kept, err := record.Read(name)
		if err != nil || kept.Header.GetPlan().GetDevice() != p.GetDevice() || len(kept.Header.GetHosts()) != 1 || !host.Comparable(kept.Header.GetHosts()[0], this) {
			continue
		}
		if limit, ok := figures.LimitOf(kept); ok && limit.GetCase().GetRanks() == p.GetRanksPerHost() {
			return limit, nil
		}
	}
	return nil, nil
}

// escaped keeps a folder's name from being a pattern.
func escaped(folder string) string {
	var name []rune
	for _, r := range folder {
		if slices.Contains([]rune(`*?[\`), r) {
			name = append(name, '\\')
		}
		name = append(name, r)
	}
	return string(name)
}
