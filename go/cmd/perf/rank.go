package main

import (
	"github.com/urfave/cli/v2"

	"github.com/epperf/epperf/go/internal/command"
	"github.com/epperf/epperf/go/internal/conduct"
	"github.com/epperf/epperf/go/internal/native"
)

const (
	// rankName is the command as which perf executes itself once a rank.
	rankName = "rank"
	// dumpFlag names the folder to a user's perf, and again to the ranks that it starts.
	dumpFlag = "dump"
	// progressFlag makes rank 0 say how far a soak is.
	progressFlag = "progress"
	// nixlRootFlag names NIXL's folder to a user's perf, and again to the ranks that it starts.
	nixlRootFlag = "nixl-root"
	// nixlCandidateFlag is for ranks alone.
	nixlCandidateFlag = "nixl-candidate"
	// hostFlag is for ranks alone: which host they are on.
	hostFlag = "host"
	// cpusFlag is for ranks alone: which CPUs their launcher has.
	cpusFlag = "cpus"
)

func rankCommand() *cli.Command {
	return &cli.Command{
		Name:     rankName,
		Usage:    "one rank of a run; perf starts it",
		Hidden:   true,
		HideHelp: true,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: dumpFlag},
			&cli.BoolFlag{Name: progressFlag},
			&cli.StringFlag{Name: nixlRootFlag},
			&cli.StringFlag{Name: nixlCandidateFlag},
			&cli.StringFlag{Name: hostFlag},
			&cli.StringFlag{Name: cpusFlag},
		},
		OnUsageError: command.OnUsageError,
		Action: func(c *cli.Context) error {
			return conduct.Rank(conduct.RankOptions{
				Dump:     c.String(dumpFlag),
				Progress: c.Bool(progressFlag),
				NIXL:     native.NIXL{Root: c.String(nixlRootFlag), Candidate: c.String(nixlCandidateFlag)},
				Host:     c.String(hostFlag),
				CPUs:     c.String(cpusFlag),
			})
		},
	}
}

// rankArguments are what rankCommand reads.
func rankArguments(o conduct.RankOptions) []string {
	arguments := []string{rankName}
	if o.Progress {
		arguments = append(arguments, "--"+progressFlag)
	}
	for _, of := range []struct{ flag, value string }{
		{dumpFlag, o.Dump},
		{nixlRootFlag, o.NIXL.Root},
		{nixlCandidateFlag, o.NIXL.Candidate},
		{hostFlag, o.Host},
		{cpusFlag, o.CPUs},
	} {
		if of.value != "" {
			arguments = append(arguments, "--"+of.flag+"="+of.value)
		}
	}
	return arguments
}
