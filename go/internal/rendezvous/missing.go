package rendezvous

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
)

// unknown stands in a list of missing nodes for those that only node 0 sees.
const unknown = -1

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

// missed makes the error of a meeting that timed out.
func (m *Member) missed(nodes []int, after time.Duration) error {
	if slices.Contains(nodes, unknown) {
		nodes = m.notArrived()
	}
	e := &MissingError{After: after, Ranks: m.config.Nodes * m.config.RanksPerHost}
	for _, node := range nodes {
		for local := range m.config.RanksPerHost {
			e.Missing = append(e.Missing, Participant{node*m.config.RanksPerHost + local, m.hostOf(node)})
		}
	}
	return e
}

// notArrived asks etcd which nodes are behind this one, now that it matters. Where all have come
// it is node 0 that did not say so.
func (m *Member) notArrived() []int {
	ctx, cancel := context.WithTimeout(context.Background(), tryTimeout)
	defer cancel()
	found, err := m.client.Get(ctx, m.prefix+"arrive/", clientv3.WithPrefix())
	if err != nil {
		return []int{0}
	}
	epochs := map[string]uint64{}
	for _, kv := range found.Kvs {
		epochs[string(kv.Key)] = epochOf(kv.Value)
	}
	here := epochs[m.arriveKey(m.config.NodeRank)]
	nodes := slices.DeleteFunc(m.nodes()[1:], func(node int) bool { return epochs[m.arriveKey(node)] >= here })
	if len(nodes) == 0 {
		return []int{0}
	}
	return nodes
}

// hostOf names a node as well as it is known.
func (m *Member) hostOf(node int) string {
	if value, present := m.board.get(m.hostKey(node)); present {
		return hostName(value)
	}
	return fmt.Sprintf("node %d, not joined", node)
}
