package main_test

import (
	"net"
	"os/exec"
	"strings"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
)

// The etcd that a distribution ships is older than ours by years; runs do with it, too.
func TestThreeLaunchersOnTheSystemsEtcd(t *testing.T) {
	binary, err := exec.LookPath("etcd")
	if err != nil {
		t.Skip("skipped: no etcd on this machine; Debian's is in the package etcd-server")
	}
	addresses := make([]string, 2)
	for i := range addresses {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		addresses[i] = listener.Addr().String()
		listener.Close()
	}
	client, peer := "http://"+addresses[0], "http://"+addresses[1]
	server := exec.Command(binary, "--data-dir="+t.TempDir(), "--listen-client-urls="+client, "--advertise-client-urls="+client,
		"--listen-peer-urls="+peer, "--initial-advertise-peer-urls="+peer, "--initial-cluster=default="+peer, "--log-level=error")
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		server.Process.Kill()
		server.Wait()
	})
	connection, err := clientv3.New(clientv3.Config{Endpoints: addresses[:1], Logger: zap.NewNop()})
	if err != nil {
		t.Fatal(err)
	}
	defer connection.Close()
	e := &etcd{endpoint: addresses[0], client: connection}
	e.plant(t) // which waits for the server
	launchers := e.three(t, "r1", small...)
	for _, p := range launchers {
		p.start(t)
	}
	for node, p := range launchers {
		if code := p.end(t); code != 0 {
			t.Errorf("node %d: exit code %d: %s", node, code, &p.stderr)
		}
	}
	if !strings.Contains(launchers[0].stdout.String(), "6/6 ranks passed") {
		t.Errorf("stdout:\n%s", &launchers[0].stdout)
	}
	e.untouched(t, time.Second)
}
