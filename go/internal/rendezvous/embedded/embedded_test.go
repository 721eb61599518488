package embedded_test

import (
	"context"
	"net"
	"os"
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
