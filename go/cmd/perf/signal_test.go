package main_test

import (
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/epperf/epperf/go/internal/host/limittest"
	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

// What was ignored when the program started, as SIGHUP under nohup and SIGINT in the background of a
// script, does not end it.
func TestSignalsIgnoredAtTheStartStayIgnored(t *testing.T) {
	p := newProgram(t, endless...)
	limittest.Shell(p.Cmd, "trap '' HUP INT QUIT USR1")
	p.until(t, "timing")
	for _, ignored := range []syscall.Signal{syscall.SIGHUP, syscall.SIGINT, syscall.SIGQUIT, syscall.SIGUSR1} {
		p.Process.Signal(ignored)
	}
	p.Process.Signal(syscall.SIGTERM)
	<-p.rest
	if code := p.end(t); code != 1 || !strings.HasPrefix(p.last(), "perf: interrupted by SIGTERM; ") {
		t.Errorf("exit code %d, stderr:\n%s", code, &p.stderr)
	}
}

// A rank that has used up its CPU time ends the run as a signal to the launcher does: limits are
// inherited, and ranks compute most.
func TestALimitOfCPUTimeEndsTheRunInOneLine(t *testing.T) {
	p := newProgram(t, with(endless, "--num-processes=2")...)
	limittest.Shell(p.Cmd, "ulimit -St 1")
	p.run(t)
	if code := p.ProcessState.ExitCode(); code != 1 || !strings.HasPrefix(p.stderr.String(), "perf: interrupted by SIGXCPU, a limit of CPU time (ulimit -t); ") || strings.Count(p.stderr.String(), "\n") != 1 {
		t.Errorf("exit code %d, stderr:\n%s", code, &p.stderr)
	}
	kept := p.record(t, filepath.Join(p.folder, "epperf-results"))
	if kept.Trailer.GetStatus() != epperfv1.Trailer_STATUS_INTERRUPTED {
		t.Errorf("trailer %v", kept.Trailer)
	}
}

// Who reads no more, as head does, ends neither the run nor its record.
func TestAReaderThatLeavesEndsNoRun(t *testing.T) {
	p := newProgram(t, with(small, "--num-processes=2")...)
	p.Env = append(p.Env, "EPPERF_DEBUG=1") // it says something meanwhile
	p.Args = append([]string{"sh", "-c", `("$0" "$@"; echo $? >code) 2>&1 | true`, p.Path}, p.Args[1:]...)
	p.Path = "/bin/sh"
	p.run(t)
	kept := p.record(t, filepath.Join(p.folder, "epperf-results"))
	if kept.Trailer.GetStatus() != epperfv1.Trailer_STATUS_PASSED {
		t.Errorf("trailer %v", kept.Trailer)
	}
}
