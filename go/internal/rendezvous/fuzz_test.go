package rendezvous

import (
	"context"
	"testing"

	"google.golang.org/protobuf/proto"

	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

// Whatever launchers of a run find at its keys, they read it or say what is wrong; nothing panics.
func FuzzKeys(f *testing.F) {
	for key, message := range map[string]proto.Message{
		"all/host/1":      &epperfv1.HostEntry{NodeRank: 1, Host: &epperfv1.Host{Name: "node-b"}, BuildId: "b"},
		"all/host/x":      &epperfv1.HostEntry{},
		"all/released":    &epperfv1.Barrier{Name: "connected", Epoch: 1},
		"arrive/1":        &epperfv1.Barrier{Name: "connected", Epoch: 1},
		"all/abort":       &epperfv1.LauncherAbort{NodeRank: 1 << 31, Reason: "rank 5 died"},
		"announce/part/1": &epperfv1.PartEnd{Chunks: 1},
		"all/blobs/1/1":   &epperfv1.Blobs{Name: "connect", Data: [][]byte{{1}, {2}}},
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
		m := &Member{config: Config{RunID: "r1", Nodes: 2, RanksPerHost: 2}, prefix: root + "r1/", board: newBoard()}
		m.lost, m.lose = context.WithCancelCause(context.Background())
		defer m.lose(nil)
		m.apply(m.hostKey(0), entry{nil, 1, true})
		m.apply(m.prefix+key, entry{value, 2, true})
		m.apply(m.prefix+key, entry{value, 3, present})
		if m.Err() != nil && m.Err().Error() == "" {
			t.Error("lost for no reason")
		}
		over, cancel := context.WithCancel(context.Background())
		cancel()
		if _, err := m.Hosts(over); err != nil && err.Error() == "" {
			t.Error("no hosts for no reason")
		}
		if m.hostOf(1) == "" {
			t.Error("a node without a name")
		}
		m.epochAt(m.arriveKey(1))
		m.epochAt(m.releasedKey())
	})
}
