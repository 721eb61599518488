package main_test

import (
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

func TestInterruptedRunSaysOneLine(t *testing.T) {
	for _, signal := range []syscall.Signal{
		syscall.SIGHUP, syscall.SIGINT, syscall.SIGQUIT, syscall.SIGTERM, syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGXCPU,
	} {
		t.Run(unix.SignalName(signal), func(t *testing.T) {
			p := newProgram(t, endless...)
			p.until(t, "timing")
			ranks := p.ranks(t, 4)
			p.Process.Signal(signal)
			if signal == syscall.SIGHUP { // the shell and the kernel both send one, and more do no harm
				go func() {
					for p.Process.Signal(signal) == nil {
						time.Sleep(time.Millisecond)
					}
				}()
			}
			for pid := range ranks { // as a terminal does
				syscall.Kill(pid, signal)
			}
			<-p.rest
			code := p.end(t)
			_, text, _ := strings.Cut(p.stderr.String(), "perf: timing after ")
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

func TestRunEndsInItsTime(t *testing.T) {
	p := newProgram(t, with(endless, "--timeout=2")...)
	code := p.run(t)
	if took := time.Since(p.began); took > 6*time.Second {
		t.Errorf("took %v", took)
	}
	// On a busy machine it may not have come to the timed loop, and says who is late instead.
	said := p.stderr.String()
	if code != 1 || !strings.Contains(said, "--timeout") && !strings.Contains(said, "missing") {
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
