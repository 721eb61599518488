package host

import (
	"slices"
	"strings"
)

// A MemoryLimit is how much more memory this process and its children may use, and who says so.
type MemoryLimit struct {
	Bytes uint64
	By    string // such as "MemAvailable"
}

// AvailableMemory returns the narrowest limit, or false where the machine tells none.
func (s System) AvailableMemory() (MemoryLimit, bool) {
	var limits []MemoryLimit
	if available := s.kibibytes("MemAvailable"); available > 0 {
		limits = append(limits, MemoryLimit{available, "MemAvailable"})
	}
	for _, group := range s.Cgroups("memory") {
		limit, used := s.count(group+"/memory.max"), s.count(group+"/memory.current")
		if limit == nil { // version 1, or no limit
			limit, used = s.count(group+"/memory.limit_in_bytes"), s.count(group+"/memory.usage_in_bytes")
		}
		if limit == nil || used == nil {
			continue
		}
		left := *limit - min(*used, *limit)
		limits = append(limits, MemoryLimit{left, "the limit of cgroup " + strings.TrimPrefix(group, "sys/fs/cgroup")})
	}
	if len(limits) == 0 {
		return MemoryLimit{}, false
	}
	return slices.MinFunc(limits, func(a, b MemoryLimit) int {
		switch {
		case a.Bytes < b.Bytes:
			return -1
		case a.Bytes > b.Bytes:
			return 1
		}
		return 0
	}), true
}
