package command_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/urfave/cli/v2"

	"github.com/epperf/epperf/go/internal/command"
)

// tool runs an app with a command and flags of two groups.
func tool(t *testing.T, arguments ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, err bytes.Buffer
	code = command.Run(&cli.App{
		Name: "tool", Usage: "do something", Writer: &out, ErrWriter: &err,
		Flags: command.InGroups([]cli.Flag{
			&cli.StringFlag{Name: "size", Usage: "how large"}, &cli.BoolFlag{Name: "quiet", Usage: "say nothing"},
		}, command.Group{Name: "Shape", Flags: []string{"size"}}, command.Group{Name: "Output", Flags: []string{"quiet"}}),
		Commands: []*cli.Command{{Name: "measure", Usage: "measure it", Action: func(*cli.Context) error { return nil }}},
		Action:   func(*cli.Context) error { return nil },
	}, append([]string{"tool"}, arguments...))
	return code, out.String(), err.String()
}

func TestHelpIsInGroups(t *testing.T) {
	_, text, _ := tool(t, "--help")
	output, quiet, shape, size := strings.Index(text, "   Output\n"), strings.Index(text, "--quiet"), strings.Index(text, "   Shape\n"), strings.Index(text, "--size")
	if !(0 < output && output < quiet && quiet < shape && shape < size) {
		t.Errorf("help:\n%s", text)
	}
	defer func() {
		if recover() == nil {
			t.Error("a flag without a group is not noticed")
		}
	}()
	command.InGroups([]cli.Flag{&cli.BoolFlag{Name: "lost"}})
}

func TestTheManualPageHasAllFlags(t *testing.T) {
	code, text, stderr := tool(t, "man")
	if code != 0 || !strings.HasPrefix(text, `.nh`) && !strings.HasPrefix(text, `.TH`) {
		t.Fatalf("exit code %d, %s: %.200s", code, stderr, text)
	}
	for _, want := range []string{"size", "quiet", "measure", "how large"} {
		if !strings.Contains(text, want) {
			t.Errorf("the page lacks %s", want)
		}
	}
}

// What a shell says of a command line that ends in a TAB, by the shell itself where it is there.
func TestShellsComplete(t *testing.T) {
	for shell, parses := range map[string][]string{"bash": {"-n"}, "zsh": {"-n"}, "fish": {"--no-execute"}} {
		code, script, stderr := tool(t, "completion", shell)
		if code != 0 || !strings.Contains(script, "tool") {
			t.Errorf("%s: exit code %d, %s", shell, code, stderr)
			continue
		}
		program, err := exec.LookPath(shell)
		if err != nil {
			t.Logf("skipped: no %s here to read its script", shell)
			continue
		}
		path := filepath.Join(t.TempDir(), "script")
		if err := os.WriteFile(path, []byte(script), 0o644); err != nil {
			t.Fatal(err)
		}
		if text, err := exec.Command(program, append(parses, path)...).CombinedOutput(); err != nil {
			t.Errorf("%s does not take it: %v, %s", shell, err, text)
		}
	}
	if code, _, stderr := tool(t, "completion", "csh"); code != command.Misused || !strings.Contains(stderr, "try one of bash, zsh, fish") {
		t.Errorf("exit code %d, %s", code, stderr)
	}
}

// The program's own answers, as bash puts them before who types.
func TestBashCompletesWhatTheProgramAnswers(t *testing.T) {
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Skip("skipped: no bash")
	}
	defer func(arguments []string) { os.Args = arguments }(os.Args)
	for typed, want := range map[string]string{"tool me": "measure", "tool --si": "--size", "tool completion z": "zsh"} {
		_, script, _ := tool(t, "completion", "bash")
		words := strings.Fields(typed)
		last := words[len(words)-1]
		asked := words[1:]
		if !strings.HasPrefix(last, "-") {
			asked = asked[:len(asked)-1]
		}
		// In place of the program its answer to what the script asks it.
		asked = append(asked, "--generate-bash-completion")
		os.Args = append([]string{"tool"}, asked...) // which the library reads
		_, answer, _ := tool(t, asked...)
		run := exec.Command(bash, "-c", `tool() { printf '%s' "$ANSWER"; }; eval "$SCRIPT"; COMP_WORDS=($TYPED); COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _tool_complete; echo "${COMPREPLY[*]}"`)
		run.Env = append(os.Environ(), "ANSWER="+answer, "SCRIPT="+script, "TYPED="+typed)
		text, err := run.CombinedOutput()
		if got := strings.TrimSpace(string(text)); err != nil || got != want {
			t.Errorf("%s<TAB>: %q, %v; want %s", typed, got, err, want)
		}
	}
}
