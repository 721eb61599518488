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

// What launchers say to node 0, each at a key of its own of that name.
const (
	sayHost    = "host"
	sayBlobs   = "blobs"
	sayBarrier = "barrier"
	sayPart    = "part"
)

// Hosts waits until every launcher has joined and returns their entries in node-rank order.
func (m *Member) Hosts(ctx context.Context) ([]*epperfv1.HostEntry, error) {
	said, err := m.hosts(ctx)
	if err != nil {
		return nil, fmt.Errorf("wait for all launchers: %w", err)
	}
	entries := make([]*epperfv1.HostEntry, len(said))
	for node := range entries {
		if entries[node], err = entryOf(node, said[node]); err != nil {
			return nil, err
		}
	}
	return entries, nil
}

func (m *Member) hosts(ctx context.Context) ([][]byte, error) {
	mine, err := proto.Marshal(m.config.Entry)
	if err != nil {
		return nil, err
	}
	return m.collect(ctx, sayHost, 1, mine, func([]byte) bool { return true })
}

// First waits until node 0 has joined and returns its entry.
func (m *Member) First(ctx context.Context) (*epperfv1.HostEntry, error) {
	joined := func() bool {
		_, present := m.board.get(m.hostKey(0))
		return present
	}
	if err := m.await(ctx, joined, m.only(0)); err != nil {
		return nil, fmt.Errorf("wait for node 0: %w", err)
	}
	value, _ := m.board.get(m.hostKey(0))
	return entryOf(0, value)
}

// entryOf reads what a launcher says of itself.
func entryOf(node int, value []byte) (*epperfv1.HostEntry, error) {
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
	all, err := m.exchange(ctx, &epperfv1.Blobs{Name: name, Data: blobs, Exchange: uint32(m.exchanges)})
	if err != nil {
		return nil, fmt.Errorf("exchange %q: %w", name, err)
	}
	return all, nil
}

func (m *Member) exchange(ctx context.Context, mine *epperfv1.Blobs) ([][]byte, error) {
	if got := len(mine.GetData()); got != m.config.RanksPerHost {
		return nil, fmt.Errorf("%d blobs of %d ranks", got, m.config.RanksPerHost)
	}
	value, err := proto.Marshal(mine)
	if err != nil {
		return nil, err
	}
	if m.config.NodeRank != 0 {
		if err := m.put(ctx, m.sayKey(sayBlobs, m.config.NodeRank), value); err != nil {
			return nil, err
		}
	}
	said, err := m.collect(ctx, sayBlobs, m.exchanges, value, func(value []byte) bool {
		var theirs epperfv1.Blobs
		return proto.Unmarshal(value, &theirs) == nil && theirs.GetExchange() >= mine.GetExchange()
	})
	if err != nil {
		return nil, err
	}
	var all [][]byte
	for node := range said {
		var theirs epperfv1.Blobs
		if err := proto.Unmarshal(said[node], &theirs); err != nil {
			return nil, fmt.Errorf("read blobs of node %d: %w", node, err)
		}
		if theirs.GetName() != mine.GetName() || len(theirs.GetData()) != m.config.RanksPerHost {
			return nil, fmt.Errorf("node %d (%s) is at %q with %d blobs: start all launchers with the same flags",
				node, m.hostOf(node), theirs.GetName(), len(theirs.GetData()))
		}
		all = append(all, theirs.GetData()...)
	}
	return all, nil
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
		if err := m.put(ctx, m.sayKey(sayBarrier, m.config.NodeRank), value); err != nil {
			return err
		}
	}
	came := func(value []byte) bool { return epochOf(value) >= here.GetEpoch() }
	err = m.meet(ctx, sayBarrier, came, func() bool {
		value, _ := m.board.get(m.releasedKey())
		return came(value)
	})
	if err != nil || m.config.NodeRank != 0 {
		return err
	}
	return m.put(ctx, m.releasedKey(), value)
}

// epochOf reads a barrier; where there is none it is before all.
func epochOf(value []byte) uint64 {
	var barrier epperfv1.Barrier
	if err := proto.Unmarshal(value, &barrier); err != nil {
		return 0
	}
	return barrier.GetEpoch()
}

// collect is a meeting from which all bring what each launcher said, in node-rank order: mine here. Came
// reports whether a value was said at this meeting. It is the number-th of its kind.
func (m *Member) collect(ctx context.Context, kind string, number int, mine []byte, came func(value []byte) bool) ([][]byte, error) {
	if err := m.meet(ctx, kind, came, func() bool { return m.told(kind, number) != nil }); err != nil {
		return nil, err
	}
	if m.config.NodeRank != 0 {
		return m.told(kind, number), nil
	}
	said := [][]byte{mine}
	for node := range m.others() {
		value, _ := m.board.get(m.sayKey(kind, node))
		said = append(said, value)
	}
	if m.config.Nodes == 1 {
		return said, nil // nobody else to tell
	}
	return said, m.announce(ctx, kind, number, said)
}

// meet waits on node 0 until all others have come to a meeting; on the others until it is over, which node 0
// tells.
func (m *Member) meet(ctx context.Context, kind string, came func(value []byte) bool, over func() bool) error {
	if m.config.NodeRank != 0 {
		return m.await(ctx, over, func() []launcher { return m.behind(kind, came) })
	}
	var missing []int
	for node := range m.others() {
		missing = append(missing, node)
	}
	here := func(node int) bool {
		value, present := m.board.get(m.sayKey(kind, node))
		return present && came(value)
	}
	all := func() bool { // looks at the first that is missing, not at all: there are as many changes as nodes
		for len(missing) > 0 && here(missing[0]) {
			missing = missing[1:]
		}
		return len(missing) == 0
	}
	return m.await(ctx, all, func() (late []launcher) {
		for _, node := range slices.DeleteFunc(missing, here) {
			late = append(late, launcher{node, m.hostOf(node)})
		}
		return late
	})
}

// await waits until what is waited for is done, and stays so. What has come before the run was lost counts. Late
// says who is missing when the time is over.
func (m *Member) await(ctx context.Context, done func() bool, late func() []launcher) error {
	started := time.Now()
	for {
		changed := m.board.next()
		if done() {
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
			return m.missed(late(), time.Since(started))
		}
		return context.Cause(ctx)
	}
}

// others yields all nodes but node 0, to which they speak.
func (m *Member) others() func(yield func(node int) bool) {
	return func(yield func(int) bool) {
		for node := 1; node < m.config.Nodes && yield(node); node++ {
		}
	}
}

func (m *Member) put(ctx context.Context, key string, value []byte) error {
	return retry(ctx, "put "+strings.TrimPrefix(key, m.prefix), func(ctx context.Context) error {
		_, err := m.client.Put(ctx, key, string(value), clientv3.WithLease(m.lease))
		return err
	})
}
