package main_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// This file has what befalls one of three launchers, or the etcd between them, however far their run has
// come.

// long leaves out what takes a machine for a minute or more; tools/long_tests runs it.
func long(t *testing.T) {
	t.Helper()
	if os.Getenv("EPPERF_LONG") == "" {
		t.Skip("skipped: it is long; tools/long_tests runs it")
	}
}

// A phase is how far launchers have come.
type phase struct {
	name, barrier string
	launchers     int // that come; 3 are wanted
	rows          bool
	arguments     []string
}

var phases = []phase{
	{"before all have come", "ready", 2, false, endless},
	{"in the warm-up", "checked", 3, true, with(endless, "--warmup=1000000")},
	{"in the timed loop", "timing", 3, true, endless},
	// Its last check lasts a while.
	{"at the end", "timed", 3, false, []string{
		"--tokens=2048", "--hidden=1024", "--experts-per-rank=2", "--topk=2", "--warmup=0", "--iters=2",
	}},
}

// wait is --wait-timeout of these runs: shorter than the lease, so that it is seen which of the two ends a run.
const wait = 2 * time.Second

// reach starts the launchers of a run and waits until they have come so far.
func (p phase) reach(t *testing.T, e *etcd) []*program {
	launchers := e.three(t, "r1", with(p.arguments, fmt.Sprintf("--wait-timeout=%.0f", wait.Seconds()))...)[:p.launchers]
	allUntil(t, launchers, p.barrier)
	return launchers
}

// missed is when the others have ended where node 1's ranks are silent: rows miss them first, else its lease.
func (p phase) missed() time.Duration {
	if p.rows {
		return wait + 1500*time.Millisecond // the grace of ranks that wait for those
	}
	return leaseTTL + time.Second
}

// signal sends a signal to the launcher, and with ranks to its ranks.
func (p *program) signal(t *testing.T, signal syscall.Signal, ranks map[int]int) {
	t.Helper()
	if err := p.Process.Signal(signal); err != nil {
		t.Fatal(err)
	}
	for pid := range ranks {
		syscall.Kill(pid, signal)
	}
}

// ends waits for launchers, which must end in their time and say what is wanted.
func ends(t *testing.T, launchers []*program, since time.Time, bound time.Duration, want string) {
	t.Helper()
	for _, p := range launchers {
		<-p.rest
		if code := p.end(t); code != 1 || !regexp.MustCompile(want).MatchString(p.last()) {
			t.Errorf("exit code %d: %s", code, &p.stderr)
		}
		within(t, bound, time.Since(since), p.last())
		if left, _ := filepath.Glob(filepath.Join(p.folder, "epperf-results/*.partial")); len(left) > 0 {
			t.Errorf("left %v", left)
		}
	}
}

// Launchers of one run and a fault of one of them.
func TestLauncherFailsInEachPhase(t *testing.T) {
	long(t)
	const gone = `node 1 \(.+\) is gone: its launcher ended or was silent|`
	for _, what := range []struct {
		name   string
		signal syscall.Signal
		ranks  bool // are stopped, too
		bound  func(phase) time.Duration
		want   string
	}{
		{"killed", syscall.SIGKILL, false, phase.missed, gone + `rank [23]`},
		// Rows go on being exchanged; it is missed in etcd.
		{"stopped", syscall.SIGSTOP, false, func(phase) time.Duration { return leaseTTL + time.Second }, gone + `rank [23]`},
		{"stopped with its ranks", syscall.SIGSTOP, true, phase.missed, gone + `rank [23]`},
	} {
		for _, when := range phases {
			t.Run(what.name+" "+when.name, func(t *testing.T) {
				t.Parallel()
				e := coordinator(t)
				launchers := when.reach(t, e)
				victim := launchers[1]
				own, ranks := victim.processes(t), map[int]int{}
				if what.ranks {
					ranks = victim.ranks(t, 2)
				}
				began := time.Now()
				victim.signal(t, what.signal, ranks)
				ends(t, append(launchers[:1:1], launchers[2:]...), began, what.bound(when), what.want)
				if what.signal == syscall.SIGSTOP {
					victim.signal(t, syscall.SIGCONT, ranks)
				}
				<-victim.rest
				victim.Wait()
				victim.tidy(t, own, 2*time.Second+busy)
				e.untouched(t, leaseTTL+2*time.Second)
			})
		}
	}
}

func TestEtcdFailsInEachPhase(t *testing.T) {
	for _, what := range []struct {
		name   string
		signal syscall.Signal
	}{
		{"killed", syscall.SIGKILL},
		{"stopped", syscall.SIGSTOP},
	} {
		for _, when := range phases {
			t.Run(what.name+" "+when.name, func(t *testing.T) {
				if what.signal == syscall.SIGKILL || when.barrier != "timing" {
					long(t)
				}
				t.Parallel()
				e := coordinator(t)
				launchers := when.reach(t, e)
				server := e.server.processes(t)
				began := time.Now()
				e.server.Process.Signal(what.signal)
				for pid := range server {
					if what.signal == syscall.SIGSTOP { // of those killed the janitor remains, to tidy
						syscall.Kill(pid, what.signal)
					}
				}
				ends(t, launchers, began, leaseTTL+2*time.Second, `etcd at `+regexp.QuoteMeta(e.endpoint)+` is out of reach|etcd did not answer|node \d \(.+\) ended the run: |nothing from rank \d`)
				if what.signal == syscall.SIGSTOP {
					for pid := range server {
						syscall.Kill(pid, syscall.SIGCONT)
					}
					e.untouched(t, leaseTTL+2*time.Second)
					return
				}
				e.server.Wait()
				e.server.tidy(t, server, 2*time.Second+busy)
			})
		}
	}
}

// A host whose processes all stand still is missed once it is silent for longer than its lease, and not before.
func TestAFrozenHost(t *testing.T) {
	for name, test := range map[string]struct {
		frozen time.Duration // 0: until the others have ended
	}{
		"for a second":              {time.Second},
		"for longer than its lease": {0},
	} {
		t.Run(name, func(t *testing.T) {
			if test.frozen == 0 {
				long(t)
			}
			t.Parallel()
			e := coordinator(t)
			launchers := e.three(t, "r1", with(endless, "--iters=20000", "--wait-timeout=30")...)
			allUntil(t, launchers, "timing")
			victim := launchers[1]
			ranks := victim.ranks(t, 2)
			began := time.Now()
			victim.signal(t, syscall.SIGSTOP, ranks)
			if test.frozen == 0 {
				ends(t, []*program{launchers[0], launchers[2]}, began, leaseTTL+2*time.Second, `node 1 \(.+\) is gone: its launcher ended or was silent`)
				continued := time.Now()
				victim.signal(t, syscall.SIGCONT, ranks)
				ends(t, []*program{victim}, continued, 2*time.Second, `was (it|this launcher) stopped|node [02] \(.+\) ended the run: |rank \d`)
				e.untouched(t, leaseTTL)
				return
			}
			<-time.After(test.frozen)
			victim.signal(t, syscall.SIGCONT, ranks)
			for node, p := range launchers {
				<-p.rest
				if code := p.end(t); code != 0 {
					t.Errorf("node %d: exit code %d: %s", node, code, &p.stderr)
				}
			}
			if !strings.Contains(launchers[0].stdout.String(), "6/6 ranks passed") {
				t.Errorf("stdout:\n%s", &launchers[0].stdout)
			}
			within(t, time.Minute, time.Since(began), "(nothing: the run passes)")
		})
	}
}
