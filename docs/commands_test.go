// Package docs_test runs the commands in the documents, in order, and compares what they print with
// what the documents show.
//
// A document's fenced blocks marked sh are commands; a block marked text that follows one is its
// output. A command that ends with & goes on beside those that follow it, and `kill %N` ends the
// N-th of these. Bazel cannot run inside a test, so a command is run as the binary that Bazel would
// run.
package docs_test

import (
	"bytes"
	"maps"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/epperf/epperf/go/internal/report/screentest"
)

// documents are where commands stand, as this test finds them.
var documents = []string{
	"../README.md", "../CONTRIBUTING.md", "../CHANGELOG.md", "../SECURITY.md",
	"index.md", "tutorial.md", "glossary.md", "method.md", "architecture.md", "operations.md", "output.md", "results/2x-h100.md",
}

// endpoint is the documents' address of an etcd. A test takes one that nobody else has.
const endpoint = "127.0.0.1:2379"

var (
	block   = regexp.MustCompile("(?ms)^```(\\w*)\n(.*?)^```$")
	program = regexp.MustCompile(`^(?:tools/bazelw|bazel) run //go/cmd:(\w+) --(.*?)( &)?$`)
	kill    = regexp.MustCompile(`^kill %(\d+)$`)
	// What the machine's network makes of a screen, and how many cores several hosts have.
	network  = regexp.MustCompile(`(?m)^(?:Network|Transport): .*\n`)
	allCores = regexp.MustCompile(`\d+ cores (of \d+ hosts)(?:: checks correctness, not speed)?\)`)
)

func TestDocumentedCommands(t *testing.T) {
	for _, document := range documents {
		t.Run(filepath.Base(document), func(t *testing.T) {
			text, err := os.ReadFile(document)
			if err != nil {
				t.Fatal(err)
			}
			runCommands(t, string(text))
		})
	}
}

var (
	linked = regexp.MustCompile(`\]\(([^)#:]+\.md)(?:#[^)]*)?\)`)
	// fromExamples is the one document that lies elsewhere.
	fromExamples = "../examples/README.md"
)

// Whatever document a document leads to is there, and the index leads to all.
func TestDocumentsLeadToEachOther(t *testing.T) {
	all := append(slices.Clone(documents), fromExamples)
	for _, document := range all {
		text, err := os.ReadFile(document)
		if err != nil {
			t.Fatal(err)
		}
		var leadsTo []string
		for _, found := range linked.FindAllStringSubmatch(string(text), -1) {
			to := strings.TrimPrefix(filepath.Join(filepath.Dir(document), found[1]), "../docs/")
			leadsTo = append(leadsTo, to)
			if !slices.Contains(all, to) {
				t.Errorf("%s leads to %s, which is no document", document, found[1])
			}
		}
		if document != "index.md" {
			continue
		}
		for _, other := range all {
			if other != document && !slices.Contains(leadsTo, other) {
				t.Errorf("the index does not lead to %s", other)
			}
		}
	}
}

// The files of both services call what the repository has, and the same.
func TestCIServicesRunTheSameCommands(t *testing.T) {
	command := regexp.MustCompile(`(?m)(?:\.ci/run|tools/long_tests|tools/bazelw \w.*)$`)
	ours := []string{".ci/run", "tools/long_tests", "tools/bazelw build --config=release //release"}
	for _, service := range []string{"../.github/workflows/ci.yml", "../.gitlab-ci.yml"} {
		text, err := os.ReadFile(service)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(ours, command.FindAllString(string(text), -1)); diff != "" {
			t.Errorf("%s runs other commands (-wanted +found):\n%s", service, diff)
		}
		if !strings.Contains(string(text), "EPPERF_BAZEL: public") {
			t.Errorf("%s does not say EPPERF_BAZEL: public", service)
		}
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

// seedFlags are those that epperf was asked for.
var seedFlags = []string{
	"num-processes", "mode", "tokens", "hidden", "experts-per-rank", "topk", "nvlink-backend", "warmup", "iters", "skip-nic-discovery",
}

// The README names the flags that matter, among them all that it was asked for, and operations.md the
// rest: each flag that perf has, with its default, in one of them.
func TestDocumentsHaveEveryFlag(t *testing.T) {
	tables := map[string]map[string]string{}
	for _, document := range []string{"../README.md", "operations.md"} {
		text, err := os.ReadFile(document)
		if err != nil {
			t.Fatal(err)
		}
		tables[document] = flags(readFlag, string(text))
	}
	readme := tables["../README.md"]
	for _, name := range seedFlags {
		if _, ok := readme[name]; !ok {
			t.Errorf("README.md does not name --%s", name)
		}
	}
	all := maps.Clone(readme)
	for name, value := range tables["operations.md"] {
		if _, twice := all[name]; twice {
			t.Errorf("README.md and operations.md both have --%s", name)
		}
		all[name] = value
	}
	help := newShell(t).run("bazel run //go/cmd:perf -- --help")
	if diff := cmp.Diff(flags(helpFlag, help), all); diff != "" {
		t.Errorf("flags and defaults (-perf --help +documents):\n%s", diff)
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
	shell := newShell(t)
	var printed string
	for _, found := range block.FindAllStringSubmatch(document, -1) {
		switch language, text := found[1], found[2]; language {
		case "sh":
			printed = ""
			for _, command := range strings.Split(strings.TrimSpace(text), "\n") {
				printed += shell.run(command)
			}
		case "text":
			if diff := cmp.Diff(mask(text), mask(printed)); diff != "" {
				t.Errorf("the document shows another output (-document +command):\n%s", diff)
			}
		}
	}
	shell.wait()
}

func mask(screen string) string {
	return screentest.MaskMachine(network.ReplaceAllLiteralString(allCores.ReplaceAllString(screen, "# cores $1)"), ""))
}

// A shell is where a document's commands are typed.
type shell struct {
	t *testing.T
	// folder is where the user stands: as in a clone there are records of GPUs to look at.
	folder string
	// endpoint is a free one.
	endpoint string
	jobs     []*exec.Cmd
}

func newShell(t *testing.T) *shell {
	t.Helper()
	s := &shell{t: t, folder: t.TempDir()}
	if err := os.Mkdir(filepath.Join(s.folder, "testdata"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, kept := range []string{"testdata/records", "testdata/launches"} {
		records, err := filepath.Abs("../" + kept)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(records, filepath.Join(s.folder, kept)); err != nil {
			t.Fatal(err)
		}
	}
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.endpoint = free.Addr().String()
	if err := free.Close(); err != nil {
		t.Fatal(err)
	}
	return s
}

// run runs one documented command and returns what it prints; of one that goes on, nothing.
func (s *shell) run(command string) string {
	s.t.Helper()
	if strings.HasPrefix(command, "tools/bazelw test ") || command == "tools/lint" {
		s.runsInCI(command)
		return ""
	}
	if found := kill.FindStringSubmatch(command); found != nil {
		s.kill(found[1])
		return ""
	}
	parts := program.FindStringSubmatch(command)
	if parts == nil {
		s.t.Fatalf("no test runs the documented command %q", command)
	}
	arguments, background := strings.ReplaceAll(parts[2], endpoint, s.endpoint), parts[3] != ""
	cmd := s.command(parts[1], arguments)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if background {
		if err := cmd.Start(); err != nil {
			s.t.Fatalf("%s: %v", command, err)
		}
		s.jobs = append(s.jobs, cmd)
		s.t.Cleanup(func() { _ = cmd.Process.Kill() }) // of a test that failed
		if strings.Contains(arguments, "coordinator") {
			s.awaitEndpoint()
		}
		return ""
	}
	if err := cmd.Run(); err != nil {
		s.t.Fatalf("%s: %v\n%s%s", command, err, &stdout, &stderr)
	}
	return stdout.String()
}

// command returns a program's start where its user would stand.
func (s *shell) command(name, arguments string) *exec.Cmd {
	s.t.Helper()
	binary, err := filepath.Abs("../go/cmd/" + name + "/" + name + "_/" + name)
	if err != nil {
		s.t.Fatal(err)
	}
	// The user's shell expands patterns where the user stands.
	cmd := exec.Command("sh", "-c", "cd "+s.folder+" && set -- "+arguments+" && cd / && exec "+binary+" \"$@\"")
	cmd.Dir = "/" // `bazel run` does not start programs where it was typed
	cmd.Env = append(os.Environ(), "BUILD_WORKING_DIRECTORY="+s.folder,
		"CUDA_VISIBLE_DEVICES=") // the documents show a machine without GPUs
	return cmd
}

// runsInCI is for commands that cannot be run from within themselves.
func (s *shell) runsInCI(command string) {
	s.t.Helper()
	ci, err := os.ReadFile("../.ci/run")
	if err != nil {
		s.t.Fatal(err)
	}
	if !strings.Contains(string(ci), "\n"+command) {
		s.t.Errorf(".ci/run does not run %q", command)
	}
}

// awaitEndpoint returns once a server listens: who types is slower than one that starts.
func (s *shell) awaitEndpoint() {
	s.t.Helper()
	for range 300 {
		if conn, err := net.Dial("tcp", s.endpoint); err == nil {
			_ = conn.Close()
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	s.t.Fatalf("nobody listens at %s", s.endpoint)
}

// kill ends a job as a shell does.
func (s *shell) kill(number string) {
	s.t.Helper()
	n, err := strconv.Atoi(number)
	if err != nil || n < 1 || n > len(s.jobs) {
		s.t.Fatalf("kill %%%s: there is no such job", number)
	}
	if err := s.jobs[n-1].Process.Signal(syscall.SIGTERM); err != nil {
		s.t.Fatal(err)
	}
}

// wait fails unless all jobs end well.
func (s *shell) wait() {
	s.t.Helper()
	for _, job := range s.jobs {
		if err := job.Wait(); err != nil {
			s.t.Errorf("%s: %v\n%s", job.Args, err, job.Stderr)
		}
	}
}
