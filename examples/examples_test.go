package examples_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/epperf/epperf/go/internal/record/recordtest"
)

// python runs a script of this folder and returns what it printed.
func python(t *testing.T, script string, arguments ...string) string {
	t.Helper()
	command := exec.Command("python3", append([]string{script}, arguments...)...)
	var complaints strings.Builder
	command.Stderr = &complaints
	command.Env = append(os.Environ(), "PYTHONIOENCODING=utf-8")
	out, err := command.Output()
	if err != nil {
		t.Fatalf("%s: %v\n%s", script, err, &complaints)
	}
	return string(out)
}

// descriptors writes what protoc would, and returns where.
func descriptors(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "epperf.desc")
	if err := os.WriteFile(path, recordtest.Descriptors(t), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// wantLatency wants the second line of what read_record.py printed on the screen of perf.
func wantLatency(t *testing.T, out, screen string) {
	t.Helper()
	_, latency, _ := strings.Cut(out, "\n")
	if !strings.HasPrefix(latency, "Latency") || !strings.Contains(screen, "\n"+latency) {
		t.Errorf("%q, and on the screen:\n%s", out, screen)
	}
}

// A reader that shares no code with ours finds in the samples what the screen says.
func TestPythonReadsARecord(t *testing.T) {
	for _, name := range []string{"h100x2-dispatch-expert", "h100x2-combine-flat"} {
		path := filepath.Join("..", "testdata", "records", name)
		out := python(t, "read_record.py", descriptors(t), path+".epperf")
		screen, err := os.ReadFile(path + ".txt")
		if err != nil {
			t.Fatal(err)
		}
		wantLatency(t, out, string(screen))
	}
}

// Both scripts read what a run of today leaves.
func TestPythonReadsARun(t *testing.T) {
	perf, err := filepath.Abs(filepath.Join("..", os.Getenv("PERF")))
	if err != nil {
		t.Fatal(err)
	}
	for _, dtype := range []string{"fp8", "bf16"} {
		folder := t.TempDir()
		run := exec.Command(perf, "--num-processes=3", "--tokens=16,0,5", "--hidden=200", "--experts-per-rank=4", "--topk=3",
			"--warmup=2", "--iters=5", "--routing=zipf:1", "--mode=combine", "--dtype="+dtype, "--dump=dump")
		run.Dir = folder
		// Under bazel run, perf would go to where that was typed; and on a machine with GPUs it would take them.
		run.Env = append(os.Environ(), "BUILD_WORKING_DIRECTORY=", "CUDA_VISIBLE_DEVICES=")
		var screen, complaints strings.Builder
		run.Stdout, run.Stderr = &screen, &complaints
		if err := run.Run(); err != nil {
			t.Fatalf("perf: %v\n%s", err, &complaints)
		}
		records, err := filepath.Glob(filepath.Join(folder, "epperf-results", "*.epperf"))
		if err != nil || len(records) != 1 {
			t.Fatalf("records %v, %v", records, err)
		}
		wantLatency(t, python(t, "read_record.py", descriptors(t), records[0]), screen.String())
		if got := python(t, "check_dump.py", filepath.Join(folder, "dump")); got != "63 selections are right\n" {
			t.Errorf("%s: %s", dtype, got)
		}
	}
}
