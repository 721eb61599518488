package main

import (
	"os"

	"github.com/urfave/cli/v2"

	"github.com/epperf/epperf/go/internal/conduct"
)

func janitorCommand() *cli.Command {
	return &cli.Command{
		Name:     conduct.JanitorName,
		Usage:    "removes a launcher's temporary folder when the launcher is gone; perf starts it",
		Hidden:   true,
		HideHelp: true,
		Action:   func(c *cli.Context) error { return conduct.Clean(os.Stdin, os.Stdout, c.Args().First()) },
	}
}
