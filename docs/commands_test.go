// Package docs_test runs the commands in the documents, in order, and compares what they print with
// what the documents show.
//
// A document's fenced blocks marked sh are commands; a block marked text that follows one is its
// output. Bazel cannot run inside a test, so a command is run as the binary that Bazel would run.
package docs_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/epperf/epperf/go/internal/report/screentest"
)

// ciRuns is the one command that cannot be run from within itself.
const ciRuns = "tools/bazelw test //..."

var (
	block   = regexp.MustCompile("(?ms)^```(\\w*)\n(.*?)^```$")
	program = regexp.MustCompile(`^(?:tools/bazelw|bazel) run //go/cmd:(\w+) --(.*)$`)
)

func TestDocumentedCommands(t *testing.T) {
	for _, document := range []string{"../README.md", "method.md", "architecture.md", "operations.md"} {
		t.Run(filepath.Base(document), func(t *testing.T) {
			text, err := os.ReadFile(document)
			if err != nil {
				t.Fatal(err)
			}
			runCommands(t, string(text))
		})
	}
}

// The table of GPUs and NICs is of a machine that no test has: of a mock, by a test beside it.
func TestTheTopologyShownIsTheMocks(t *testing.T) {
	text, err := os.ReadFile("operations.md")
	if err != nil {
		t.Fatal(err)
	}
	table, err := os.ReadFile("../go/internal/topology/nvml/testdata/dgx_h100.txt")
	if err != nil {
		t.Fatal(err)
	}
	var indented strings.Builder
	for line := range strings.Lines(string(table)) {
		if line != "\n" {
			indented.WriteString("    ")
		}
		indented.WriteString(line)
	}
	if !strings.Contains(string(text), indented.String()) {
		t.Errorf("operations.md lacks this table:\n%s", &indented)
	}
}

var (
	helpFlag = regexp.MustCompile(`(?m)^ +--([a-z-]+)(?: value)?  .*?(?:\(default: "?([^")]*)"?\))?$`)
	readFlag = regexp.MustCompile("(?m)^\\| `--([a-z-]+)` \\| (?:(\\S+) )?\\|")
)

// The README's table names every flag that perf has, with its default.
func TestREADMEHasEveryFlag(t *testing.T) {
	text, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	help := run(t, t.TempDir(), "bazel run //go/cmd:perf -- --help")
	if diff := cmp.Diff(flags(helpFlag, help), flags(readFlag, string(text))); diff != "" {
		t.Errorf("flags and defaults (-perf --help +README):\n%s", diff)
	}
}

// flags returns the defaults by name.
func flags(form *regexp.Regexp, text string) map[string]string {
	defaults := map[string]string{}
	for _, found := range form.FindAllStringSubmatch(text, -1) {
		defaults[found[1]] = found[2]
	}
	return defaults
}

func runCommands(t *testing.T, document string) {
	folder := t.TempDir()
	var printed string
	for _, found := range block.FindAllStringSubmatch(document, -1) {
		switch language, text := found[1], found[2]; language {
		case "sh":
			printed = ""
			for _, command := range strings.Split(strings.TrimSpace(text), "\n") {
				printed += run(t, folder, command)
			}
		case "text":
			if diff := cmp.Diff(screentest.MaskMachine(text), screentest.MaskMachine(printed)); diff != "" {
				t.Errorf("the document shows another output (-document +command):\n%s", diff)
			}
		}
	}
}

// run runs one documented command where its user would stand and returns what it prints.
func run(t *testing.T, folder, command string) string {
	t.Helper()
	if command == ciRuns {
		ci, err := os.ReadFile("../.ci/run")
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(ci), ciRuns) {
			t.Errorf(".ci/run does not run %q", ciRuns)
		}
		return ""
	}
	parts := program.FindStringSubmatch(command)
	if parts == nil {
		t.Fatalf("no test runs the documented command %q", command)
	}
	binary, err := filepath.Abs("../go/cmd/" + parts[1] + "/" + parts[1] + "_/" + parts[1])
	if err != nil {
		t.Fatal(err)
	}
	// The user's shell expands patterns where the user stands.
	shell := exec.Command("sh", "-c", "cd "+folder+" && set -- "+parts[2]+" && cd / && exec "+binary+" \"$@\"")
	shell.Dir = "/" // `bazel run` does not start programs where it was typed
	shell.Env = append(os.Environ(), "BUILD_WORKING_DIRECTORY="+folder,
		"CUDA_VISIBLE_DEVICES=") // the documents show a machine without GPUs
	var stderr bytes.Buffer
	shell.Stderr = &stderr
	printed, err := shell.Output()
	if err != nil {
		t.Fatalf("%s: %v\n%s%s", command, err, printed, stderr.Bytes())
	}
	return string(printed)
}
