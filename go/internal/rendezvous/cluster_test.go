package rendezvous_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/epperf/epperf/go/internal/rendezvous"
	"github.com/epperf/epperf/go/internal/rendezvous/etcdtest"
)

// A change of leader delays barriers and ends no run.
func TestBarriersOutliveTheLeader(t *testing.T) {
	files := etcdtest.Certificates(t)
	cluster := etcdtest.StartCluster(t, files)
	config := files.Client(t)
	members := make([]*rendezvous.Member, 3)
	for n := range members {
		c := node("", "r1", 3, n)
		c.Endpoints, c.TLS = cluster.Endpoints, config
		members[n] = join(t, c)
	}
	ctx := within(t, 40*time.Second)
	const rounds, killAt = 60, 20
	var longest time.Duration
	for n, err := range each(members, func(n int, m *rendezvous.Member) error {
		for epoch := uint64(1); epoch <= rounds; epoch++ {
			if n == 0 && epoch == killAt {
				cluster.KillLeader(t)
			}
			began := time.Now()
			if err := m.Barrier(ctx, "check", epoch); err != nil {
				return err
			}
			if n == 0 {
				longest = max(longest, time.Since(began))
			}
		}
		return nil
	}) {
		if err != nil {
			t.Errorf("node %d: %v", n, err)
		}
	}
	t.Logf("longest barrier %v", longest)
	if longest > 8*time.Second { // 1 to 2 s, and what a busy machine takes; the lease lasts 5
		t.Errorf("a barrier took %v", longest)
	}
}

func TestClientWithoutCertificateIsToldWhatToTry(t *testing.T) {
	files := etcdtest.Certificates(t)
	cluster := etcdtest.StartCluster(t, files)
	config := node("", "r1", 1, 0)
	config.Endpoints, config.TLS = cluster.Endpoints, files.Client(t)
	config.TLS.Certificates = nil
	_, err := rendezvous.Join(within(t, 2*time.Second), config)
	var unreachable *rendezvous.UnreachableError
	if !errors.As(err, &unreachable) || !strings.Contains(err.Error(), "--etcd-cert") {
		t.Errorf("got %v", err)
	}
}
