package main_test

import (
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/epperf/epperf/go/internal/record"
	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

// leaseTTL is how long etcd keeps what a dead launcher wrote.
const leaseTTL = 5 * time.Second

// three makes the launchers of one run, none of them started.
func (e *etcd) three(t *testing.T, run string, arguments ...string) []*program {
	t.Helper()
	launchers := make([]*program, 3)
	for node := range launchers {
		launchers[node] = newProgram(t, with(arguments, "--etcd-endpoints="+e.endpoint, "--run-id="+run,
			"--nnodes=3", fmt.Sprintf("--node-rank=%d", node), "--num-processes=2")...)
	}
	return launchers
}

// allUntil starts programs and waits until each has passed the barrier.
func allUntil(t *testing.T, programs []*program, barrier string) {
	t.Helper()
	for _, p := range programs {
		p.begin(t)
	}
	for _, p := range programs {
		p.passes(t, barrier)
	}
}

func TestKilledLauncherLeavesNothing(t *testing.T) {
	t.Parallel()
	p := newProgram(t, endless...)
	p.until(t, "timing")
	own := p.processes(t)
	if len(own) != 6 { // with four ranks and the janitor
		t.Errorf("%d processes", len(own))
	}
	killed := time.Now()
	p.Process.Kill()
	<-p.rest
	p.Wait()
	p.tidy(t, own, 2*time.Second+busy)
	within(t, 2*time.Second, time.Since(killed), "(nothing: it is dead)")
	files, _ := filepath.Glob(filepath.Join(p.folder, "epperf-results/*.epperf.partial"))
	if len(files) != 1 {
		t.Fatalf("records %v", files)
	}
	if kept, err := record.Read(files[0]); err != nil || !kept.Incomplete() {
		t.Errorf("the partial record: %v", err)
	}
}

// Nobody is left who could remove its keys: they end with its lease.
func TestKilledLauncherLeavesNoKeys(t *testing.T) {
	t.Parallel()
	e := coordinator(t)
	p := newProgram(t, with(endless, "--etcd-endpoints="+e.endpoint)...)
	p.until(t, "timing")
	own := p.processes(t)
	killed := time.Now()
	p.Process.Kill()
	<-p.rest
	p.Wait()
	p.tidy(t, own, 2*time.Second+busy)
	e.untouched(t, leaseTTL+2*time.Second)
	within(t, leaseTTL+2*time.Second, time.Since(killed), "(nothing: it is dead)")
}

// A second signal is for those who do not want to wait for a rank that does not end.
func TestSecondSignalKills(t *testing.T) {
	t.Parallel()
	p := newProgram(t, with(endless, "--wait-timeout=60")...)
	p.until(t, "timing")
	own := p.processes(t)
	for victim := range p.ranks(t, 4) {
		syscall.Kill(victim, syscall.SIGSTOP)
		break
	}
	began := time.Now()
	for !ended(own[p.Process.Pid], 100*time.Millisecond) { // the first of these asks it to end
		p.Process.Signal(syscall.SIGINT)
	}
	<-p.rest
	p.Wait()
	if status := p.ProcessState.Sys().(syscall.WaitStatus); !status.Signaled() || status.Signal() != syscall.SIGINT {
		t.Errorf("%v", p.ProcessState)
	}
	p.tidy(t, own, 2*time.Second+busy)
	within(t, 2*time.Second, time.Since(began), "(nothing: it is dead)")
}

func TestKilledLauncherOfThreeIsMissed(t *testing.T) {
	t.Parallel()
	e := coordinator(t)
	launchers := e.three(t, "r1", with(endless, "--wait-timeout=2")...)
	allUntil(t, launchers, "timing")
	own := launchers[1].processes(t)
	killed := time.Now()
	launchers[1].Process.Kill()
	for node, p := range launchers {
		<-p.rest
		if node == 1 {
			p.Wait()
			p.tidy(t, own, 2*time.Second+busy)
			continue
		}
		if code := p.end(t); code != 1 || !regexp.MustCompile(`rank [23]|node 1 \(`).MatchString(p.last()) {
			t.Errorf("node %d: exit code %d: %s", node, code, &p.stderr)
		}
		// --wait-timeout, or the lease's time if that is shorter, and the ranks' grace
		within(t, 3500*time.Millisecond, time.Since(killed), fmt.Sprintf("node %d: %s", node, p.last()))
	}
	e.untouched(t, leaseTTL+2*time.Second-time.Since(killed))
}

// Whoever stops a launcher leaves its connections open: what its peers see is silence.
func TestStoppedLauncherOfThreeIsMissed(t *testing.T) {
	for name, test := range map[string]struct {
		ranksToo bool
		then     syscall.Signal // what ends it at last
		bound    time.Duration
		want     string
	}{
		// Rows go on being exchanged; it is missed in etcd.
		"ranks go on": {false, syscall.SIGCONT, leaseTTL + time.Second, `node 1 \(.+\) is gone: its launcher ended or was silent`},
		// --wait-timeout, and the grace of ranks that wait for those
		"ranks stopped, then killed":    {true, syscall.SIGKILL, 3500 * time.Millisecond, `nothing from rank [23] for`},
		"ranks stopped, then continued": {true, syscall.SIGCONT, 3500 * time.Millisecond, `nothing from rank [23] for`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := coordinator(t)
			launchers := e.three(t, "r1", with(endless, "--wait-timeout=2")...)
			allUntil(t, launchers, "timing")
			victim := launchers[1]
			own, ranks := victim.processes(t), victim.ranks(t, 2)
			stopped := time.Now()
			victim.Process.Signal(syscall.SIGSTOP)
			for pid := range ranks {
				if test.ranksToo {
					syscall.Kill(pid, syscall.SIGSTOP)
				}
			}
			for _, node := range []int{0, 2} {
				p := launchers[node]
				<-p.rest
				if code := p.end(t); code != 1 || !regexp.MustCompile(test.want).MatchString(p.last()) {
					t.Errorf("node %d: exit code %d: %s", node, code, &p.stderr)
				}
				within(t, test.bound, time.Since(stopped), fmt.Sprintf("node %d: %s", node, p.last()))
			}
			continued := time.Now()
			victim.Process.Signal(test.then)
			for pid := range ranks {
				if test.ranksToo && test.then == syscall.SIGCONT {
					syscall.Kill(pid, syscall.SIGCONT)
				}
			}
			<-victim.rest
			victim.Wait()
			victim.tidy(t, own, 2*time.Second+busy)
			if test.then == syscall.SIGCONT {
				within(t, 2*time.Second, time.Since(continued), "node 1: "+victim.last())
				if code := victim.ProcessState.ExitCode(); code != 1 || !strings.HasPrefix(victim.last(), "perf: run ") {
					t.Errorf("node 1: exit code %d: %s", code, &victim.stderr)
				}
			}
			e.untouched(t, leaseTTL+2*time.Second)
		})
	}
}

func TestLauncherKilledBeforeAllHaveComeIsMissed(t *testing.T) {
	t.Parallel()
	e := coordinator(t)
	launchers := e.three(t, "r1", endless...)[:2] // the third never comes
	allUntil(t, launchers, "ready")
	killed := time.Now()
	launchers[1].Process.Kill()
	<-launchers[1].rest
	launchers[1].Wait()
	<-launchers[0].rest
	code := launchers[0].end(t)
	within(t, leaseTTL+time.Second, time.Since(killed), launchers[0].last())
	if code != 1 || !regexp.MustCompile(`node 1 \(.+\) is gone`).MatchString(launchers[0].last()) {
		t.Errorf("exit code %d: %s", code, &launchers[0].stderr)
	}
	e.untouched(t, leaseTTL+2*time.Second-time.Since(killed))
}

func TestInterruptedLauncherEndsTheOthers(t *testing.T) {
	t.Parallel()
	e := coordinator(t)
	launchers := e.three(t, "r1", endless...)
	allUntil(t, launchers, "timing")
	signalled := time.Now()
	launchers[1].Process.Signal(syscall.SIGTERM)
	for node, p := range launchers {
		<-p.rest
		code := p.end(t)
		want, status := `node 1 \(.+\) ended the run: interrupted by SIGTERM$`, epperfv1.Trailer_STATUS_FAILED
		if node == 1 {
			want, status = `^perf: interrupted by SIGTERM; what was measured is in .+\.epperf$`, epperfv1.Trailer_STATUS_INTERRUPTED
		}
		if code != 1 || !regexp.MustCompile(want).MatchString(p.last()) {
			t.Errorf("node %d: exit code %d: %s", node, code, &p.stderr)
		}
		within(t, time.Second, time.Since(signalled), fmt.Sprintf("node %d: %s", node, p.last()))
		if kept := p.record(t, filepath.Join(p.folder, "epperf-results")); kept.Trailer.GetStatus() != status {
			t.Errorf("node %d: trailer %v", node, kept.Trailer)
		}
	}
	e.untouched(t, time.Second)
}

func TestEtcdGoneInMidRun(t *testing.T) {
	t.Parallel()
	e := coordinator(t)
	p := newProgram(t, with(endless, "--etcd-endpoints="+e.endpoint)...)
	p.until(t, "timing")
	server := e.server.processes(t)
	killed := time.Now()
	e.server.Process.Kill()
	e.server.Wait()
	e.server.tidy(t, server, 2*time.Second+busy)
	<-p.rest
	code := p.end(t)
	within(t, leaseTTL+time.Second, time.Since(killed), p.last())
	if code != 1 || !strings.Contains(p.last(), "etcd at "+e.endpoint+" is out of reach") {
		t.Errorf("exit code %d: %s", code, &p.stderr)
	}
	p.record(t, filepath.Join(p.folder, "epperf-results"))
}
