package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/epperf/epperf/go/internal/rendezvous/etcdtest"
)

func TestMain(m *testing.M) {
	etcdtest.MainOfMember()
	if len(os.Args) >= 2 && os.Args[1] == rankName { // a launcher in this process started it
		os.Exit(perf(os.Args, os.Stdout, os.Stderr))
	}
	// Processes whose parent ends become ours, so that none is overlooked when all tests are through.
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		fmt.Fprintln(os.Stderr, "adopt processes that are left:", err)
		os.Exit(1)
	}
	code := m.Run()
	if left := leftOver(2 * time.Second); len(left) > 0 {
		fmt.Fprintf(os.Stderr, "FAIL: after all tests these processes are left: %q\n", left)
		code = 1
	}
	if left := leftOnHost(); len(left) > 0 {
		fmt.Fprintf(os.Stderr, "FAIL: after all tests these are left: %q\n", left)
		code = 1
	}
	os.Exit(code)
}

// leftOver waits for this process's children and returns those that have not ended within the limit.
func leftOver(limit time.Duration) []string {
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			if _, err := unix.Wait4(-1, nil, 0, nil); err != nil && err != unix.EINTR {
				return // there is none
			}
		}
	}()
	select {
	case <-ended:
		return nil
	case <-time.After(limit):
		return children()
	}
}

// leftOnHost returns network namespaces of this process's tests, and what has a name of ours in shared memory.
func leftOnHost() (left []string) {
	for _, pattern := range []string{fmt.Sprintf("/run/netns/epperf%d-*", os.Getpid()), "/dev/shm/*epperf*"} {
		files, _ := filepath.Glob(pattern)
		left = append(left, files...)
	}
	return left
}

func children() (commands []string) {
	files, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, file := range files {
		stat, _ := os.ReadFile(file)
		var state string
		var parent int
		_, err := fmt.Sscan(string(stat[bytes.LastIndexByte(stat, ')')+1:]), &state, &parent) // after the name
		if err != nil || parent != os.Getpid() || state == "Z" {
			continue
		}
		command, _ := os.ReadFile(filepath.Join(filepath.Dir(file), "cmdline"))
		commands = append(commands, strings.ReplaceAll(string(command), "\x00", " "))
	}
	return commands
}
