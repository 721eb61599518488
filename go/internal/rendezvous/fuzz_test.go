package rendezvous

import (
	"context"
	"testing"

	"go.etcd.io/etcd/api/v3/mvccpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/protobuf/proto"

	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

// deaf is an etcd that answers nothing.
type deaf struct{ clientv3.KV }

func (deaf) Put(context.Context, string, string, ...clientv3.OpOption) (*clientv3.PutResponse, error) {
	return nil, rpctypes.ErrPermissionDenied
}

func (deaf) Txn(context.Context) clientv3.Txn { return deafTxn{} }

type deafTxn struct{ clientv3.Txn }

func (t deafTxn) If(...clientv3.Cmp) clientv3.Txn        { return t }
func (t deafTxn) Then(...clientv3.Op) clientv3.Txn       { return t }
func (t deafTxn) Commit() (*clientv3.TxnResponse, error) { return nil, rpctypes.ErrPermissionDenied }

// Whatever launchers of a run find at its keys, they read it or say what is wrong; nothing panics.
func FuzzKeys(f *testing.F) {
	for key, message := range map[string]proto.Message{
		"arrive/host/1":    &epperfv1.HostEntry{NodeRank: 1, Host: &epperfv1.Host{Name: "node-b"}, BuildId: "b"},
		"arrive/host/x":    &epperfv1.HostEntry{},
		"all/barrier":      &epperfv1.Barrier{Name: "connected", Epoch: 1},
		"arrive/barrier/1": &epperfv1.Barrier{Name: "connected", Epoch: 1},
		"all/abort":        &epperfv1.LauncherAbort{NodeRank: 1 << 31, Reason: "rank 5 died"},
		"arrive/part/1":    &epperfv1.PartEnd{Chunks: 1},
		"all/host/0":       &epperfv1.Announcement{Number: 1, Said: [][]byte{{}, {}}, Last: true},
		"arrive/blobs/1":   &epperfv1.Blobs{Name: "connect", Data: [][]byte{{1}, {2}}},
	} {
		value, err := proto.Marshal(message)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(key, value, true)
		f.Add(key, value, false)
		f.Add(key, append(value, 0xff), true)
	}
	f.Fuzz(func(t *testing.T, key string, value []byte, present bool) {
		for node := range 2 {
			m := &Member{config: Config{RunID: "r1", Nodes: 2, NodeRank: node, RanksPerHost: 2}, prefix: root + "r1/", board: newBoard()}
			m.client = &clientv3.Client{KV: deaf{}}
			m.lost, m.lose = context.WithCancelCause(context.Background())
			defer m.lose(nil)
			m.apply(&mvccpb.KeyValue{Key: []byte(m.hostKey(0)), ModRevision: 1}, true)
			m.apply(&mvccpb.KeyValue{Key: []byte(m.prefix + key), Value: value, ModRevision: 2}, true)
			m.apply(&mvccpb.KeyValue{Key: []byte(m.prefix + key), Value: value, ModRevision: 3}, present)
			if m.Err() != nil && m.Err().Error() == "" {
				t.Error("lost for no reason")
			}
			over, cancel := context.WithCancel(context.Background())
			cancel()
			if _, err := m.Hosts(over); err != nil && err.Error() == "" {
				t.Error("no hosts for no reason")
			}
			if _, err := m.Exchange(over, "connect", make([][]byte, 2)); err != nil && err.Error() == "" {
				t.Error("no blobs for no reason")
			}
			if m.hostOf(1) == "" {
				t.Error("a node without a name")
			}
			if err := m.Barrier(over, "connected", 1); err != nil && err.Error() == "" {
				t.Error("no barrier for no reason")
			}
		}
	})
}
