package preflight

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/epperf/epperf/go/internal/host"
	"github.com/epperf/epperf/go/internal/plan"
	"github.com/epperf/epperf/go/internal/workload"
)

// cached is a machine of CPUs of which so many share a last-level cache, with 2 MiB each besides. None
// tells of its caches where nobody shares one.
func cached(t *testing.T, cpus, share, lastMiB int) host.System {
	t.Helper()
	system := host.System{Root: t.TempDir()}
	for cpu := range cpus {
		system.CPUs = append(system.CPUs, cpu)
		for index, of := range []struct {
			mib  int
			cpus string
		}{{2, fmt.Sprint(cpu)}, {lastMiB, fmt.Sprint(cpu / max(share, 1))}} {
			if share == 0 {
				continue
			}
			folder := filepath.Join(system.Root, fmt.Sprintf("sys/devices/system/cpu/cpu%d/cache/index%d", cpu, index))
			if err := os.MkdirAll(folder, 0o755); err != nil {
				t.Fatal(err)
			}
			for name, text := range map[string]string{
				"level": fmt.Sprint(2 + index), "size": fmt.Sprintf("%dK", of.mib<<10), "shared_cpu_list": of.cpus,
			} {
				if err := os.WriteFile(filepath.Join(folder, name), []byte(text+"\n"), 0o600); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	return system
}

func TestRanksShareWhatFlushesTheirHostsCaches(t *testing.T) {
	for name, test := range map[string]struct {
		ranks, threads       int
		cpus, share, lastMiB int
		wantMiB              uint64 // of each rank
	}{
		"two of one large cache":   {2, 1, 2, 2, 300, 300},
		"64 of one large cache":    {64, 1, 2, 2, 320, 10},
		"256 write their own":      {256, 1, 2, 2, 256, 4},
		"one, its own cache alone": {1, 1, 16, 4, 160, 320},
		"its threads' caches":      {1, 3, 16, 4, 160, 960},
		"no more than there are":   {1, 16, 8, 4, 160, 640},
		"as many as caches":        {16, 1, 16, 1, 32, 64},
		"one of small caches":      {1, 1, 16, 2, 32, 256},
		"hidden, eight":            {8, 1, 2, 0, 0, 32},
		"hidden, 64":               {64, 1, 1, 0, 0, 4},
		"a small one is not all":   {2, 1, 2, 2, 16, 128},
	} {
		t.Run(name, func(t *testing.T) {
			o := plan.Defaults()
			o.NumProcesses, o.Threads = test.ranks, test.threads
			p, err := plan.New(o)
			if err != nil {
				t.Fatal(err)
			}
			if got := FlushBytes(p, cached(t, test.cpus, test.share, test.lastMiB)); got != test.wantMiB<<20 {
				t.Errorf("%d bytes; want %d MiB", got, test.wantMiB)
			}
		})
	}
}

func TestWhatFlushesIsMemoryOfATimedRunAlone(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*plan.Options)
		want   uint64
	}{
		"a run":  {func(*plan.Options) {}, 2 * 1e9},
		"a soak": {func(o *plan.Options) { o.Soak = "10" }, 0},
	} {
		o := plan.Defaults()
		o.NumProcesses = 2
		test.change(&o)
		p, err := plan.New(o)
		if err != nil {
			t.Fatal(err)
		}
		routing, err := workload.New(p.GetCases()[0])
		if err != nil {
			t.Fatal(err)
		}
		needed := func(flush uint64) uint64 {
			memory, err := MemoryOf(p, p.GetCases()[0], routing, Node{FlushBytes: flush})
			if err != nil {
				t.Fatal(err)
			}
			return memory.Bytes
		}
		if more := needed(1e9) - needed(0); more != test.want {
			t.Errorf("%s: %d bytes more", name, more)
		}
	}
}
