package rendezvous

import (
	"context"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
)

// lookInterval is how often the last to leave looks whether it is that.
const lookInterval = 20 * time.Millisecond

// BeLast waits until all other launchers have left the run, or ctx ends. Who serves etcd to the others calls
// it before Close, so that they find it when they say good-bye.
func (m *Member) BeLast(ctx context.Context) {
	for ctx.Err() == nil {
		found, err := m.client.Get(ctx, m.saidBelow(sayHost), clientv3.WithPrefix(), clientv3.WithCountOnly())
		if err != nil || found.Count == 0 {
			return // without etcd nobody can say good-bye
		}
		select {
		case <-time.After(lookInterval):
		case <-ctx.Done():
		}
	}
}
