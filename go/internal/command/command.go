// Package command is what epperf's commands have in common: their version, their exit codes, and
// how what went wrong is said in one line.
package command

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/urfave/cli/v2"

	"github.com/epperf/epperf/go/internal/workdir"
)

// What Bazel puts here: MODULE.bazel's version, and in --config=release git's commit.
var version, commit = "unknown", ""

// Version names this state of epperf: 0.1.0, or 0.1.0+COMMIT if git was asked.
func Version() string {
	if commit == "" || strings.HasPrefix(commit, "{") { // Bazel's word, which it replaces in --config=release
		return version
	}
	return version + "+" + commit
}

// Exit codes.
const (
	OK      = 0
	Failed  = 1
	Misused = 2
	// Regressed: all went well, and what was measured is slower than it was.
	Regressed = 3
)

// ErrFailed means exit code Failed where all there is to say has been printed.
var ErrFailed = errors.New("failed")

// ErrRegressed means exit code Regressed, likewise.
var ErrRegressed = errors.New("regressed")

// Main is the process around a command. A relative path means a file of the user's folder there. A file
// that reaches a limit of its size is an error of who writes it, not the end.
func Main(name string, do func(args []string, stdout, stderr io.Writer) int) {
	signal.Ignore(syscall.SIGXFSZ)
	if err := workdir.Enter(); err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", name, err)
		os.Exit(Failed)
	}
	os.Exit(do(os.Args, os.Stdout, os.Stderr))
}

// Run runs an app, prints its error to the app's ErrWriter and returns the exit code.
func Run(app *cli.App, args []string) int {
	app.HideHelpCommand = true
	app.EnableBashCompletion = true
	app.Commands = append(app.Commands, helpCommands()...)
	app.OnUsageError = OnUsageError
	for _, command := range app.Commands {
		command.Before = flagsFirst
	}
	app.ExitErrHandler = func(*cli.Context, error) {} // the exit code is made here
	err := app.Run(args)
	if err == nil {
		return OK
	}
	switch {
	case errors.Is(err, ErrFailed):
		return Failed
	case errors.Is(err, ErrRegressed):
		return Regressed
	}
	text := strings.ReplaceAll(err.Error(), "\n", "; ") // errors that happened together
	var misuse interface{ Misuse() }
	if errors.As(err, &misuse) {
		fmt.Fprintf(app.ErrWriter, "%s: %s; see %s --help\n", app.Name, text, app.Name)
		return Misused
	}
	fmt.Fprintf(app.ErrWriter, "%s: %s\n", app.Name, text)
	return Failed
}

// flagsFirst refuses a flag behind a file, which the library takes for one more file.
func flagsFirst(c *cli.Context) error {
	for i, argument := range c.Args().Slice() {
		if argument == "--" {
			break
		}
		if i > 0 && strings.HasPrefix(argument, "--") {
			return Usagef("%s: %s stands behind %q: flags come first", c.Command.Name, argument, c.Args().Get(i-1))
		}
	}
	return nil
}
