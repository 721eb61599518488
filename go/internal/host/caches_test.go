package host_test

import (
	"fmt"
	"testing"

	"github.com/epperf/epperf/go/internal/host"
)

// A cache as the kernel lists it.
type cache struct {
	level int
	size  string
	cpus  string
}

func TestCachesAreThoseOfTheCPUsThatMayBeUsed(t *testing.T) {
	const kib, mib = 1 << 10, 1 << 20
	apart := func(cpu int) []cache {
		own, four := fmt.Sprint(cpu), fmt.Sprintf("%d-%d", cpu/4*4, cpu/4*4+3)
		return []cache{{1, "32K", own}, {1, "32K", own}, {2, "1024K", own}, {3, "32768K", four}}
	}
	for name, test := range map[string]struct {
		of    func(cpu int) []cache
		cpus  []int
		want  host.Caches
		known bool
	}{
		"one for all": {
			func(cpu int) []cache {
				return []cache{{1, "48K", fmt.Sprint(cpu)}, {2, "2048K", fmt.Sprint(cpu)}, {3, "307200K", "0-7"}}
			},
			[]int{0, 1, 2, 3, 4, 5, 6, 7},
			host.Caches{LastBytes: 300 * mib, LargestBytes: 300 * mib, InnerBytes: 2 * mib},
			true,
		},
		"one for four":      {apart, []int{0, 1, 2, 3, 4, 5, 6, 7}, host.Caches{LastBytes: 64 * mib, LargestBytes: 32 * mib, InnerBytes: mib}, true},
		"one core of eight": {apart, []int{5}, host.Caches{LastBytes: 32 * mib, LargestBytes: 32 * mib, InnerBytes: mib}, true},
		"a fourth level": {
			func(cpu int) []cache { return append(apart(cpu), cache{4, "131072K", "0-7"}) },
			[]int{0, 7},
			host.Caches{LastBytes: 128 * mib, LargestBytes: 128 * mib, InnerBytes: 32 * mib},
			true,
		},
		"hidden": {
			func(cpu int) []cache { return []cache{{1, "32K", fmt.Sprint(cpu)}, {2, "512K", fmt.Sprint(cpu)}} },
			[]int{0, 1},
			host.Caches{LastBytes: mib, LargestBytes: 512 * kib, InnerBytes: 32 * kib},
			false,
		},
		"without sizes": {func(int) []cache { return []cache{{3, "", "0-7"}} }, []int{0}, host.Caches{}, false},
		"none":          {func(int) []cache { return nil }, []int{0, 1}, host.Caches{}, false},
	} {
		t.Run(name, func(t *testing.T) {
			files := map[string]string{}
			for cpu := range 8 {
				for index, of := range test.of(cpu) {
					folder := fmt.Sprintf("sys/devices/system/cpu/cpu%d/cache/index%d", cpu, index)
					files[folder+"/level"], files[folder+"/size"] = fmt.Sprint(of.level, "\n"), of.size+"\n"
					files[folder+"/shared_cpu_list"] = of.cpus + "\n"
				}
			}
			system := machine(t, files)
			system.CPUs = test.cpus
			if got, known := system.Caches(); got != test.want || known != test.known {
				t.Errorf("%+v, %t; want %+v, %t", got, known, test.want, test.known)
			}
		})
	}
}
