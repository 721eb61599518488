package embedded_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/epperf/epperf/go/internal/rendezvous/embedded"
)

func TestServerAnswersOnLoopbackAndLeavesNothing(t *testing.T) {
	temp := t.TempDir()
	t.Setenv("TMPDIR", temp)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	started := time.Now()
	server, err := embedded.Start(ctx, embedded.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("ready after %v", time.Since(started))
	host, _, err := net.SplitHostPort(server.Endpoint())
	if err != nil || !net.ParseIP(host).IsLoopback() {
		t.Errorf("endpoint %q is not on loopback", server.Endpoint())
	}
	conn, err := net.Dial("tcp", server.Endpoint())
	if err != nil {
		t.Fatal(err)
	}
	conn.Close()
	if err := server.Close(); err != nil {
		t.Fatal(err)
	}
	if left, err := os.ReadDir(temp); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestTwoServersFitOnOneHost(t *testing.T) {
	for range 2 {
		server, err := embedded.Start(t.Context(), embedded.Config{})
		if err != nil {
			t.Fatal(err)
		}
		defer server.Close()
	}
}

func TestStartEndsWithItsContext(t *testing.T) {
	temp := t.TempDir()
	t.Setenv("TMPDIR", temp)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	server, err := embedded.Start(ctx, embedded.Config{})
	if err == nil { // ready at once is as good
		server.Close()
	}
	if left, err := os.ReadDir(temp); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

// What etcd would end its process for, in silence or with a panic, comes as a reason. A test of what it
// takes from its folder is //go/cmd/perf:perf_test.
func TestWhatEndsAServerIsTold(t *testing.T) {
	if os.Getenv("EPPERF_TEST_SERVER") == "" {
		server := exec.Command("/proc/self/exe", "-test.run=^TestWhatEndsAServerIsTold$")
		server.Env = append(os.Environ(), "EPPERF_TEST_SERVER=1", "TMPDIR="+t.TempDir())
		text, err := server.CombinedOutput()
		var exit *exec.ExitError
		if !errors.As(err, &exit) || exit.ExitCode() != 7 || !strings.HasPrefix(string(text), "told: etcd: ") || strings.Count(string(text), "\n") != 1 {
			t.Errorf("%v: %s", err, text)
		}
		return
	}
	signal.Ignore(syscall.SIGXFSZ)
	limit := syscall.Rlimit{Cur: 1 << 14, Max: 1 << 14}
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
		t.Fatal(err)
	}
	_, err := embedded.Start(t.Context(), embedded.Config{Died: func(reason error) {
		fmt.Println("told:", reason)
		os.Exit(7)
	}})
	t.Errorf("it has started: %v", err)
}
