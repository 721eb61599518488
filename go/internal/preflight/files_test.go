package preflight

import (
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/epperf/epperf/go/internal/host"
	"github.com/epperf/epperf/go/internal/plan"
)

func TestFilesAndProcessesAreCountedBeforeAnythingStarts(t *testing.T) {
	group := t.TempDir()
	for name, text := range map[string]string{
		"proc/self/cgroup":         "0::/a\n",
		"sys/fs/cgroup/a/pids.max": "48\n", "sys/fs/cgroup/a/pids.current": "3\n",
	} {
		path := filepath.Join(group, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	o := plan.Defaults()
	o.Device = "cpu"
	p, err := plan.New(o)
	if err != nil {
		t.Fatal(err)
	}
	narrow := host.System{Root: group, OpenFiles: 127, UserProcesses: math.MaxUint64}
	wide := host.System{Root: t.TempDir(), OpenFiles: 128, UserProcesses: math.MaxUint64}
	const files = "8 ranks need 128 open files and the limit is 127; try ulimit -n 128 or fewer --num-processes"
	const processes = "8 ranks need 96 processes and threads, and pids.max of cgroup /a leaves 45; raise it, or try fewer --num-processes"
	if err := EnoughFiles(p, narrow); err == nil || err.Error() != files {
		t.Errorf("files: %v", err)
	}
	if err := EnoughProcesses(p, narrow); err == nil || err.Error() != processes {
		t.Errorf("processes: %v", err)
	}
	if err := EnoughFiles(p, wide); err != nil {
		t.Error(err)
	}
	if err := EnoughProcesses(p, wide); err != nil {
		t.Error(err)
	}
}
