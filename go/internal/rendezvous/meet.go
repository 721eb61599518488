package rendezvous

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/protobuf/proto"

	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

// Hosts waits until every launcher has joined and returns their entries in node-rank order.
func (m *Member) Hosts(ctx context.Context) ([]*epperfv1.HostEntry, error) {
	if err := m.await(ctx, m.nodes(), m.joined); err != nil {
		return nil, fmt.Errorf("wait for all launchers: %w", err)
	}
	entries := make([]*epperfv1.HostEntry, m.config.Nodes)
	for node := range entries {
		var err error
		if entries[node], err = m.entryOf(node); err != nil {
			return nil, err
		}
	}
	return entries, nil
}

// First waits until node 0 has joined and returns its entry.
func (m *Member) First(ctx context.Context) (*epperfv1.HostEntry, error) {
	if err := m.await(ctx, []int{0}, m.joined); err != nil {
		return nil, fmt.Errorf("wait for node 0: %w", err)
	}
	return m.entryOf(0)
}

func (m *Member) joined(node int) bool {
	_, present := m.board.get(m.hostKey(node))
	return present
}

// entryOf reads what a launcher that has joined says of itself.
func (m *Member) entryOf(node int) (*epperfv1.HostEntry, error) {
	value, _ := m.board.get(m.hostKey(node))
	entry := &epperfv1.HostEntry{}
	if err := proto.Unmarshal(value, entry); err != nil {
		return nil, fmt.Errorf("read entry of node %d: %w", node, err)
	}
	return entry, nil
}

// Exchange gives the blobs of this host's ranks to all launchers and returns those of all ranks,
// in rank order.
func (m *Member) Exchange(ctx context.Context, name string, blobs [][]byte) ([][]byte, error) {
	m.exchanges++
	all, err := m.exchange(ctx, m.exchanges, &epperfv1.Blobs{Name: name, Data: blobs})
	if err != nil {
		return nil, fmt.Errorf("exchange %q: %w", name, err)
	}
	return all, nil
}

func (m *Member) exchange(ctx context.Context, number int, mine *epperfv1.Blobs) ([][]byte, error) {
	if got := len(mine.GetData()); got != m.config.RanksPerHost {
		return nil, fmt.Errorf("%d blobs of %d ranks", got, m.config.RanksPerHost)
	}
	value, err := proto.Marshal(mine)
	if err != nil {
		return nil, err
	}
	if err := m.put(ctx, m.blobsKey(number, m.config.NodeRank), value); err != nil {
		return nil, err
	}
	err = m.await(ctx, m.nodes(), func(node int) bool {
		_, present := m.board.get(m.blobsKey(number, node))
		return present
	})
	if err != nil {
		return nil, err
	}
	var all [][]byte
	for node := range m.config.Nodes {
		var theirs epperfv1.Blobs
		value, _ := m.board.get(m.blobsKey(number, node))
		if err := proto.Unmarshal(value, &theirs); err != nil {
			return nil, fmt.Errorf("read blobs of node %d: %w", node, err)
		}
		if theirs.GetName() != mine.GetName() || len(theirs.GetData()) != m.config.RanksPerHost {
			return nil, fmt.Errorf("node %d (%s) is at %q with %d blobs: start all launchers with the same flags",
				node, m.hostOf(node), theirs.GetName(), len(theirs.GetData()))
		}
		all = append(all, theirs.GetData()...)
	}
	return all, m.dropBlobs(ctx, number-1)
}

// dropBlobs removes this host's blobs of an exchange that everyone has left: nobody is in the
// next one's answers before.
func (m *Member) dropBlobs(ctx context.Context, number int) error {
	if number < 1 {
		return nil
	}
	return retry(ctx, "drop old blobs", func(ctx context.Context) error {
		_, err := m.client.Delete(ctx, m.blobsKey(number, m.config.NodeRank))
		return err
	})
}

// Barrier returns once every launcher has called it. Epochs grow by one a barrier; a launcher
// that says something twice is counted once.
//
// Note: transactions that count arrivals, the last of which releases all, save one write's delay, and
// take an eighth more CPU time of 128 launchers and etcd on one machine.
func (m *Member) Barrier(ctx context.Context, name string, epoch uint64) error {
	if m.config.Nodes == 1 {
		return nil // nobody else to meet
	}
	if err := m.barrier(ctx, &epperfv1.Barrier{Name: name, Epoch: epoch}); err != nil {
		return fmt.Errorf("barrier %q: %w", name, err)
	}
	return nil
}

func (m *Member) barrier(ctx context.Context, here *epperfv1.Barrier) error {
	value, err := proto.Marshal(here)
	if err != nil {
		return err
	}
	if m.config.NodeRank != 0 {
		if err := m.put(ctx, m.arriveKey(m.config.NodeRank), value); err != nil {
			return err
		}
		return m.await(ctx, []int{unknown}, func(int) bool {
			return m.epochAt(m.releasedKey()) >= here.GetEpoch()
		})
	}
	err = m.await(ctx, m.nodes()[1:], func(node int) bool {
		return m.epochAt(m.arriveKey(node)) >= here.GetEpoch()
	})
	if err != nil {
		return err
	}
	return m.put(ctx, m.releasedKey(), value)
}

// epochAt reads the barrier at a key; where there is none it is before all.
func (m *Member) epochAt(key string) uint64 {
	value, _ := m.board.get(key)
	return epochOf(value)
}

func epochOf(value []byte) uint64 {
	var barrier epperfv1.Barrier
	if err := proto.Unmarshal(value, &barrier); err != nil {
		return 0
	}
	return barrier.GetEpoch()
}

// Abort tells all launchers that the run is over. The first reason stays. Where etcd is lost it does
// not try: the others see that, too, and this launcher should not wait for nothing.
func (m *Member) Abort(ctx context.Context, reason string) error {
	if m.etcdLost() {
		return m.Err()
	}
	value, err := proto.Marshal(&epperfv1.LauncherAbort{NodeRank: uint32(m.config.NodeRank), Reason: reason})
	if err != nil {
		return err
	}
	return retry(ctx, "abort the run", func(ctx context.Context) error {
		_, err := m.client.Txn(ctx).
			If(clientv3.Compare(clientv3.CreateRevision(m.abortKey()), "=", 0)).
			Then(clientv3.OpPut(m.abortKey(), string(value), clientv3.WithLease(m.lease))).
			Commit()
		return err
	})
}

// Lost is closed once the run cannot go on: another launcher ended it or is gone, or etcd is.
func (m *Member) Lost() <-chan struct{} { return m.lost.Done() }

// Err says why Lost is closed.
func (m *Member) Err() error { return context.Cause(m.lost) }

func (m *Member) put(ctx context.Context, key string, value []byte) error {
	return retry(ctx, "put "+strings.TrimPrefix(key, m.prefix), func(ctx context.Context) error {
		_, err := m.client.Put(ctx, key, string(value), clientv3.WithLease(m.lease))
		return err
	})
}

// nodes lists all launchers of the run, this one too.
func (m *Member) nodes() []int {
	nodes := make([]int, m.config.Nodes)
	for node := range nodes {
		nodes[node] = node
	}
	return nodes
}

// await waits until all of nodes have come, each of which stays so. What has come before the run
// was lost counts. At a change it looks at the first that is missing, not at all: there are as many
// changes as nodes.
func (m *Member) await(ctx context.Context, nodes []int, came func(node int) bool) error {
	started := time.Now()
	for {
		changed := m.board.next()
		for len(nodes) > 0 && came(nodes[0]) {
			nodes = nodes[1:]
		}
		if len(nodes) == 0 {
			return nil
		}
		select {
		case <-changed:
			continue
		case <-m.lost.Done():
			return context.Cause(m.lost)
		case <-ctx.Done():
		}
		if ctx.Err() == context.DeadlineExceeded {
			return m.missed(slices.DeleteFunc(nodes, came), time.Since(started))
		}
		return context.Cause(ctx)
	}
}
