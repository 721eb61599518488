package main

import (
	"strings"
	"testing"
)

func TestALaunchHasTheOtherFlags(t *testing.T) {
	for line, want := range map[string]string{
		"--launches=6 --against=old/perf --tokens=8":             "--tokens=8",
		"sweep --tokens 8 --launches 6 --against old --quiet":    "sweep --tokens 8",
		"-launches=6 --threshold=5% --output x --quiet --iters=": "--iters=",
		"--output=x --quiet=true --detail":                       "--detail",
	} {
		if got := strings.Join(withoutLaunches(strings.Fields(line)), " "); got != want {
			t.Errorf("%s: %s, want %s", line, got, want)
		}
	}
}
