package limittest_test

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/epperf/epperf/go/internal/host/limittest"
)

func printed(t *testing.T, command *exec.Cmd) string {
	t.Helper()
	text, err := command.CombinedOutput()
	if err != nil {
		t.Fatalf("%q: %v %s", command.Args, err, text)
	}
	return strings.TrimSpace(string(text))
}

func TestProgramsGetTheirLimits(t *testing.T) {
	t.Run("resources", func(t *testing.T) {
		command := exec.Command("/bin/sh", "-c", "ulimit -n; ulimit -f")
		limittest.Resources(t, command, "nofile=100", "fsize=1048576")
		if got := printed(t, command); got != "100\n2048" {
			t.Errorf("limits %q", got)
		}
	})
	t.Run("variables", func(t *testing.T) {
		command := exec.Command("/bin/sh", "-c", "echo $OWN")
		limittest.Variables(command, "OWN=a b")
		limittest.Shell(command, `test "$OWN" = ""`)
		if got := printed(t, command); got != "a b" {
			t.Errorf("OWN is %q", got)
		}
	})
	t.Run("cgroup", func(t *testing.T) {
		command := exec.Command("/bin/cat", "/proc/self/cgroup")
		folder := limittest.Cgroup(t, command, "pids", map[string]string{"pids.max": "48"})
		if got := printed(t, command); !strings.Contains(got, folder[strings.LastIndex(folder, "/"):]) {
			t.Errorf("not in %s: %s", folder, got)
		}
	})
	t.Run("mounts", func(t *testing.T) {
		folder := t.TempDir()
		command := exec.Command("/bin/sh", "-c", "df --output=size -B1 . | tail -n 1")
		command.Dir = folder
		limittest.Mounting(t, command, "mount -t tmpfs -o size=1m tmpfs "+folder+" && cd "+folder)
		if got := printed(t, command); got != "1048576" {
			t.Errorf("%s bytes", got)
		}
	})
	t.Run("processes of its own", func(t *testing.T) {
		command := exec.Command("/bin/sh", "-c", "echo $$")
		limittest.OwnPIDs(t, command)
		if got := printed(t, command); got != "1" {
			t.Errorf("process %s", got)
		}
	})
}
