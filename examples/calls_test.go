package examples_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// smallRun is a shape that runs in a moment.
var smallRun = []string{"--tokens=16", "--hidden=128", "--experts-per-rank=2", "--warmup=1", "--iters=3", "--device=cpu"}

func perfBinary(t *testing.T) string {
	t.Helper()
	binary, err := filepath.Abs(filepath.Join("..", os.Getenv("PERF")))
	if err != nil {
		t.Fatal(err)
	}
	return binary
}

// A call is a program in a folder, and what it says.
type call struct {
	*exec.Cmd
	stdout, stderr bytes.Buffer
}

func newCall(folder, name string, arguments ...string) *call {
	c := &call{Cmd: exec.Command(name, arguments...)}
	c.Dir, c.Stdout, c.Stderr = folder, &c.stdout, &c.stderr
	// Under bazel run, perf would go to where that was typed.
	c.Env = append(os.Environ(), "BUILD_WORKING_DIRECTORY=")
	return c
}
