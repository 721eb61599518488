package main_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// This file watches the program from outside: what it says while it runs, and which processes are
// its own.

// endless is a shape whose timed loop lasts longer than any test.
var endless = []string{
	"--num-processes=4", "--tokens=16", "--hidden=128", "--experts-per-rank=2", "--topk=2",
	"--warmup=0", "--iters=1000000", "--wait-timeout=3",
}

// until starts the program and waits until it says that a barrier is passed. What it says later
// is kept in stderr.
func (p *program) until(t *testing.T, barrier string) (after time.Duration) {
	t.Helper()
	p.begin(t)
	return p.passes(t, barrier)
}

// begin starts the program so that it says which barriers it passes.
func (p *program) begin(t *testing.T) {
	t.Helper()
	p.Env = append(p.Env, "EPPERF_DEBUG=1")
	p.Stderr = nil
	pipe, err := p.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	p.lines = bufio.NewReader(pipe)
	p.start(t)
}

func (p *program) passes(t *testing.T, barrier string) (after time.Duration) {
	t.Helper()
	for {
		line, err := p.lines.ReadString('\n')
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
		io.Copy(&p.stderr, p.lines)
		close(p.rest)
	}()
	return after
}

// processes returns a pidfd for each process of the program, itself included, by pid: those that
// have the test's own mark in their environment.
func (p *program) processes(t *testing.T) map[int]int {
	t.Helper()
	own := map[int]int{}
	files, _ := filepath.Glob("/proc/[0-9]*/environ")
	for _, file := range files {
		environment, err := os.ReadFile(file)
		if err != nil || !bytes.Contains(append([]byte{0}, environment...), []byte("\x00"+mark+p.temp+"\x00")) {
			continue // it ended just now, or is another's
		}
		pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(file)))
		fd, err := unix.PidfdOpen(pid, 0)
		if err != nil {
			continue
		}
		t.Cleanup(func() { unix.Close(fd) })
		own[pid] = fd
	}
	return own
}

// ranks returns those of its processes that are ranks, of which there must be so many.
func (p *program) ranks(t *testing.T, want int) map[int]int {
	t.Helper()
	ranks := p.ranksLeft(t)
	if len(ranks) != want {
		t.Fatalf("%d ranks, want %d", len(ranks), want)
	}
	return ranks
}

// ranksLeft returns those of the program's processes that are ranks.
func (p *program) ranksLeft(t *testing.T) map[int]int {
	t.Helper()
	ranks := p.processes(t)
	for pid := range ranks {
		if arguments, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid)); !bytes.Contains(arguments, []byte("\x00rank\x00")) {
			delete(ranks, pid)
		}
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

// tidy sees that of the program, which was killed, nothing is left after the limit: no process,
// and so no memory, which lasts only as long as its processes, and no temporary folder.
func (p *program) tidy(t *testing.T, processes map[int]int, limit time.Duration) {
	t.Helper()
	began := time.Now()
	for pid, fd := range processes {
		if !ended(fd, limit-time.Since(began)) {
			arguments, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
			t.Errorf("process %d (%q) is left after %v", pid, arguments, limit)
		}
	}
	p.nothingLeft(t)
}

// nothingLeft looks for what the program must not leave once its processes have ended.
func (p *program) nothingLeft(t *testing.T) {
	t.Helper()
	for pid := range p.processes(t) {
		if arguments, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid)); err == nil && len(arguments) > 0 {
			t.Errorf("process %d (%q) is left", pid, arguments)
		}
	}
	if left, err := os.ReadDir(p.temp); err != nil || len(left) > 0 {
		t.Errorf("left in the temporary folder: %v, %v", left, err)
	}
	if left, _ := filepath.Glob("/dev/shm/*epperf*"); len(left) > 0 {
		t.Errorf("left in shared memory: %v", left)
	}
}

// busy is what a machine with other work may add to any bound. The table in docs/operations.md has
// what was measured without.
const busy = 3 * time.Second

// within prints a row of the failure table: what happened, how long it may take until the program
// has ended, how long it took, and what it said.
func within(t *testing.T, bound, took time.Duration, said string) {
	t.Helper()
	t.Logf("| %s | %v | %v | %s |", strings.TrimPrefix(t.Name(), "Test"), bound, took.Round(10*time.Millisecond), strings.TrimSpace(said))
	if took > bound+busy {
		t.Errorf("ended after %v, bound %v", took, bound)
	}
}

// last returns the last line of what the program wrote to stderr.
func (p *program) last() string {
	lines := strings.Split(strings.TrimSpace(p.stderr.String()), "\n")
	return lines[len(lines)-1]
}
