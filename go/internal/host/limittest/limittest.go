// Package limittest starts a test's programs with less than the machine has: resource limits, cgroups of
// either version, file systems of their own. A machine that forbids it skips the test, and says why.
package limittest

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/epperf/epperf/go/internal/host"
)

// Shell has a shell run a stage in the command's process before that becomes the command's program.
func Shell(command *exec.Cmd, stage string) {
	before(command, "/bin/sh", "-c", stage+` && exec "$0" "$@"`)
}

// before has the command's process be another program first, which gets the command's own as
// arguments and executes it.
func before(command *exec.Cmd, path string, arguments ...string) {
	command.Args = append(append([]string{path}, arguments...), append([]string{command.Path}, command.Args[1:]...)...)
	command.Path = path
}

// Resources sets limits of the command's process, as prlimit(1) names them: "as=3000000000",
// "nofile=100", "fsize=1000000", "nproc=40".
func Resources(t *testing.T, command *exec.Cmd, limits ...string) {
	t.Helper()
	path, err := exec.LookPath("prlimit")
	if err != nil {
		t.Skipf("skipped: this machine has no prlimit(1): %v", err)
	}
	arguments := make([]string, len(limits))
	for i, limit := range limits {
		name, _, _ := strings.Cut(limit, "=")
		if name == "nproc" && os.Getuid() == 0 {
			t.Skip("skipped: the limit of processes does not bind root")
		}
		arguments[i] = "--" + limit
	}
	before(command, path, arguments...)
}

// Variables sets variables of the command's program, and of what was wrapped around it so far, but not of
// what will be.
func Variables(command *exec.Cmd, variables ...string) {
	before(command, "/usr/bin/env", variables...)
}

// Cgroup has the command's process, and all that it starts, live in a cgroup of the controller, such as
// "pids", with the settings in it, such as "pids.max" = "48"; the names are version 2's. It returns the
// group's folder.
func Cgroup(t *testing.T, command *exec.Cmd, controller string, settings map[string]string) string {
	t.Helper()
	parent := group(t, controller)
	folder := filepath.Join(parent, fmt.Sprintf("epperf-test-%d-%s", os.Getpid(), controller))
	if err := os.Mkdir(folder, 0o755); err != nil {
		t.Skipf("skipped: this machine lets the test make no cgroup: %v", err)
	}
	t.Cleanup(func() { remove(t, folder) })
	version2 := exists(filepath.Join(folder, "cgroup.controllers"))
	for name, value := range settings {
		file := filepath.Join(folder, name)
		if !version2 {
			file = filepath.Join(folder, version1(name))
		}
		if err := os.WriteFile(file, []byte(value), 0o600); err != nil {
			t.Skipf("skipped: this machine lets the test set nothing of a cgroup: %v", err)
		}
	}
	Shell(command, fmt.Sprintf("echo $$ > '%s/cgroup.procs'", folder))
	return folder
}

// LeaveMemory sets a cgroup's limit of memory to so much more than its processes have now.
func LeaveMemory(t *testing.T, folder string, bytes uint64) {
	t.Helper()
	limit, used := "memory.max", "memory.current"
	if !exists(filepath.Join(folder, limit)) {
		limit, used = version1(limit), "memory.usage_in_bytes"
	}
	text, err := os.ReadFile(filepath.Join(folder, used))
	if err != nil {
		t.Fatal(err)
	}
	now, err := strconv.ParseUint(strings.TrimSpace(string(text)), 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, limit), []byte(strconv.FormatUint(now+bytes, 10)), 0o600); err != nil {
		t.Fatal(err)
	}
}

// version1 has the names of what both versions have.
func version1(name string) string {
	if name == "memory.max" {
		return "memory.limit_in_bytes"
	}
	return name // pids.max
}

// group finds this process's own cgroup of a controller.
func group(t *testing.T, controller string) string {
	t.Helper()
	system, err := host.This()
	if err != nil {
		t.Fatal(err)
	}
	for _, group := range system.Cgroups(controller) {
		folder := filepath.Join("/", group)
		if exists(filepath.Join(folder, "cgroup.procs")) {
			return folder
		}
	}
	t.Skipf("skipped: this machine has no cgroup with the controller %q that the test sees", controller)
	return ""
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// remove waits for the processes of a cgroup, which end a moment after the program.
func remove(t *testing.T, folder string) {
	deadline := time.Now().Add(5 * time.Second)
	for {
		err := os.Remove(folder)
		if err == nil {
			return
		}
		if !errors.Is(err, syscall.EBUSY) || time.Now().After(deadline) {
			left, _ := os.ReadFile(filepath.Join(folder, "cgroup.procs"))
			t.Errorf("%v; its processes: %q", err, left)
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// Mounting lets a stage of the shell mount file systems that nobody but the command sees.
func Mounting(t *testing.T, command *exec.Cmd, stage string) {
	t.Helper()
	try := exec.Command("/bin/sh", "-c", "mount -t tmpfs -o size=64k tmpfs "+t.TempDir())
	try.SysProcAttr = ownMounts()
	if text, err := try.CombinedOutput(); err != nil {
		t.Skipf("skipped: this machine lets the test mount nothing: %v %s", err, text)
	}
	Shell(command, stage)
	command.SysProcAttr = ownMounts()
}

// OwnPIDs has the command's process be the first of a PID namespace of its own, as in a container; /proc
// stays that of the test's namespace.
func OwnPIDs(t *testing.T, command *exec.Cmd) {
	t.Helper()
	own := ownMounts()
	own.Cloneflags |= syscall.CLONE_NEWPID
	try := exec.Command("/bin/true")
	try.SysProcAttr = own
	if err := try.Run(); err != nil {
		t.Skipf("skipped: this machine lets the test make no PID namespace: %v", err)
	}
	command.SysProcAttr = own
}

func ownMounts() *syscall.SysProcAttr {
	if os.Getuid() == 0 {
		return &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS}
	}
	return &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS,
		UidMappings: []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}},
	}
}
