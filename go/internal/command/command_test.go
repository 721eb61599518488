package command_test

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"testing"

	"github.com/urfave/cli/v2"

	"github.com/epperf/epperf/go/internal/command"
)

func TestErrorsBecomeOneLineAndACode(t *testing.T) {
	usage := command.Usagef("--size=%d: too large", 7)
	for name, test := range map[string]struct {
		err  error
		code int
		want string
	}{
		"none":           {nil, command.OK, ""},
		"already said":   {fmt.Errorf("run: %w", command.ErrFailed), command.Failed, ""},
		"slower":         {command.ErrRegressed, command.Regressed, ""},
		"failed":         {errors.New("disk full"), command.Failed, "tool: disk full\n"},
		"two at once":    {errors.Join(errors.New("one"), errors.New("two")), command.Failed, "tool: one; two\n"},
		"misused":        {usage, command.Misused, "tool: --size=7: too large; see tool --help\n"},
		"misused within": {fmt.Errorf("plan: %w", usage), command.Misused, "tool: plan: --size=7: too large; see tool --help\n"},
	} {
		var stderr bytes.Buffer
		app := &cli.App{Name: "tool", ErrWriter: &stderr, Action: func(*cli.Context) error { return test.err }}
		if code := command.Run(app, []string{"tool"}); code != test.code || stderr.String() != test.want {
			t.Errorf("%s: exit code %d, %q; want %d, %q", name, code, &stderr, test.code, test.want)
		}
	}
}

func TestWhatIsTypedWrongIsNamed(t *testing.T) {
	for argument, want := range map[string]string{
		"--loud":      "tool: no flag --loud; see tool --help\n",
		"--size":      "tool: --size: a value is missing; see tool --help\n",
		"--size=many": "tool: --size=\"many\": no value that this flag takes; see tool --help\n",
	} {
		var stdout, stderr bytes.Buffer
		app := &cli.App{Name: "tool", Writer: &stdout, ErrWriter: &stderr, Flags: []cli.Flag{&cli.IntFlag{Name: "size"}}}
		code := command.Run(app, []string{"tool", argument})
		if code != command.Misused || stderr.String() != want || stdout.Len() > 0 {
			t.Errorf("%s: exit code %d, %q, stdout %q; want %q", argument, code, &stderr, &stdout, want)
		}
	}
}

func TestUsageErrorKeepsItsCause(t *testing.T) {
	cause := errors.New("not empty")
	if err := command.Usagef("--dump: %w", cause); !errors.Is(err, cause) {
		t.Errorf("%v does not wrap its cause", err)
	}
}

func TestTheVersionIsTheModules(t *testing.T) {
	if !regexp.MustCompile(`^\d+\.\d+\.\d+(\+[0-9a-f]{12}(\.dirty)?)?$`).MatchString(command.Version()) {
		t.Errorf("version %q", command.Version())
	}
}

func TestAFlagBehindAFileIsNamed(t *testing.T) {
	for _, test := range []struct {
		arguments []string
		want      string
	}{
		{[]string{"show", "a.epperf", "--cases"}, "tool: show: --cases stands behind \"a.epperf\": flags come first; see tool --help\n"},
		{[]string{"show", "a.epperf", "--", "--cases"}, ""},
		{[]string{"show", "--cases", "a.epperf"}, ""},
	} {
		var stderr bytes.Buffer
		app := &cli.App{Name: "tool", ErrWriter: &stderr, Commands: []*cli.Command{{
			Name: "show", Flags: []cli.Flag{&cli.BoolFlag{Name: "cases"}}, Action: func(*cli.Context) error { return nil },
		}}}
		if code := command.Run(app, append([]string{"tool"}, test.arguments...)); stderr.String() != test.want || (code == command.OK) != (test.want == "") {
			t.Errorf("%q: exit code %d, %q; want %q", test.arguments, code, &stderr, test.want)
		}
	}
}
