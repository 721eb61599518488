package host_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/testing/protocmp"

	"github.com/epperf/epperf/go/internal/host"
	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

// stat is a process's /proc/pid/stat.
func stat(pid int, name string, parent, user, system, start int) string {
	return fmt.Sprintf("%d (%s) R %d 1 1 0 -1 0 0 0 0 0 %d %d 0 0 20 0 1 0 %d 0 0\n", pid, name, parent, user, system, start)
}

func rewrite(t *testing.T, system host.System, files map[string]string) {
	t.Helper()
	for name, text := range files {
		path := filepath.Join(system.Root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func TestALoadIsWhatGrewMeanwhile(t *testing.T) {
	const launcher = 100
	system := machine(t, map[string]string{
		"proc/self/cgroup":             "0::/a\n",
		"sys/fs/cgroup/a/cpu.stat":     "usage_usec 9\nthrottled_usec 1000\n",
		"sys/fs/cgroup/cpu.stat":       "throttled_usec 70\n",
		"proc/pressure/cpu":            "some avg10=1.00 avg60=1.00 avg300=1.00 total=500\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=3\n",
		"proc/stat":                    "cpu  1 2 3 4 5 6 7 900 0 0\ncpu0 1 2 3 4 5 6 7 10 0 0\ncpu9 1 2 3 4 5 6 7 50 0 0\n",
		"proc/self/task/101/schedstat": "1000 200 3\n",
		"proc/self/task/102/schedstat": "5000 300 3\n",
		"proc/100/stat":                stat(launcher, "perf", 1, 10, 5, 7),
		"proc/101/stat":                stat(101, "perf", launcher, 10, 5, 8),
		"proc/200/stat":                stat(200, "a) (b c", 1, 100, 50, 9),
		"proc/201/stat":                stat(201, "idle", 1, 100, 50, 9),
		"proc/202/stat":                stat(202, "ended", 1, 100, 50, 9),
	})
	now := time.Unix(100, 0)
	w := system.WatchLoad(&host.Others{Launcher: launcher}, func() time.Time { return now })
	now = now.Add(time.Second)
	w.Start()
	now = now.Add(time.Second)
	rewrite(t, system, map[string]string{
		"proc/self/task/101/schedstat": "1500 900 3\n",
		"proc/self/task/102/schedstat": "5500 400 3\n",
	})
	w.Stop()
	now = now.Add(time.Second)
	rewrite(t, system, map[string]string{
		"sys/fs/cgroup/a/cpu.stat": "usage_usec 9\nthrottled_usec 4000\n",
		"proc/pressure/cpu":        "some avg10=1.00 avg60=1.00 avg300=1.00 total=700\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=3\n",
		"proc/stat":                "cpu  1 2 3 4 5 6 7 999 0 0\ncpu0 1 2 3 4 5 6 7 12 0 0\ncpu9 1 2 3 4 5 6 7 99 0 0\n",
		"proc/100/stat":            stat(launcher, "perf", 1, 90, 5, 7),
		"proc/101/stat":            stat(101, "perf", launcher, 90, 5, 8),
		"proc/200/stat":            stat(200, "a) (b c", 1, 120, 51, 9),
		"proc/202/stat":            stat(202, "another of its number", 1, 3, 0, 77),
	})
	want := &epperfv1.Load{
		WindowNs: 1e9, RanNs: new(uint64(1000)), WaitedNs: new(uint64(800)),
		Host: &epperfv1.HostLoad{
			WindowNs: 3e9, Cpus: 8, StolenNs: new(uint64(20e6)), ThrottledNs: new(uint64(3e6)), PressureNs: new(uint64(200e3)),
			Others: []*epperfv1.Process{{Pid: 200, Name: "a) (b c", CpuNs: 210e6}, {Pid: 202, Name: "another of its number", CpuNs: 30e6}},
		},
	}
	if diff := cmp.Diff(want, w.Load(), protocmp.Transform()); diff != "" {
		t.Errorf("load (-want +got):\n%s", diff)
	}
}

func TestALoadIsSilentWhereTheMachineIs(t *testing.T) {
	now := time.Unix(100, 0)
	for _, others := range []*host.Others{nil, {Launcher: 1}} {
		w := machine(t, nil).WatchLoad(others, func() time.Time { return now })
		w.Start()
		w.Stop()
		want := &epperfv1.Load{}
		if others != nil {
			want.Host = &epperfv1.HostLoad{Cpus: 8}
		}
		if diff := cmp.Diff(want, w.Load(), protocmp.Transform()); diff != "" {
			t.Errorf("load (-want +got):\n%s", diff)
		}
	}
}

// Those of the real machine can be read.
func TestThisMachineTellsOfItsLoad(t *testing.T) {
	system, err := host.This()
	if err != nil {
		t.Fatal(err)
	}
	w := system.WatchLoad(&host.Others{Launcher: os.Getpid()}, time.Now)
	w.Start()
	for range 1000 {
		system.UsableCPUs()
	}
	w.Stop()
	if load := w.Load(); load.GetWindowNs() == 0 || load.GetHost().GetWindowNs() < load.GetWindowNs() || load.RanNs != nil && load.GetRanNs() == 0 {
		t.Errorf("load %v", load)
	}
}
