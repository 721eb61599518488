package host_test

import (
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/epperf/epperf/go/internal/host"
)

// machine writes files below a folder of its own.
func machine(t *testing.T, files map[string]string) host.System {
	t.Helper()
	root := t.TempDir()
	for name, text := range files {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return host.System{Root: root, CPUs: []int{0, 1, 2, 3, 4, 5, 6, 7}, UserProcesses: math.MaxUint64}
}

func TestUsableCPUsAreTheNarrowestLimit(t *testing.T) {
	for name, test := range map[string]struct {
		files map[string]string
		want  int
	}{
		"no cgroup":           {nil, 8},
		"version 2, no limit": {map[string]string{"proc/self/cgroup": "0::/a\n", "sys/fs/cgroup/a/cpu.max": "max 100000\n"}, 8},
		"version 2, own":      {map[string]string{"proc/self/cgroup": "0::/a\n", "sys/fs/cgroup/a/cpu.max": "250000 100000\n"}, 2},
		"version 2, parent":   {map[string]string{"proc/self/cgroup": "0::/a/b\n", "sys/fs/cgroup/a/cpu.max": "300000 100000\n", "sys/fs/cgroup/a/b/cpu.max": "400000 100000\n"}, 3},
		"version 2, root":     {map[string]string{"proc/self/cgroup": "0::/gone\n", "sys/fs/cgroup/cpu.max": "100000 100000\n"}, 1},
		"less than one":       {map[string]string{"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "50000 100000\n"}, 1},
		"more than affinity":  {map[string]string{"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "9000000 100000\n"}, 8},
		"version 1": {map[string]string{
			"proc/self/cgroup":                        "4:memory:/x\n3:cpu,cpuacct:/x\n",
			"sys/fs/cgroup/cpu/x/cpu.cfs_quota_us":    "400000\n",
			"sys/fs/cgroup/cpu/x/cpu.cfs_period_us":   "100000\n",
			"sys/fs/cgroup/memory/x/cpu.cfs_quota_us": "100000\n",
		}, 4},
		"version 1, no limit": {map[string]string{
			"proc/self/cgroup":                    "3:cpu:/\n",
			"sys/fs/cgroup/cpu/cpu.cfs_quota_us":  "-1\n",
			"sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n",
		}, 8},
	} {
		t.Run(name, func(t *testing.T) {
			if got := machine(t, test.files).UsableCPUs(); got != test.want {
				t.Errorf("%d usable CPUs, want %d", got, test.want)
			}
		})
	}
}

func TestAvailableMemoryIsTheNarrowestLimit(t *testing.T) {
	const meminfo = "MemTotal:       2048 kB\nMemFree:  1 kB\nMemAvailable:   1024 kB\n"
	for name, test := range map[string]struct {
		files     map[string]string
		wantBytes uint64
		wantBy    string
	}{
		"nothing told": {nil, 0, ""},
		"no cgroup":    {map[string]string{"proc/meminfo": meminfo}, 1 << 20, "MemAvailable"},
		"cgroup without limit": {map[string]string{
			"proc/meminfo": meminfo, "proc/self/cgroup": "0::/a\n",
			"sys/fs/cgroup/a/memory.max": "max\n", "sys/fs/cgroup/a/memory.current": "5\n",
		}, 1 << 20, "MemAvailable"},
		"cgroup is narrower": {map[string]string{
			"proc/meminfo": meminfo, "proc/self/cgroup": "0::/a\n",
			"sys/fs/cgroup/a/memory.max": "1000\n", "sys/fs/cgroup/a/memory.current": "400\n",
		}, 600, "the limit of cgroup /a"},
		"cgroup is full": {map[string]string{
			"proc/self/cgroup":           "0::/a\n",
			"sys/fs/cgroup/a/memory.max": "1000\n", "sys/fs/cgroup/a/memory.current": "1400\n",
		}, 0, "the limit of cgroup /a"},
		"files that can be dropped": {map[string]string{
			"proc/self/cgroup": "0::/a\n", "sys/fs/cgroup/a/memory.max": "1000\n", "sys/fs/cgroup/a/memory.current": "900\n",
			"sys/fs/cgroup/a/memory.stat": "anon 100\ninactive_anon 7\ninactive_file 700\nactive_file 100\n",
		}, 800, "the limit of cgroup /a"},
		"version 1, files that can be dropped": {map[string]string{
			"proc/self/cgroup": "2:memory:/b\n", "sys/fs/cgroup/memory/b/memory.limit_in_bytes": "1000\n",
			"sys/fs/cgroup/memory/b/memory.usage_in_bytes": "900\n",
			"sys/fs/cgroup/memory/b/memory.stat":           "inactive_file 1\ntotal_inactive_file 700\n",
		}, 800, "the limit of cgroup /memory/b"},
		"more dropped than used": {map[string]string{
			"proc/self/cgroup": "0::/a\n", "sys/fs/cgroup/a/memory.max": "1000\n", "sys/fs/cgroup/a/memory.current": "900\n",
			"sys/fs/cgroup/a/memory.stat": "inactive_file 950\n",
		}, 1000, "the limit of cgroup /a"},
		"version 1": {map[string]string{
			"proc/meminfo": meminfo, "proc/self/cgroup": "2:memory:/b\n",
			"sys/fs/cgroup/memory/b/memory.limit_in_bytes": "900\n", "sys/fs/cgroup/memory/b/memory.usage_in_bytes": "100\n",
		}, 800, "the limit of cgroup /memory/b"},
	} {
		t.Run(name, func(t *testing.T) {
			got, ok := machine(t, test.files).AvailableMemory()
			if got.Left != test.wantBytes || got.By != test.wantBy || ok != (test.wantBy != "") {
				t.Errorf("%+v, %t; want %d by %q", got, ok, test.wantBytes, test.wantBy)
			}
		})
	}
}

func TestDescribe(t *testing.T) {
	t.Setenv("UCX_TLS", "tcp")
	t.Setenv("UCX_NET_DEVICES", "lo")
	t.Setenv("CUDA_LAUNCH_BLOCKING", "1")
	t.Setenv("CUDALIKE", "1")
	got := machine(t, map[string]string{
		"proc/sys/kernel/hostname":       "node-a\n",
		"proc/sys/kernel/osrelease":      "6.1.0\n",
		"proc/sys/kernel/random/boot_id": "b00t\n",
		"proc/cpuinfo":                   "processor\t: 0\nmodel name\t: A CPU: fast\nmodel name\t: another\n",
		"proc/meminfo":                   "MemTotal:       2048 kB\n",
		"sys/devices/system/clocksource/clocksource0/current_clocksource": "tsc\n",
	}).Describe()
	if got.GetName() != "node-a" || got.GetKernel() != "6.1.0" || got.GetBootId() != "b00t" ||
		got.GetCpuModel() != "A CPU: fast" || got.GetMemoryBytes() != 2<<20 ||
		got.GetClocksource() != "tsc" || got.GetUsableCpus() != 8 {
		t.Errorf("%v", got)
	}
	if !slices.Contains(got.GetUcxEnvironment(), "UCX_TLS=tcp") || !slices.IsSorted(got.GetUcxEnvironment()) {
		t.Errorf("UCX environment %q", got.GetUcxEnvironment())
	}
	if got := got.GetEnvironment(); !slices.Contains(got, "CUDA_LAUNCH_BLOCKING=1") || slices.Contains(got, "CUDALIKE=1") ||
		slices.Contains(got, "UCX_TLS=tcp") || !slices.IsSorted(got) {
		t.Errorf("environment %q", got)
	}
}

func TestThisMachine(t *testing.T) {
	system, err := host.This()
	if err != nil {
		t.Fatal(err)
	}
	if got := system.Describe(); got.GetName() == "" || got.GetUsableCpus() < 1 || got.GetKernel() == "" || got.GetPidNamespace() == 0 {
		t.Errorf("%v", got)
	}
	if memory, ok := system.AvailableMemory(); !ok || memory.Left == 0 {
		t.Errorf("available memory %+v, %t", memory, ok)
	}
}
