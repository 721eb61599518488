package main_test

import (
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

// A moment of a run in which something may happen to a rank.
type moment struct {
	name string
	// reach starts a program and returns when it is there.
	reach func(t *testing.T) *program
}

// moments are four, each of which lasts.
var moments = []moment{
	{"before it connects", func(t *testing.T) *program {
		e := coordinator(t)
		// A second launcher never comes.
		p := newProgram(t, with(endless, "--wait-timeout=1", "--etcd-endpoints="+e.endpoint, "--nnodes=2", "--run-id=r1")...)
		t.Cleanup(func() { e.untouched(t, time.Second) })
		p.until(t, "ready")
		return p
	}},
	{"in the warm-up", reach("checked", with(endless, "--wait-timeout=1", "--warmup=1000000"))},
	{"in the timed loop", reach("timing", with(endless, "--wait-timeout=1"))},
	{"at the end", func(t *testing.T) *program {
		// Behind the timed block comes a check, which may be over before a busy host lets anybody see it begin:
		// then there is more of it.
		for tokens := 2048; ; tokens *= 2 {
			p := newProgram(t, "--num-processes=4", fmt.Sprintf("--tokens=%d", tokens), "--hidden=1024", "--experts-per-rank=2",
				"--topk=2", "--warmup=0", "--iters=2", "--wait-timeout=1")
			p.until(t, "timed")
			if len(p.ranksLeft(t)) == 4 || tokens > 16384 {
				return p
			}
			<-p.rest
			p.end(t)
		}
	}},
}

func reach(barrier string, arguments []string) func(*testing.T) *program {
	return func(t *testing.T) *program {
		p := newProgram(t, arguments...)
		p.until(t, barrier)
		return p
	}
}

// Whatever happens to one rank, the run ends, names it, and leaves nothing.
func TestRankFails(t *testing.T) {
	for _, what := range []struct {
		name   string
		signal syscall.Signal
		bound  time.Duration
		how    string
	}{
		{"is killed", syscall.SIGKILL, time.Second, `killed by signal 9 \(SIGKILL\)`},
		{"exits", syscall.SIGABRT, time.Second, `exited with status 2`}, // Go's way with this signal
		// --wait-timeout, and the grace after which it is killed
		{"is stopped", syscall.SIGSTOP, 2700 * time.Millisecond, `stopped by a signal or a debugger`},
	} {
		for _, when := range moments {
			t.Run(what.name+" "+when.name, func(t *testing.T) {
				t.Parallel()
				p := when.reach(t)
				ranks := p.ranks(t, 4)
				var victim int
				for victim = range ranks {
					break
				}
				began := time.Now()
				syscall.Kill(victim, what.signal)
				<-p.rest
				code := p.end(t)
				within(t, what.bound, time.Since(began), p.last())
				named := fmt.Sprintf(`^perf: run e2e/t\d+/k2: rank [0-3] \(pid %d on .+\): %s [a-z]`, victim, what.how)
				if what.signal == syscall.SIGSTOP { // its peers may be first
					named += `|^perf: run e2e/t\d+/k2: rank [0-3] .*(silent|did not|rank \d)`
				}
				if code != 1 || !regexp.MustCompile(named).MatchString(p.last()) {
					t.Errorf("exit code %d, stderr:\n%s", code, &p.stderr)
				}
				kept := p.record(t, filepath.Join(p.folder, "epperf-results"))
				if kept.Trailer.GetStatus() != epperfv1.Trailer_STATUS_FAILED || !strings.Contains(kept.Trailer.GetError(), "rank") {
					t.Errorf("trailer %v", kept.Trailer)
				}
				if !strings.Contains(p.stdout.String(), " ranks passed\n") {
					t.Errorf("stdout:\n%s", &p.stdout)
				}
			})
		}
	}
}
