package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// An origin is the state of the sources, as git has it.
type origin struct {
	commit string    // empty unless in --config=release
	time   time.Time // of the commit; else the first that every format can hold
}

// readOrigin reads Bazel's file of stable status, which tools/status fills in --config=release.
func readOrigin(path string) (origin, error) {
	none := origin{time: time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC)}
	if path == "" {
		return none, nil
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return none, err
	}
	found := none
	for line := range strings.Lines(string(text)) {
		switch key, value, _ := strings.Cut(strings.TrimSpace(line), " "); key {
		case "STABLE_EPPERF_COMMIT":
			found.commit = value
		case "STABLE_EPPERF_COMMIT_SECONDS":
			seconds, err := strconv.ParseInt(value, 10, 64)
			if err != nil {
				return none, fmt.Errorf("%s: %s: %w", path, key, err)
			}
			found.time = time.Unix(seconds, 0).UTC()
		}
	}
	return found, nil
}
