package main

import (
	"fmt"

	"github.com/urfave/cli/v2"

	"github.com/epperf/epperf/go/internal/command"
	"github.com/epperf/epperf/go/internal/report"
)

func showCommand() *cli.Command {
	return &cli.Command{
		Name:         "show",
		Usage:        "print records as perf printed them",
		UsageText:    "report show FILE...",
		OnUsageError: command.OnUsageError,
		Action:       show,
	}
}

// show prints every record that it can read, and fails if it cannot read one or if one failed.
func show(c *cli.Context) error {
	if !c.Args().Present() {
		return command.Usagef("show: a record is missing; try report show FILE")
	}
	allPassed := true
	for i, path := range c.Args().Slice() {
		if i > 0 {
			fmt.Fprintln(c.App.Writer)
		}
		passed, err := report.Show(c.App.Writer, path)
		if err != nil {
			fmt.Fprintf(c.App.ErrWriter, "report: %v\n", err)
		}
		allPassed = allPassed && passed && err == nil
	}
	if !allPassed {
		return command.ErrFailed
	}
	return nil
}
