package main_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/epperf/epperf/go/internal/rendezvous/etcdtest"
)

// Three launchers on a cluster that wants certificates; its leader dies while they measure, and the
// barriers, parts and farewells after that find the new one.
func TestRunOutlivesTheLeaderOfItsEtcd(t *testing.T) {
	t.Parallel()
	files := etcdtest.Certificates(t)
	cluster := etcdtest.StartCluster(t, files)
	launchers := make([]*program, 3)
	for node := range launchers {
		launchers[node] = newProgram(t, with(endless, "--num-processes=1", "--iters=20000", "--wait-timeout=30", "--run-id=r1",
			"--nnodes=3", fmt.Sprintf("--node-rank=%d", node), "--etcd-endpoints="+strings.Join(cluster.Endpoints, ","),
			"--etcd-ca="+files.CA, "--etcd-cert="+files.ClientCert, "--etcd-key="+files.ClientKey)...)
	}
	allUntil(t, launchers, "timing")
	cluster.KillLeader(t)
	killed := time.Now()
	for node, p := range launchers {
		<-p.rest
		if code := p.end(t); code != 0 {
			t.Errorf("node %d: exit code %d: %s", node, code, &p.stderr)
		}
	}
	t.Logf("ended %v after its leader", time.Since(killed).Round(10*time.Millisecond))
	if !strings.Contains(launchers[0].stdout.String(), "3/3 ranks passed") {
		t.Errorf("stdout:\n%s", &launchers[0].stdout)
	}
}
