// Command report prints what the records of perf say. It needs no device, no network and no
// peer: a record is enough.
package main

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/urfave/cli/v2"

	"github.com/epperf/epperf/go/internal/record"
	"github.com/epperf/epperf/go/internal/workdir"
)

const version = "0.1.0"

// Exit codes, the same for all of epperf's commands.
const (
	exitOK     = 0
	exitFailed = 1
	exitUsage  = 2
)

// errFailed means exit code 1 where all there is to say has been printed.
var errFailed = errors.New("failed")

// A usageError means exit code 2.
type usageError struct{ error }

func main() {
	if err := workdir.Enter(); err != nil {
		fmt.Fprintf(os.Stderr, "report: %v\n", err)
		os.Exit(exitFailed)
	}
	os.Exit(run(os.Args, os.Stdout, os.Stderr))
}

// run is the whole program but for the process: args[0] is its name.
func run(args []string, stdout, stderr io.Writer) int {
	app := &cli.App{
		Name:            "report",
		Usage:           "print what the records of perf say",
		Version:         fmt.Sprintf("%s (reads records up to schema version %d)", version, record.SchemaVersion),
		HideHelpCommand: true,
		Writer:          stdout,
		ErrWriter:       stderr,
		OnUsageError:    onUsageError,
		ExitErrHandler:  func(*cli.Context, error) {}, // the exit code is made below
		Commands:        []*cli.Command{showCommand()},
		Action: func(c *cli.Context) error {
			if c.Args().Present() {
				return usageError{fmt.Errorf("no command %q; see report --help", c.Args().First())}
			}
			return usageError{errors.New("a command is missing, such as report show FILE; see report --help")}
		},
	}
	err := app.Run(args)
	if err == nil {
		return exitOK
	}
	if errors.Is(err, errFailed) {
		return exitFailed
	}
	fmt.Fprintf(stderr, "report: %v\n", err)
	if errors.As(err, &usageError{}) {
		return exitUsage
	}
	return exitFailed
}

func onUsageError(_ *cli.Context, err error, _ bool) error { return usageError{err} }
