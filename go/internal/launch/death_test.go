package launch_test

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/epperf/epperf/go/internal/launch"
	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

// fakeLauncher starts ranks that never get to run, prints a line, and waits to be killed.
func fakeLauncher() int {
	_, err := launch.Start(launch.Config{
		Plan:   &epperfv1.Plan{RanksPerHost: 3, TimeoutNs: uint64(time.Minute)},
		Stderr: os.Stderr,
		Env:    []string{fakeEnv + "=idle", culpritTo + "=/nonexistent"},
	})
	fmt.Println("started", err)
	hang()
	return 1
}

func TestRanksDieWithTheirLauncher(t *testing.T) {
	launcher := exec.Command("/proc/self/exe")
	launcher.Env = append(os.Environ(), fakeEnv+"=launcher")
	out, err := launcher.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := launcher.Start(); err != nil {
		t.Fatal(err)
	}
	defer launcher.Wait()
	defer launcher.Process.Kill()
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "started <nil>\n" {
		t.Fatalf("launcher: %q, %v", line, err)
	}
	var ranks []unix.PollFd
	for _, pid := range childrenOf(t, launcher.Process.Pid) {
		fd, err := unix.PidfdOpen(pid, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer unix.Close(fd)
		ranks = append(ranks, unix.PollFd{Fd: int32(fd), Events: unix.POLLIN})
	}
	if len(ranks) != 3 {
		t.Fatalf("%d ranks, want 3", len(ranks))
	}
	launcher.Process.Signal(syscall.SIGKILL)
	for i := range ranks {
		n, err := unix.Poll(ranks[i:i+1], 5000)
		for err == unix.EINTR {
			n, err = unix.Poll(ranks[i:i+1], 5000)
		}
		if n != 1 {
			t.Errorf("a rank outlives its launcher: %v", err)
		}
	}
}

// childrenOf lists a process's children, whichever of its threads started them.
func childrenOf(t *testing.T, parent int) []int {
	t.Helper()
	var children []int
	entries, err := os.ReadDir("/proc")
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		var pid, ppid int
		var state string
		if _, err := fmt.Sscan(entry.Name(), &pid); err != nil {
			continue
		}
		stat, err := os.ReadFile("/proc/" + entry.Name() + "/stat")
		if err != nil {
			continue // it ended just now
		}
		end := len(stat) - 1
		for end > 0 && stat[end] != ')' { // of the name, which may hold anything
			end--
		}
		if _, err := fmt.Sscan(string(stat[end+1:]), &state, &ppid); err == nil && ppid == parent {
			children = append(children, pid)
		}
	}
	return children
}
