package main_test

import (
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Rounds leave nothing behind: neither files, mappings, threads and memory in ranks, nor keys in etcd.
func TestRoundsOfTheControlPlaneLeaveNothing(t *testing.T) {
	for _, test := range []struct {
		backend, rounds string
		// What allocators, Go's runtime and UCX keep and use again.
		mappings, threads, resident int64
	}{
		{"ipc", "100", 16, 2, 32 << 20},
		{"none", "8", 64, 8, 64 << 20},
	} {
		t.Run(test.backend, func(t *testing.T) {
			e := coordinator(t)
			p := newProgram(t, "control", "--rounds="+test.rounds, "--num-processes=2", "--tokens=16", "--hidden=128", "--experts-per-rank=2", "--topk=2",
				"--nvlink-backend="+test.backend, "--etcd-endpoints="+e.endpoint, "--expect=control-a")
			if code := p.run(t); code != 0 || p.stderr.Len() > 0 {
				t.Fatalf("exit code %d: %s%s", code, &p.stderr, &p.stdout)
			}
			for _, want := range []string{
				"EP Control Plane Performance Test\n", "\nMeasure: " + test.rounds + " rounds\n", "Control Plane (control): 2/2 ranks passed\n",
				"\nInit (μs): ", "\nConnect (μs): ", "\nDisconnect (μs): ", "\nReconnect (μs): ", "\nDestroy (μs): ", "\nCycle (μs): ",
				"as an example and not as measurements: nothing is held against them\n", " μs, 150000.0 in the example\n",
			} {
				if !strings.Contains(p.stdout.String(), want) {
					t.Errorf("stdout lacks %q:\n%s", want, &p.stdout)
				}
			}
			e.untouched(t, time.Second)
			kept := p.record(t, filepath.Join(p.folder, "epperf-results"))
			for rank := range 2 {
				left := kept.Rank(0, rank)
				first, last := left.Result.GetFirstRound(), left.Result.GetLastRound()
				if last.GetDescriptors() != first.GetDescriptors() || first.GetDescriptors() == 0 ||
					int64(last.GetMappings())-int64(first.GetMappings()) > test.mappings ||
					int64(last.GetThreads())-int64(first.GetThreads()) > test.threads ||
					int64(last.GetResidentBytes())-int64(first.GetResidentBytes()) > test.resident {
					t.Errorf("rank %d had %v after the first round, and %v after the last", rank, first, last)
				}
				if want := len(left.Pass(0)); len(left.Pass(5)) != want || want < 8 {
					t.Errorf("rank %d has %d cycles of %d rounds", rank, len(left.Pass(5)), want)
				}
			}
		})
	}
}

func TestAControlPlaneThatCannotBeTimed(t *testing.T) {
	refuses(t, "control", map[string]string{
		"--rounds=1":         "--rounds",
		"--expect=control-c": "control-a and control-b",
		"more":               "is no flag",
		"--iters=7":          "iters",
	})
}

// refuses gives a command arguments that make no sense, each of which it must name as it says here.
func refuses(t *testing.T, command string, wants map[string]string) {
	t.Helper()
	for argument, want := range wants {
		p := newProgram(t, command, argument)
		if code := p.run(t); code != 2 || !strings.Contains(p.stderr.String(), want) {
			t.Errorf("%s: exit code %d: %s", argument, code, &p.stderr)
		}
	}
}
