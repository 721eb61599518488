// Command perf measures how fast, and how correctly, tokens reach their experts and come back:
// it starts one process a rank on this host, leads them through a plan, keeps what they measured
// in a record, and prints that record.
//
// Standard output is the report; progress, warnings and errors go to standard error.
package main

import (
	"io"
	"runtime"

	"github.com/urfave/cli/v2"

	"github.com/epperf/epperf/go/internal/command"
)

// threads bounds what Go computes with at once, whatever the machine has: preflight counts on it, and CPUs
// are for ranks.
const threads = 8

func main() {
	runtime.GOMAXPROCS(min(runtime.GOMAXPROCS(0), threads))
	command.Main("perf", perf)
}

// perf is the whole program but for the process: args[0] is its name.
func perf(args []string, stdout, stderr io.Writer) int {
	return command.Run(&cli.App{
		Name:      "perf",
		Usage:     "measure and check expert-parallel dispatch and combine",
		UsageText: "perf [flags]\nperf calibrate [flags]\nperf certs [flags]\nperf control [flags]\nperf coordinator [flags]\nperf elastic [flags]\nperf simulate [flags]\nperf sweep [flags]\nperf topo [flags]",
		Version:   command.Version(),
		Writer:    stdout,
		ErrWriter: stderr,
		Flags:     runFlags(),
		Action:    run,
		Commands:  []*cli.Command{calibrateCommand(), certsCommand(), controlCommand(), coordinatorCommand(), elasticCommand(), simulateCommand(), sweepCommand(), topoCommand(), rankCommand(), janitorCommand()},
	}, args)
}
