package command

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/urfave/cli/v2"
)

// A UsageError says what makes no sense in what the user typed: exit code Misused.
type UsageError struct{ err error }

// Usagef makes a UsageError, as fmt.Errorf makes an error.
func Usagef(format string, arguments ...any) error {
	return UsageError{fmt.Errorf(format, arguments...)}
}

func (e UsageError) Error() string { return e.err.Error() }

// Unwrap returns the error that Usagef made.
func (e UsageError) Unwrap() error { return e.err }

// Misuse marks the error for Run; those of other packages have it too.
func (UsageError) Misuse() {}

// The flag parser's own words for what a user typed.
var (
	unknownFlag = regexp.MustCompile(`^flag provided but not defined: -+(.*)$`)
	badValue    = regexp.MustCompile(`^invalid (?:boolean )?value (".*") for (?:flag )?-+([a-z-]+): (.*)$`)
	noValue     = regexp.MustCompile(`^flag needs an argument: -+(.*)$`)
)

// OnUsageError says what is wrong with the arguments in the form of all our messages. Run sets it
// on the app; subcommands need it, too.
func OnUsageError(_ *cli.Context, err error, _ bool) error {
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
	return Usagef("%s", text)
}
