package main_test

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// against returns a program that compares itself with a script.
func against(t *testing.T, other string, arguments ...string) *program {
	t.Helper()
	p := newProgram(t, with([]string{"--against=./other", "--num-processes=1", "--quiet"}, with(small, arguments...)...)...)
	// Written by another process: one that this process writes could not be run while it starts others.
	script := "#!/bin/sh\n" + strings.ReplaceAll(other, "PERF", p.Path)
	if text, err := exec.Command("sh", "-c", `printf %s "$0" >"$1" && chmod +x "$1"`, script, filepath.Join(p.folder, "other")).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	return p
}

func TestTwoBuildsAreComparedLaunchByLaunch(t *testing.T) {
	p := against(t, `exec PERF "$@"`, "--launches=2")
	if code := p.run(t); code != 0 {
		t.Fatalf("exit code %d: %s", code, &p.stderr)
	}
	for _, want := range []string{"EP Comparison of Launches", "2 launches", "4 launches a side would do"} {
		if !strings.Contains(p.stdout.String(), want) {
			t.Errorf("stdout lacks %q:\n%s", want, &p.stdout)
		}
	}
	for side, want := range map[string]int{"old": 2, "new": 2} {
		records, _ := filepath.Glob(filepath.Join(p.folder, "epperf-results/*-launches", side+"-0*/*.epperf"))
		if len(records) != want {
			t.Errorf("%d records of the %s build", len(records), side)
		}
	}
}

func TestWhatLaunchesCannotBe(t *testing.T) {
	for want, test := range map[string]struct {
		other     string
		arguments []string
		code      int
	}{
		"both are needed":                    {"exit 0", nil, 2},
		"leave out --expect, --soak":         {"exit 0", []string{"--launches=2", "--explain"}, 2},
		"leave out --nnodes and --run-id":    {"exit 0", []string{"--launches=2", "--run-id=r"}, 2},
		"such as 5%":                         {"exit 0", []string{"--launches=2", "--threshold=0"}, 2},
		"it does not take these flags":       {"exit 2", []string{"--launches=2"}, 2},
		"old build, ./other: exit status 7":  {"exit 7", []string{"--launches=2"}, 1},
		"old build: 0 records are in":        {"exit 0", []string{"--launches=2"}, 1},
		"old build, ./other: signal: killed": {"kill -9 $$", []string{"--launches=2"}, 1},
	} {
		p := against(t, test.other, test.arguments...)
		if code := p.run(t); code != test.code || !strings.Contains(p.stderr.String(), want) || strings.Count(p.stderr.String(), "\n") != 1 {
			t.Errorf("exit code %d, want %d; stderr %q, want %q", code, test.code, &p.stderr, want)
		}
	}
}

// Whoever is killed takes its launch along.
func TestAKilledComparisonLeavesNothing(t *testing.T) {
	p := against(t, `exec PERF "$@"`, "--launches=1", "--iters=1000000")
	p.until(t, "timing")
	own := p.processes(t)
	p.Process.Kill()
	p.Wait() // it was killed
	p.tidy(t, own, 2*time.Second+busy)
}
