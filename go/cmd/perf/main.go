// Command perf measures how fast, and how correctly, tokens reach their experts and come back:
// it starts one process a rank on this host, leads them through a plan, keeps what they measured
// in a record, and prints that record.
//
// Standard output is the report; progress, warnings and errors go to standard error.
package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/epperf/epperf/go/internal/plan"
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
		fmt.Fprintf(os.Stderr, "perf: %v\n", err)
		os.Exit(exitFailed)
	}
	os.Exit(perf(os.Args, os.Stdout, os.Stderr))
}

// perf is the whole program but for the process: args[0] is its name.
func perf(args []string, stdout, stderr io.Writer) int {
	app := &cli.App{
		Name:            "perf",
		Usage:           "measure and check expert-parallel dispatch and combine",
		UsageText:       "perf [flags]\nperf calibrate [flags]\nperf coordinator [flags]",
		Version:         version,
		HideHelpCommand: true,
		Writer:          stdout,
		ErrWriter:       stderr,
		Flags:           runFlags(),
		Action:          run,
		Commands:        []*cli.Command{calibrateCommand(), coordinatorCommand(), rankCommand(), janitorCommand()},
		OnUsageError:    onUsageError,
		ExitErrHandler:  func(*cli.Context, error) {}, // the exit code is made below
	}
	err := app.Run(args)
	if err == nil {
		return exitOK
	}
	if errors.Is(err, errFailed) {
		return exitFailed
	}
	var usage usageError
	var value *plan.UsageError
	if errors.As(err, &usage) || errors.As(err, &value) {
		fmt.Fprintf(stderr, "perf: %s; see perf --help\n", line(err))
		return exitUsage
	}
	fmt.Fprintf(stderr, "perf: %s\n", line(err))
	return exitFailed
}

// line puts errors that happened together into one line.
func line(err error) string { return strings.ReplaceAll(err.Error(), "\n", "; ") }

// The flag parser's own words for what a user typed.
var (
	unknownFlag = regexp.MustCompile(`^flag provided but not defined: -+(.*)$`)
	badValue    = regexp.MustCompile(`^invalid (?:boolean )?value (".*") for (?:flag )?-+([a-z-]+): (.*)$`)
	noValue     = regexp.MustCompile(`^flag needs an argument: -+(.*)$`)
)

// onUsageError says what is wrong with the arguments in the form of all our messages.
func onUsageError(_ *cli.Context, err error, _ bool) error {
	text := err.Error()
	switch {
	case unknownFlag.MatchString(text):
		text = unknownFlag.ReplaceAllString(text, "no flag --$1")
	case noValue.MatchString(text):
		text = noValue.ReplaceAllString(text, "--$1: a value is missing")
	case badValue.MatchString(text):
		text = badValue.ReplaceAllString(text, "--$2=$1: $3")
		text = strings.Replace(text, ": parse error", ": no value that this flag takes", 1)
	}
	return usageError{errors.New(text)}
}
