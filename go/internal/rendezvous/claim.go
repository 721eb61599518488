package rendezvous

import (
	"context"
	"fmt"

	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/protobuf/proto"
)

// claim creates this launcher's keys, which must not exist, and reads what was said before the watch.
func (m *Member) claim(ctx context.Context) error {
	entry, err := proto.Marshal(m.config.Entry)
	if err != nil {
		return err
	}
	keys := []string{m.hostKey(m.config.NodeRank)}
	values := []string{string(entry)}
	if m.config.NodeRank == 0 {
		keys = append([]string{m.prefix + "run"}, keys...)
		values = append([]string{m.config.Entry.GetHost().GetName()}, values...)
	}
	var absent []clientv3.Cmp
	var take, look []clientv3.Op
	for i, key := range keys {
		absent = append(absent, clientv3.Compare(clientv3.CreateRevision(key), "=", 0))
		take = append(take, clientv3.OpPut(key, values[i], clientv3.WithLease(m.lease)))
		look = append(look, clientv3.OpGet(key))
	}
	from, to := m.watched()
	read := clientv3.OpGet(from, clientv3.WithRange(to))
	return retry(ctx, fmt.Sprintf("claim node %d", m.config.NodeRank), func(ctx context.Context) error {
		answer, err := m.client.Txn(ctx).If(absent...).Then(append(take, read)...).Else(append(look, read)...).Commit()
		if err != nil {
			return err
		}
		for i, key := range keys {
			held := answer.Responses[i].GetResponseRange().GetKvs()
			if len(held) > 0 && clientv3.LeaseID(held[0].GetLease()) != m.lease { // else an earlier try got through although its answer did not
				return m.claimed(key, held[0].GetValue())
			}
		}
		for _, kv := range answer.Responses[len(keys)].GetResponseRange().GetKvs() {
			m.apply(kv, true)
		}
		return nil
	})
}

func (m *Member) claimed(key string, value []byte) error {
	e := &ClaimedError{RunID: m.config.RunID, Host: string(value)}
	if key == m.hostKey(m.config.NodeRank) {
		e.NodeRank, e.Host = &m.config.NodeRank, hostName(value)
	}
	return e
}

// A ClaimedError says that a run, or a place in it, is taken.
type ClaimedError struct {
	RunID string
	// NodeRank is the place that is taken, or absent where it is the run.
	NodeRank *int
	Host     string // of the holder
}

func (e *ClaimedError) Error() string {
	if e.NodeRank != nil {
		return fmt.Sprintf("node %d of run %q is taken by %s: give each launcher its own --node-rank, and wait %v if one was killed just now",
			*e.NodeRank, e.RunID, e.Host, leaseTTL)
	}
	return fmt.Sprintf("run %q is going on, started on %s: choose another --run-id or wait for its end, %v if it was killed just now",
		e.RunID, e.Host, leaseTTL)
}
