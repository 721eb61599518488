package host

import (
	"cmp"
	"path/filepath"
	"slices"
	"strings"
)

// A Limit is how much more of something this process and its children may have, and who says so.
type Limit struct {
	Left uint64
	By   string // such as "MemAvailable" or "pids.max of cgroup /a"
}

// narrowest returns the limit that leaves least, or false where there is none.
func narrowest(limits []Limit) (Limit, bool) {
	if len(limits) == 0 {
		return Limit{}, false
	}
	return slices.MinFunc(limits, func(a, b Limit) int { return cmp.Compare(a.Left, b.Left) }), true
}

// Cgroups lists the folders that may limit this process in the controller: its own group and all
// above it. Inside a container the listed path may not exist; its root then does.
func (s System) Cgroups(controller string) []string {
	var folders []string
	for line := range strings.Lines(s.text("proc/self/cgroup")) {
		// <hierarchy>:<controllers>:<path>; version 2 has no controllers.
		parts := strings.SplitN(strings.TrimSuffix(line, "\n"), ":", 3)
		if len(parts) != 3 {
			continue
		}
		root := "sys/fs/cgroup"
		if parts[1] != "" {
			if !slices.Contains(strings.Split(parts[1], ","), controller) {
				continue
			}
			root += "/" + controller
		}
		for path := filepath.Clean("/" + parts[2]); ; path = filepath.Dir(path) {
			folders = append(folders, strings.TrimSuffix(root+path, "/"))
			if path == "/" {
				break
			}
		}
	}
	return folders
}
