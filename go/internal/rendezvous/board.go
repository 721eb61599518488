package rendezvous

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/protobuf/proto"

	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

// A board mirrors the keys that this launcher watches, and wakes those who wait for a change.
type board struct {
	mu      sync.Mutex
	entries map[string]entry
	changed chan struct{} // closed and replaced at each change
}

type entry struct {
	value    []byte // or, of a key that is gone, the last
	revision int64  // that last changed the key
	present  bool
}

func newBoard() *board {
	return &board{entries: map[string]entry{}, changed: make(chan struct{})}
}

// set takes what is known of a key; older news than what the board has is ignored.
func (b *board) set(key string, e entry) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if e.revision <= b.entries[key].revision {
		return
	}
	b.entries[key] = e
	close(b.changed)
	b.changed = make(chan struct{})
}

// get returns a key's value, and whether it has one.
func (b *board) get(key string) ([]byte, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	e := b.entries[key]
	return e.value, e.present
}

// next returns a channel that is closed at the next change. Take it before looking.
func (b *board) next() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.changed
}

// watch opens the one watch, and only then reads what was there before; the board sorts out what
// comes twice.
func (m *Member) watch(ctx, alive context.Context) error {
	from, to := m.prefix+"all/", clientv3.GetPrefixRangeEnd(m.prefix+"all/")
	if m.config.NodeRank == 0 {
		from, to = m.prefix+"a", m.prefix+"b" // arrivals too, and no parts
	}
	events := m.client.Watch(alive, from, clientv3.WithRange(to), clientv3.WithCreatedNotify())
	opening, cancel := context.WithTimeout(ctx, retryFor)
	defer cancel()
	select {
	case first, open := <-events:
		if err := watchError(first, open); err != nil {
			return err
		}
	case <-opening.Done():
		return fmt.Errorf("watch the run's keys: etcd is silent: %w", context.Cause(opening))
	}
	err := retry(ctx, "read the run's keys", func(ctx context.Context) error {
		found, err := m.client.Get(ctx, from, clientv3.WithRange(to))
		if err != nil {
			return err
		}
		for _, kv := range found.Kvs {
			m.apply(string(kv.Key), entry{kv.Value, kv.ModRevision, true})
		}
		return nil
	})
	if err != nil {
		return err
	}
	m.done.Go(func() { m.follow(alive, events) })
	return nil
}

// follow brings the board up to date until alive ends.
func (m *Member) follow(alive context.Context, events clientv3.WatchChan) {
	for answer := range events {
		if err := watchError(answer, true); err != nil {
			break
		}
		for _, event := range answer.Events {
			present := event.Type == clientv3.EventTypePut
			m.apply(string(event.Kv.Key), entry{event.Kv.Value, event.Kv.ModRevision, present})
		}
	}
	if alive.Err() == nil {
		m.lose(errors.New("watch the run's keys: etcd ended the watch"))
	}
}

// apply notes a key on the board; some keys end the run.
func (m *Member) apply(key string, e entry) {
	before, _ := m.board.get(key)
	if !e.present && !strings.HasPrefix(key, m.prefix+"all/blobs/") {
		e.value = before // a barrier that was reached stays so, although node 0 has tidied up since
	}
	m.board.set(key, e)
	switch {
	case e.present && key == m.abortKey():
		m.lose(m.aborted(e.value))
	case !e.present && strings.HasPrefix(key, m.prefix+"all/host/"):
		node := strings.TrimPrefix(key, m.prefix+"all/host/")
		m.lose(&HostLostError{Node: node, Host: hostName(before)})
	}
}

func watchError(answer clientv3.WatchResponse, open bool) error {
	if !open {
		return errors.New("watch the run's keys: closed")
	}
	if err := answer.Err(); err != nil {
		return fmt.Errorf("watch the run's keys: %w", err)
	}
	return nil
}

// aborted reads why a launcher ended the run.
func (m *Member) aborted(value []byte) error {
	var abort epperfv1.LauncherAbort
	if err := proto.Unmarshal(value, &abort); err != nil {
		return fmt.Errorf("read why the run was ended: %w", err)
	}
	node := int(abort.GetNodeRank())
	return &AbortError{Node: node, Host: m.hostOf(node), Reason: abort.GetReason()}
}

// An AbortError says which launcher ended the run, and why.
type AbortError struct {
	Node   int
	Host   string
	Reason string
}

func (e *AbortError) Error() string {
	return fmt.Sprintf("node %d (%s) ended the run: %s", e.Node, e.Host, e.Reason)
}

// etcdLost reports whether this launcher's lease has ended, and all its keys with it.
func (m *Member) etcdLost() bool {
	var lost *EtcdLostError
	return errors.As(m.Err(), &lost)
}

// An EtcdLostError says that etcd was out of reach until this launcher's lease ended.
type EtcdLostError struct{ Endpoints []string }

func (e *EtcdLostError) Error() string {
	return fmt.Sprintf("etcd at %s is out of reach for %v, and this launcher's lease has ended; does its server still run, or was this launcher stopped?",
		strings.Join(e.Endpoints, ", "), leaseTTL)
}

// A HostLostError says that a launcher left, or was silent for longer than its lease.
type HostLostError struct{ Node, Host string }

func (e *HostLostError) Error() string {
	return fmt.Sprintf("node %s (%s) is gone: its launcher ended or was silent for %v", e.Node, e.Host, leaseTTL)
}
