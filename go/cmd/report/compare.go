package main

import (
	"io"
	"slices"

	"github.com/urfave/cli/v2"

	"github.com/epperf/epperf/go/internal/command"
	"github.com/epperf/epperf/go/internal/compare"
	"github.com/epperf/epperf/go/internal/export"
	"github.com/epperf/epperf/go/internal/report"
)

func compareCommand() *cli.Command {
	return &cli.Command{
		Name:      "compare",
		Usage:     "hold launches of two builds against each other; exit code 3 is a regression",
		UsageText: "report compare [--threshold=3%] [--figure=slowest] [--format=json] OLD... -- NEW...",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "threshold", Value: compare.DefaultThreshold, Usage: "the change that matters"},
			&cli.StringFlag{Name: "figure", Value: string(compare.Slowest), Usage: "slowest, latency, kernels"},
			&cli.StringFlag{Name: "format", Value: "text", Usage: "text, json"},
			&cli.BoolFlag{Name: "schema", Usage: "write the JSON Schema of json, and read no record"},
			outFlag(),
		},
		OnUsageError: command.OnUsageError,
		Action:       compareRecords,
	}
}

func compareRecords(c *cli.Context) error {
	const try = "try report compare OLD... -- NEW..."
	if c.Bool("schema") {
		return writeOut(c, func(w io.Writer) error {
			_, err := w.Write(export.ComparisonSchema)
			return err
		})
	}
	format := c.String("format")
	if format != "text" && format != "json" {
		return command.Usagef("compare: --format=%q: try one of text, json", format)
	}
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
	if options.Threshold, err = compare.ParseThreshold(c.String("threshold")); err != nil {
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
	write := comparison.WriteText
	if format == "json" {
		write = func(w io.Writer) error { return export.WriteComparison(w, &comparison) }
	}
	if err := writeOut(c, write); err != nil {
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
		if err := side.Read(path); err != nil {
			return nil, err
		}
	}
	return side, nil
}
