package main_test

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

// endless is a shape whose timed loop lasts longer than any test.
var endless = []string{
	"--num-processes=4", "--tokens=16", "--hidden=128", "--experts-per-rank=2", "--topk=2",
	"--warmup=0", "--iters=1000000", "--wait-timeout=3",
}

// until starts the program and waits until it says that a barrier is passed. What it says later
// is kept in stderr.
func (p *program) until(t *testing.T, barrier string) (after time.Duration) {
	t.Helper()
	p.Env = append(p.Env, "EPPERF_DEBUG=1")
	p.Stderr = nil
	pipe, err := p.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	p.start(t)
	lines := bufio.NewReader(pipe)
	for {
		line, err := lines.ReadString('\n')
		p.stderr.WriteString(line)
		if err != nil {
			t.Fatalf("before %s: %v\n%s", barrier, err, &p.stderr)
		}
		if strings.HasPrefix(line, "perf: "+barrier+" after ") {
			break
		}
	}
	after = time.Since(p.began)
	p.rest = make(chan struct{})
	go func() {
		io.Copy(&p.stderr, lines)
		close(p.rest)
	}()
	return after
}

// ranks returns a pidfd for each of the program's children, by pid.
func (p *program) ranks(t *testing.T) map[int]int {
	t.Helper()
	ranks := map[int]int{}
	files, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			continue // it ended just now
		}
		var pid, parent int
		var state string
		if _, err := fmt.Sscan(filepath.Base(filepath.Dir(file)), &pid); err != nil {
			continue
		}
		_, fields, _ := strings.Cut(string(text), ") ")
		if _, err := fmt.Sscan(fields, &state, &parent); err != nil || parent != p.Process.Pid {
			continue
		}
		fd, err := unix.PidfdOpen(pid, 0)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { unix.Close(fd) })
		ranks[pid] = fd
	}
	if len(ranks) != 4 {
		t.Fatalf("%d ranks, want 4", len(ranks))
	}
	return ranks
}

// ended reports whether the process of a pidfd has ended within the limit.
func ended(pidfd int, limit time.Duration) bool {
	deadline := time.Now().Add(limit)
	for {
		poll := []unix.PollFd{{Fd: int32(pidfd), Events: unix.POLLIN}}
		n, err := unix.Poll(poll, int(max(0, time.Until(deadline).Milliseconds())))
		if err != unix.EINTR {
			return n == 1
		}
	}
}

func TestKilledRankEndsTheRunAndIsNamed(t *testing.T) {
	p := newProgram(t, endless...)
	p.until(t, "warmup")
	ranks := p.ranks(t)
	var victim int
	for victim = range ranks {
		break
	}
	killed := time.Now()
	syscall.Kill(victim, syscall.SIGKILL)
	<-p.rest
	code := p.end(t)
	took := time.Since(killed)
	t.Logf("ended %v after kill -9", took)
	if limit := 5 * time.Second; took > limit { // --wait-timeout and 2 s
		t.Errorf("ended after %v, limit %v", took, limit)
	}
	named := regexp.MustCompile(fmt.Sprintf(`(?m)^perf: run e2e/t16/k2: rank [0-3] \(pid %d on .+\): killed by signal 9 \(SIGKILL\) after barrier "warmup"$`, victim))
	if code != 1 || !named.MatchString(p.stderr.String()) {
		t.Errorf("exit code %d, stderr:\n%s", code, &p.stderr)
	}
	for pid, fd := range ranks {
		if !ended(fd, 0) {
			t.Errorf("rank with pid %d is left", pid)
		}
	}
	kept := p.record(t, filepath.Join(p.folder, "epperf-results"))
	if kept.Trailer.GetStatus() != epperfv1.Trailer_STATUS_FAILED || !strings.Contains(kept.Trailer.GetError(), "SIGKILL") {
		t.Errorf("trailer %v", kept.Trailer)
	}
	if !strings.Contains(p.stdout.String(), "0/4 ranks passed") {
		t.Errorf("stdout:\n%s", &p.stdout)
	}
}

// A stopped rank says nothing and closes nothing: its peers' deadline finds it.
func TestStoppedRankIsFoundByItsPeers(t *testing.T) {
	p := newProgram(t, endless...)
	p.until(t, "warmup")
	ranks := p.ranks(t)
	var victim int
	for victim = range ranks {
		break
	}
	stopped := time.Now()
	syscall.Kill(victim, syscall.SIGSTOP)
	<-p.rest
	code := p.end(t)
	took := time.Since(stopped)
	t.Logf("ended %v after SIGSTOP: %s", took, &p.stderr)
	if took > 5500*time.Millisecond { // --wait-timeout and 2 s, and what a busy machine takes
		t.Errorf("ended after %v", took)
	}
	if code != 1 || !strings.Contains(p.stderr.String(), "rank ") {
		t.Errorf("exit code %d, stderr:\n%s", code, &p.stderr)
	}
	if !ended(ranks[victim], 0) {
		t.Error("the stopped rank is left")
	}
}

func TestInterruptedRunSaysOneLine(t *testing.T) {
	for _, signal := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
		t.Run(unix.SignalName(signal), func(t *testing.T) {
			p := newProgram(t, endless...)
			p.until(t, "warmup")
			ranks := p.ranks(t)
			p.Process.Signal(signal)
			for pid := range ranks { // as a terminal does
				syscall.Kill(pid, signal)
			}
			<-p.rest
			code := p.end(t)
			_, text, _ := strings.Cut(p.stderr.String(), "perf: warmup after ")
			_, text, _ = strings.Cut(text, "\n") // what came after that line
			if code != 1 || strings.Count(text, "\n") != 1 || !strings.HasPrefix(text, "perf: interrupted by "+unix.SignalName(signal)) {
				t.Errorf("exit code %d, stderr:\n%s", code, text)
			}
			if p.stdout.Len() > 0 {
				t.Errorf("stdout:\n%s", &p.stdout)
			}
			kept := p.record(t, filepath.Join(p.folder, "epperf-results"))
			if kept.Trailer.GetStatus() != epperfv1.Trailer_STATUS_INTERRUPTED {
				t.Errorf("trailer %v", kept.Trailer)
			}
			for pid, fd := range ranks {
				if !ended(fd, 0) {
					t.Errorf("rank with pid %d is left", pid)
				}
			}
		})
	}
}

func TestRanksDieWithTheirLauncher(t *testing.T) {
	p := newProgram(t, endless...)
	p.until(t, "connected")
	ranks := p.ranks(t)
	p.Process.Kill()
	<-p.rest
	p.Wait()
	for pid, fd := range ranks {
		if !ended(fd, 5*time.Second) {
			t.Errorf("rank with pid %d outlives its launcher", pid)
		}
	}
}

func TestRunEndsInItsTime(t *testing.T) {
	p := newProgram(t, with(endless, "--timeout=2")...)
	code := p.run(t)
	if took := time.Since(p.began); took > 6*time.Second {
		t.Errorf("took %v", took)
	}
	if code != 1 || !strings.Contains(p.stderr.String(), "--timeout") {
		t.Errorf("exit code %d, stderr:\n%s", code, &p.stderr)
	}
}

// Eight ranks and etcd on two cores take well below 2 s; the limit here is for a busy machine.
func TestRanksConnectSoon(t *testing.T) {
	p := newProgram(t, with(small, "--num-processes=8")...)
	after := p.until(t, "connected")
	<-p.rest
	if code := p.end(t); code != 0 {
		t.Fatalf("exit code %d: %s", code, &p.stderr)
	}
	t.Logf("connected %v after exec", after)
	if after > 6*time.Second {
		t.Errorf("connected after %v", after)
	}
}
