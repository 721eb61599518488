package main

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/epperf/epperf/go/internal/command"
	"github.com/epperf/epperf/go/internal/compare"
	"github.com/epperf/epperf/go/internal/record"
	"github.com/epperf/epperf/go/internal/report"
)

func compareCommand() *cli.Command {
	return &cli.Command{
		Name:      "compare",
		Usage:     "hold launches of two builds against each other; exit code 3 is a regression",
		UsageText: "report compare [--threshold=3%] [--figure=slowest] OLD... -- NEW...",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "threshold", Value: "3%", Usage: "the change that matters"},
			&cli.StringFlag{Name: "figure", Value: string(compare.Slowest), Usage: "slowest, latency, kernels"},
			outFlag(),
		},
		OnUsageError: command.OnUsageError,
		Action:       compareRecords,
	}
}

func compareRecords(c *cli.Context) error {
	const try = "try report compare OLD... -- NEW..."
	paths := c.Args().Slice()
	middle := slices.Index(paths, "--")
	if middle < 1 || middle == len(paths)-1 {
		return command.Usagef("compare: records of both sides are needed, with -- between them; %s", try)
	}
	options := compare.Options{Figure: compare.Figure(c.String("figure"))}
	if !slices.Contains(compare.Figures, options.Figure) {
		return command.Usagef("compare: --figure=%q: try one of %v", c.String("figure"), compare.Figures)
	}
	var err error
	if options.Threshold, err = share(c.String("threshold")); err != nil {
		return command.Usagef("compare: --threshold=%q: %w", c.String("threshold"), err)
	}
	before, err := launched(paths[:middle], options.Figure)
	if err != nil {
		return err
	}
	after, err := launched(paths[middle+1:], options.Figure)
	if err != nil {
		return err
	}
	comparison := report.Comparison{Options: options}
	comparison.Results, comparison.Alone, err = compare.Launched(before, after, options)
	if err != nil {
		return command.Usagef("compare: %w; %s", err, try)
	}
	if err := writeOut(c, func(w io.Writer) error { return comparison.WriteText(w) }); err != nil {
		return err
	}
	if comparison.Regressed() {
		return command.ErrRegressed
	}
	return nil
}

// launched reads one side, a record at a time.
func launched(paths []string, figure compare.Figure) (*compare.Launches, error) {
	side := compare.NewLaunches(figure)
	for _, path := range paths {
		kept, err := record.Read(path)
		if err != nil {
			return nil, err
		}
		side.Add(kept)
	}
	return side, nil
}

// share reads 5% or 0.05.
func share(text string) (float64, error) {
	number, percent := strings.CutSuffix(text, "%")
	value, err := strconv.ParseFloat(number, 64)
	if percent {
		value /= 100
	}
	if err != nil || !(value > 0 && value < 1) {
		return 0, fmt.Errorf("a change is more than 0%% and less than 100%%, such as 5%%")
	}
	return value, nil
}
