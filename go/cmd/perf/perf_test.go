package main_test

import (
	"bufio"
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/epperf/epperf/go/internal/record"
)

// small is a shape that runs in a moment.
var small = []string{"--tokens=16", "--hidden=128", "--experts-per-rank=2", "--topk=2", "--warmup=2", "--iters=5"}

// A program is one call of the real binary, in folders of its own.
type program struct {
	*exec.Cmd
	stdout, stderr bytes.Buffer
	folder, temp   string
	began          time.Time
	lines          *bufio.Reader // of stderr, where a test follows it
	rest           chan struct{} // closed once all of stderr is read
}

// mark begins a variable by which a test knows the processes of its program.
const mark = "EPPERF_TEST="

func newProgram(t *testing.T, arguments ...string) *program {
	t.Helper()
	binary, err := filepath.Abs(filepath.Join("../../..", os.Getenv("PERF")))
	if err != nil || os.Getenv("PERF") == "" {
		t.Skipf("skipped: no perf binary (%v); run the test with Bazel", err)
	}
	p := &program{Cmd: exec.Command(binary, arguments...), folder: t.TempDir(), temp: t.TempDir()}
	p.Dir, p.Stdout, p.Stderr = p.folder, &p.stdout, &p.stderr
	for _, variable := range os.Environ() {
		if !strings.HasPrefix(variable, "BUILD_WORKING_DIRECTORY=") && !strings.HasPrefix(variable, "TMPDIR=") {
			p.Env = append(p.Env, variable)
		}
	}
	// What is tested is the same on machines with GPUs, where auto would take them.
	p.Env = append(p.Env, "TMPDIR="+p.temp, mark+p.temp, "CUDA_VISIBLE_DEVICES=")
	return p
}

func (p *program) start(t *testing.T) {
	t.Helper()
	p.began = time.Now()
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Process.Kill() })
}

// end waits for the program and returns its exit code. Nothing of it may be left.
func (p *program) end(t *testing.T) int {
	t.Helper()
	var exit *exec.ExitError
	if err := p.Wait(); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	p.nothingLeft(t)
	return p.ProcessState.ExitCode()
}

func (p *program) run(t *testing.T) int {
	t.Helper()
	p.start(t)
	return p.end(t)
}

// record reads the one record that the program left in a folder.
func (p *program) record(t *testing.T, folder string) *record.Record {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(folder, "*"))
	if err != nil || len(files) != 1 || filepath.Ext(files[0]) != ".epperf" {
		t.Fatalf("files in %s: %v, %v; want one record", folder, files, err)
	}
	kept, err := record.Read(files[0])
	if err != nil {
		t.Fatal(err)
	}
	return kept
}

func with(arguments []string, more ...string) []string {
	return append(append([]string{}, arguments...), more...)
}
