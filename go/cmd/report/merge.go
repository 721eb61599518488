package main

import (
	"fmt"

	"github.com/urfave/cli/v2"

	"github.com/epperf/epperf/go/internal/command"
	"github.com/epperf/epperf/go/internal/record"
)

func mergeCommand() *cli.Command {
	return &cli.Command{
		Name:         "merge",
		Usage:        "make one record of the parts that several launchers wrote",
		UsageText:    "report merge --out=FILE PART...",
		Flags:        []cli.Flag{&cli.StringFlag{Name: "out", Usage: "record to write, which must not be there"}},
		OnUsageError: command.OnUsageError,
		Action: func(c *cli.Context) error {
			const try = "try report merge --out=FILE PART..."
			switch {
			case c.String("out") == "":
				return command.Usagef("merge: --out is missing; %s", try)
			case !c.Args().Present():
				return command.Usagef("merge: parts are missing; %s", try)
			}
			if err := record.Merge(c.String("out"), c.Args().Slice()); err != nil {
				return err
			}
			_, err := fmt.Fprintf(c.App.Writer, "Record: %s\n", c.String("out"))
			return err
		},
	}
}
