package rendezvous

import (
	"context"
	"fmt"
	"strings"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
)

// A MissingError says whose launchers did not come to a meeting in time. A launcher comes when
// its last rank has, so all ranks of its host are named; its own message says which of them.
type MissingError struct {
	After   time.Duration
	Ranks   int // of the run
	Missing []Participant
}

// A Participant is a rank on its host.
type Participant struct {
	Rank int
	Host string
}

func (e *MissingError) Error() string {
	var names []string
	for _, p := range e.Missing {
		names = append(names, fmt.Sprintf("%d (%s)", p.Rank, p.Host))
	}
	return fmt.Sprintf("%d of %d ranks after %v; missing %s",
		e.Ranks-len(e.Missing), e.Ranks, e.After.Round(100*time.Millisecond), strings.Join(names, ", "))
}

// A launcher is one that did not come, and its host as well as it is known.
type launcher struct {
	node int
	host string
}

// missed makes the error of a meeting that timed out.
func (m *Member) missed(late []launcher, after time.Duration) error {
	e := &MissingError{After: after, Ranks: m.config.Nodes * m.config.RanksPerHost}
	for _, one := range late {
		for local := range m.config.RanksPerHost {
			e.Missing = append(e.Missing, Participant{one.node*m.config.RanksPerHost + local, one.host})
		}
	}
	return e
}

// behind asks etcd who has not come to a meeting, now that it matters: else node 0 alone hears it. Where all have
// come it is node 0 that did not say so.
func (m *Member) behind(kind string, came func(value []byte) bool) []launcher {
	first := []launcher{{0, m.hostOf(0)}}
	ctx, cancel := context.WithTimeout(context.Background(), tryTimeout)
	defer cancel()
	found, err := m.client.Txn(ctx).Then(
		clientv3.OpGet(m.saidBelow(sayHost), clientv3.WithPrefix()),
		clientv3.OpGet(m.saidBelow(kind), clientv3.WithPrefix()),
	).Commit()
	if err != nil {
		return first
	}
	hosts, here := map[string]string{}, map[string]bool{}
	for _, kv := range found.Responses[0].GetResponseRange().GetKvs() {
		hosts[string(kv.Key)] = hostName(kv.Value)
	}
	for _, kv := range found.Responses[1].GetResponseRange().GetKvs() {
		here[string(kv.Key)] = came(kv.Value)
	}
	var late []launcher
	if _, joined := m.board.get(m.hostKey(0)); !joined {
		late = first
	}
	for node := range m.others() {
		if here[m.sayKey(kind, node)] {
			continue
		}
		host, joined := hosts[m.hostKey(node)]
		if !joined {
			host = notJoined(node)
		}
		late = append(late, launcher{node, host})
	}
	if len(late) == 0 {
		return first
	}
	return late
}

// only returns a function that names one launcher.
func (m *Member) only(node int) func() []launcher {
	return func() []launcher { return []launcher{{node, m.hostOf(node)}} }
}

// hostOf names a node as well as it is known here.
func (m *Member) hostOf(node int) string {
	if value, _ := m.board.get(m.hostKey(node)); value != nil {
		return hostName(value)
	}
	if said := m.told(sayHost, 1); said != nil {
		return hostName(said[node])
	}
	return notJoined(node)
}

func notJoined(node int) string { return fmt.Sprintf("node %d, not joined", node) }
