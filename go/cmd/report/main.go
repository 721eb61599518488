// Command report prints what the records of perf say. It needs no device, no network and no
// peer: a record is enough.
package main

import (
	"fmt"
	"io"

	"github.com/urfave/cli/v2"

	"github.com/epperf/epperf/go/internal/command"
	"github.com/epperf/epperf/go/internal/record"
)

func main() { command.Main("report", run) }

// run is the whole program but for the process: args[0] is its name.
func run(args []string, stdout, stderr io.Writer) int {
	return command.Run(&cli.App{
		Name:      "report",
		Usage:     "print what the records of perf say",
		Version:   fmt.Sprintf("%s (reads records up to schema version %d)", command.Version(), record.SchemaVersion),
		Writer:    stdout,
		ErrWriter: stderr,
		Commands:  []*cli.Command{showCommand(), compareCommand(), exportCommand(), htmlCommand(), importCommand(), mergeCommand(), predictCommand()},
		Action: func(c *cli.Context) error {
			if c.Args().Present() {
				return command.Usagef("no command %q", c.Args().First())
			}
			return command.Usagef("a command is missing, such as report show FILE")
		},
	}, args)
}
