package rendezvous

import (
	"bytes"
	"context"
	"fmt"
	"testing"
	"time"

	"go.etcd.io/etcd/api/v3/mvccpb"
	"google.golang.org/protobuf/proto"

	"github.com/epperf/epperf/go/internal/rendezvous/embedded"
	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

// What was said comes back whole and in order, once its last chunk is there, however large it is.
func TestAnnouncementsAreReadOnceComplete(t *testing.T) {
	said := make([][]byte, 6)
	for node := range said {
		said[node] = bytes.Repeat([]byte{byte(node)}, node*maxChunkBytes/4)
	}
	chunks := announced(2, said)
	if len(chunks) < 4 {
		t.Fatalf("%d chunks", len(chunks))
	}
	m := &Member{config: Config{Nodes: len(said), NodeRank: 1}, board: newBoard()}
	for number := 1; number <= 2; number++ { // the second is over what the first left
		for i, chunk := range announced(number, said) {
			if m.told("blobs", number) != nil {
				t.Fatalf("told before chunk %d", i)
			}
			value, err := proto.Marshal(chunk)
			if err != nil || len(value) > maxChunkBytes && len(chunk.GetSaid()) > 1 {
				t.Fatalf("a chunk of %d bytes, %v", len(value), err)
			}
			m.apply(&mvccpb.KeyValue{Key: []byte(m.announceKey("blobs", i)), Value: value, ModRevision: int64(10*number + i)}, true)
		}
		got := m.told("blobs", number)
		if len(got) != len(said) {
			t.Fatalf("told of %d", len(got))
		}
		for node := range said {
			if !bytes.Equal(got[node], said[node]) {
				t.Errorf("node %d said %d bytes, not %d", node, len(got[node]), len(said[node]))
			}
		}
	}
}

// What a launcher reads does not grow with their number: node 0 reads for them.
func TestLaunchersReadTheSameHoweverManyThereAre(t *testing.T) {
	server, err := embedded.Start(t.Context(), embedded.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	read := map[int]int{}
	for _, nodes := range []int{2, 12} {
		members := make([]*Member, nodes)
		ended := make(chan error, nodes)
		for node := range members {
			members[node], err = Join(ctx, Config{
				Endpoints: []string{server.Endpoint()}, RunID: fmt.Sprint("r", nodes), Nodes: nodes, NodeRank: node,
				Entry: &epperfv1.HostEntry{NodeRank: uint32(node)},
			})
			if err != nil {
				t.Fatal(err)
			}
			defer members[node].Close(ctx)
		}
		for _, m := range members {
			go func() {
				_, err := m.Hosts(ctx)
				if err == nil {
					_, err = m.Exchange(ctx, "connect", nil)
				}
				if err == nil {
					err = m.Barrier(ctx, "connected", 1)
				}
				ended <- err
			}()
		}
		for range members {
			if err := <-ended; err != nil {
				t.Error(err)
			}
		}
		board := members[1].board
		board.mu.Lock()
		read[nodes] = len(board.entries)
		board.mu.Unlock()
	}
	if read[2] != read[12] {
		t.Errorf("read so many keys: %v", read)
	}
}
