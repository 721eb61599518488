package host

import (
	"strconv"
	"strings"
)

// AvailableMemory returns how many more bytes this process and its children may use, or false where the
// machine does not tell.
func (s System) AvailableMemory() (Limit, bool) {
	var limits []Limit
	if available := s.kibibytes("MemAvailable"); available > 0 {
		limits = append(limits, Limit{available, "MemAvailable"})
	}
	for _, group := range s.Cgroups("memory") {
		limit, used, cache := s.count(group+"/memory.max"), s.count(group+"/memory.current"), "inactive_file"
		if limit == nil { // version 1, or no limit
			cache = "total_inactive_file" // of groups below, too
			limit, used = s.count(group+"/memory.limit_in_bytes"), s.count(group+"/memory.usage_in_bytes")
		}
		if limit == nil || used == nil {
			continue
		}
		// Files that nobody used lately are in the way of nobody: the kernel drops them first.
		dropped := min(s.stat(group+"/memory.stat", cache), *used)
		left := *limit - min(*used-dropped, *limit)
		limits = append(limits, Limit{left, "the limit of cgroup " + strings.TrimPrefix(group, "sys/fs/cgroup")})
	}
	return narrowest(limits)
}

// KilledForMemory returns how many processes the kernel has killed for want of memory since it started, the
// machine's or a cgroup's; 0 where it does not tell.
func (s System) KilledForMemory() uint64 { return s.stat("proc/vmstat", "oom_kill") }

// stat returns the number that follows a name in a file of "name number" lines; 0 where there is none.
func (s System) stat(file, name string) uint64 {
	for line := range strings.Lines(s.text(file)) {
		if key, value, found := strings.Cut(strings.TrimSpace(line), " "); found && key == name {
			n, _ := strconv.ParseUint(value, 10, 64)
			return n
		}
	}
	return 0
}
