package host

import (
	"bytes"
	"fmt"
	"os"

	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

// Use returns what this process has of its host just now.
func Use() (*epperfv1.ProcessUse, error) {
	use := &epperfv1.ProcessUse{}
	for folder, count := range map[string]*uint32{"/proc/self/fd": &use.Descriptors, "/proc/self/task": &use.Threads} {
		entries, err := os.ReadDir(folder)
		if err != nil {
			return nil, fmt.Errorf("count what this process has: %w", err)
		}
		*count = uint32(len(entries))
	}
	use.Descriptors-- // the folder itself was open
	maps, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		return nil, fmt.Errorf("count what this process has mapped: %w", err)
	}
	use.Mappings = uint32(bytes.Count(maps, []byte("\n")))
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return nil, fmt.Errorf("read what memory this process has: %w", err)
	}
	var size, resident uint64
	if _, err := fmt.Sscan(string(text), &size, &resident); err != nil {
		return nil, fmt.Errorf("read what memory this process has: %w", err)
	}
	use.ResidentBytes = resident * uint64(os.Getpagesize())
	return use, nil
}
