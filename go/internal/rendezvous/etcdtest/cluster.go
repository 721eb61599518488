package etcdtest

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
)

// members is how many a cluster has: the fewest that bear the loss of one.
const members = 3

// A Cluster is three members, each a process of its own, which speak TLS with each other and with
// clients, and ask both for certificates.
type Cluster struct {
	Endpoints []string
	config    *tls.Config
	processes []*exec.Cmd
}

// StartCluster starts a cluster and waits until it serves. The test's TestMain has to call
// MainOfMember.
func StartCluster(t testing.TB, files Files) *Cluster {
	t.Helper()
	c := &Cluster{config: files.Client(t)}
	peers := make([]string, members)
	configs := make([]member, members)
	for i := range configs {
		client, peer := freeURL(t), freeURL(t) // members have to know each other's before they start
		configs[i] = member{Name: fmt.Sprintf("m%d", i), Folder: t.TempDir(), Client: client, Peer: peer, Files: files}
		peers[i] = configs[i].Name + "=" + peer
		c.Endpoints = append(c.Endpoints, strings.TrimPrefix(client, "https://"))
	}
	var ready []*bufio.Reader
	for _, config := range configs {
		config.Cluster = strings.Join(peers, ",")
		ready = append(ready, c.start(t, config))
	}
	for i, out := range ready {
		if line, err := out.ReadString('\n'); err != nil {
			t.Fatalf("member %d: %q, %v", i, line, err)
		}
	}
	return c
}

// start starts one member, which ends at the latest with this process.
func (c *Cluster) start(t testing.TB, config member) *bufio.Reader {
	t.Helper()
	text, err := json.Marshal(config)
	if err != nil {
		t.Fatal(err)
	}
	process := exec.Command("/proc/self/exe")
	process.Env = append(os.Environ(), memberEnv+"="+string(text))
	process.Stderr = os.Stderr
	in, err := process.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := process.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := process.Start(); err != nil {
		t.Fatal(err)
	}
	c.processes = append(c.processes, process)
	overdue := time.AfterFunc(30*time.Second, func() { in.Close() })
	t.Cleanup(func() {
		overdue.Stop()
		process.Process.Kill()
		process.Wait()
	})
	return bufio.NewReader(io.TeeReader(out, stopper{overdue}))
}

// A stopper stops a timer at the first byte.
type stopper struct{ *time.Timer }

func (s stopper) Write(p []byte) (int, error) {
	s.Stop()
	return len(p), nil
}

// KillLeader kills the leader's process.
func (c *Cluster) KillLeader(t testing.TB) {
	t.Helper()
	client, err := clientv3.New(clientv3.Config{Endpoints: c.Endpoints, TLS: c.config, Logger: zap.NewNop()})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	for i, endpoint := range c.Endpoints {
		status, err := client.Status(ctx, endpoint)
		if err != nil {
			t.Fatal(err)
		}
		if status.Leader == status.Header.GetMemberId() {
			c.processes[i].Process.Signal(syscall.SIGKILL)
			return
		}
	}
	t.Fatal("the cluster has no leader")
}

// freeURL picks a port that nobody has at the moment.
func freeURL(t testing.TB) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return "https://" + listener.Addr().String()
}
