package main_test

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A wall is the time of day of programs that it is set for.
type wall struct {
	file *os.File // what is added to the system's, in nanoseconds
}

func newWall(t *testing.T) *wall {
	t.Helper()
	if os.Getenv("WALL") == "" {
		t.Skip("skipped: no library to set the time of day; run the test with Bazel")
	}
	file, err := os.Create(filepath.Join(t.TempDir(), "wall"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { file.Close() })
	w := &wall{file}
	w.jump(t, 0)
	return w
}

// jump sets the time of day to so much after the system's.
func (w *wall) jump(t *testing.T, to time.Duration) {
	t.Helper()
	if _, err := w.file.WriteAt(binary.NativeEndian.AppendUint64(nil, uint64(to)), 0); err != nil {
		t.Fatal(err)
	}
}

// setFor has a program go by it.
func (w *wall) setFor(t *testing.T, p *program) {
	t.Helper()
	library, err := filepath.Abs(filepath.Join("../../..", os.Getenv("WALL")))
	if err != nil {
		t.Fatal(err)
	}
	p.Env = append(p.Env, "LD_PRELOAD="+library, "EPPERF_TEST_WALL="+w.file.Name())
}

// Somebody sets the clock, for all of a run and its etcd: ahead, where each limit that went by it would be over,
// and back, where none would ever be.
func TestTheClockJumps(t *testing.T) {
	t.Parallel()
	w := newWall(t)
	server := newProgram(t, "coordinator", "--listen=127.0.0.1:0")
	w.setFor(t, server)
	e := server.serves(t)
	launchers := e.three(t, "r1", with(endless, "--wait-timeout=2")...)
	for _, p := range launchers {
		w.setFor(t, p)
	}
	allUntil(t, launchers, "timing")
	began := time.Now()
	w.jump(t, 10*time.Hour)
	<-time.After(leaseTTL/3 + time.Second) // until leases were kept alive and ranks looked at
	w.jump(t, -24*time.Hour)
	<-time.After(time.Second)
	for node, p := range launchers {
		if err := p.Process.Signal(syscall.Signal(0)); err != nil || p.ProcessState != nil {
			t.Fatalf("node %d: %v after %v: %s", node, err, time.Since(began), &p.stderr)
		}
		select {
		case <-p.rest:
			t.Fatalf("node %d has ended after %v: %s", node, time.Since(began), &p.stderr)
		default:
		}
	}
	killed := time.Now()
	launchers[1].Process.Kill()
	<-launchers[1].rest
	launchers[1].Wait()
	ends(t, []*program{launchers[0], launchers[2]}, killed, 3500*time.Millisecond, `rank [23]|node 1 \(`)
	e.untouched(t, leaseTTL+2*time.Second)
	for node, p := range []*program{launchers[0], launchers[2]} {
		kept := p.record(t, filepath.Join(p.folder, "epperf-results"))
		for rank := range 6 {
			for _, ns := range kept.Rank(0, rank).Pass(0) {
				if ns > int64(time.Minute) {
					t.Errorf("node %d: rank %d: an iteration took %v", node, rank, time.Duration(ns))
				}
			}
		}
		if started := time.Unix(0, kept.Header.GetStartedUnixNs()); time.Since(started).Abs() > time.Hour {
			t.Errorf("node %d: it began at %v", node, started)
		}
	}
	// And programs do read what was set here.
	const year = 365 * 24 * time.Hour
	w.jump(t, year)
	p := newProgram(t, "certs", "--out=certs", "--hosts=localhost", "--days=1")
	w.setFor(t, p)
	if code := p.run(t); code != 0 || !strings.Contains(p.stdout.String(), time.Now().Add(year+24*time.Hour).UTC().Format("until 2006-")) {
		t.Errorf("exit code %d: %s%s", code, &p.stdout, &p.stderr)
	}
}
