package main

import (
	"fmt"

	"github.com/urfave/cli/v2"

	"github.com/epperf/epperf/go/internal/command"
	"github.com/epperf/epperf/go/internal/expect"
	"github.com/epperf/epperf/go/internal/record"
	"github.com/epperf/epperf/go/internal/report"
)

func showCommand() *cli.Command {
	return &cli.Command{
		Name:      "show",
		Usage:     "print records as perf printed them",
		UsageText: "report show [--cases] [--expect=FILE|seed-dfw|control-a|control-b] FILE...",
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "cases", Usage: "of a sweep all that there is of each case, and not a row"},
			&cli.StringFlag{Name: "expect", Usage: "print what is expected beside it, by a file or the tables seed-dfw, control-a and control-b; 2: not comparable, 3: worse"},
		},
		OnUsageError: command.OnUsageError,
		Action:       show,
	}
}

// show prints every record that it can read, and fails if it cannot read one or if one failed.
func show(c *cli.Context) error {
	if !c.Args().Present() {
		return command.Usagef("show: a record is missing; try report show FILE")
	}
	var expectation *report.Expectation
	if name := c.String("expect"); name != "" {
		expected, err := expect.Load(name)
		if err != nil {
			return command.Usagef("show: %w", err)
		}
		expectation = &report.Expectation{Table: expected}
	}
	allPassed := true
	for i, path := range c.Args().Slice() {
		if i > 0 {
			fmt.Fprintln(c.App.Writer)
		}
		passed, err := showOne(c, path, expectation)
		if err != nil {
			fmt.Fprintf(c.App.ErrWriter, "report: %v\n", err)
		}
		allPassed = allPassed && passed && err == nil
	}
	if expectation != nil {
		if err := expectation.WriteText(c.App.Writer); err != nil {
			return err
		}
	}
	switch {
	case !allPassed:
		return command.ErrFailed
	case expectation == nil:
		return nil
	case !expectation.Comparable():
		return command.Usagef("show: nothing is comparable with --expect=%s: what differs stands above", c.String("expect"))
	case expectation.Worse():
		return command.ErrRegressed
	default:
		return nil
	}
}

// showOne prints one record, and notes what is expected of it, if anything is.
func showOne(c *cli.Context, path string, expectation *report.Expectation) (passed bool, err error) {
	kept, err := record.Read(path)
	if err != nil {
		return false, err
	}
	passed, err = report.Print(c.App.Writer, kept, c.Bool("cases"))
	if expectation != nil && err == nil {
		expectation.Results = append(expectation.Results, expectation.Table.Against(kept)...)
	}
	return passed, err
}
