package host

import (
	"fmt"
	"strconv"
	"strings"
)

// Caches lie between the CPUs that this process may run on and their memory.
type Caches struct {
	// LastBytes are those of the last level, all together, and LargestBytes the largest of them.
	LastBytes, LargestBytes uint64
	// InnerBytes is the largest of the level before that, which one CPU or a few have to themselves.
	InnerBytes uint64
}

// sharedLevel is the first whose caches many CPUs share. A machine that tells of none is virtual and
// hides them.
const sharedLevel = 3

// Caches returns what /sys tells of them, or false where it tells of none that CPUs share.
func (s System) Caches() (Caches, bool) {
	type place struct {
		level int
		cpus  string // that share it
	}
	bytes := map[place]uint64{}
	last := 0
	for _, cpu := range s.CPUs {
		for index := 0; ; index++ {
			folder := fmt.Sprintf("sys/devices/system/cpu/cpu%d/cache/index%d", cpu, index)
			level, err := strconv.Atoi(s.line(folder + "/level"))
			if err != nil {
				break
			}
			kibibytes, _ := strconv.ParseUint(strings.TrimSuffix(s.line(folder+"/size"), "K"), 10, 32)
			bytes[place{level, s.line(folder + "/shared_cpu_list")}] = kibibytes << 10
			last = max(last, level)
		}
	}
	var caches Caches
	for at, size := range bytes {
		switch at.level {
		case last:
			caches.LastBytes += size
			caches.LargestBytes = max(caches.LargestBytes, size)
		case last - 1:
			caches.InnerBytes = max(caches.InnerBytes, size)
		}
	}
	return caches, last >= sharedLevel && caches.LastBytes > 0
}
