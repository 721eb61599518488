package rendezvous

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// A board mirrors the keys that this launcher watches, and wakes those who wait for a change.
type board struct {
	mu      sync.Mutex
	entries map[string]entry
	changed chan struct{} // closed and replaced at each change
}

type entry struct {
	value    []byte // or, of a key that is gone, the last: what was said stays so, although node 0 has tidied up since
	revision int64  // that last changed the key
	present  bool
}

func newBoard() *board {
	return &board{entries: map[string]entry{}, changed: make(chan struct{})}
}

// set takes what is known of a key and returns what was; older news than what the board has is ignored.
func (b *board) set(key string, e entry) (before entry) {
	b.mu.Lock()
	defer b.mu.Unlock()
	before = b.entries[key]
	if e.revision <= before.revision {
		return before
	}
	if !e.present {
		e.value = before.value
	}
	b.entries[key] = e
	close(b.changed)
	b.changed = make(chan struct{})
	return before
}

// get returns a key's value, or that which it had last, and whether it is there.
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

// watched is the range of keys that this launcher watches: what is for all, on node 0 also what launchers say to
// it, but no parts.
func (m *Member) watched() (from, to string) {
	if m.config.NodeRank == 0 {
		return m.prefix + "a", m.prefix + "b"
	}
	return m.prefix + "all/", clientv3.GetPrefixRangeEnd(m.prefix + "all/")
}

// watch opens the one watch. What was there before, the reply to the claim has; the board sorts out what comes
// twice.
func (m *Member) watch(ctx, alive context.Context) (clientv3.WatchChan, error) {
	from, to := m.watched()
	opening, cancel := context.WithTimeout(ctx, retryFor)
	defer cancel()
	opened := make(chan clientv3.WatchChan, 1)
	go func() { opened <- m.client.Watch(alive, from, clientv3.WithRange(to), clientv3.WithCreatedNotify()) }()
	var events clientv3.WatchChan
	for {
		select {
		case events = <-opened:
		case first, open := <-events:
			return events, watchError(first, open)
		case <-opening.Done():
			return nil, fmt.Errorf("watch the run's keys: etcd is silent: %w", context.Cause(opening))
		}
	}
}

// follow brings the board up to date until alive ends.
func (m *Member) follow(alive context.Context, events clientv3.WatchChan) {
	for answer := range events {
		if err := watchError(answer, true); err != nil {
			break
		}
		for _, event := range answer.Events {
			m.apply(event.Kv, event.Type == clientv3.EventTypePut)
		}
	}
	if alive.Err() == nil {
		m.lose(errors.New("watch the run's keys: etcd ended the watch"))
	}
}

// apply notes a key on the board; some keys end the run.
func (m *Member) apply(kv *mvccpb.KeyValue, present bool) {
	key := string(kv.Key)
	before := m.board.set(key, entry{kv.Value, kv.ModRevision, present})
	switch node, of := m.nodeOf(key); {
	case present && key == m.abortKey():
		m.lose(m.aborted(kv.Value))
	case !present && of:
		m.gone(node, hostName(before.value))
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
