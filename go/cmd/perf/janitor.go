package main

import (
	"os"

	"github.com/urfave/cli/v2"

	"github.com/epperf/epperf/go/internal/conduct"
)

func janitorCommand() *cli.Command {
	return &cli.Command{
		Name:     conduct.JanitorName,
		Usage:    "runs an etcd server for a launcher, and removes its folder; perf starts it",
		Hidden:   true,
		HideHelp: true,
		Action:   func(*cli.Context) error { return conduct.Serve(os.Stdin, os.Stdout, os.Stderr) },
	}
}
