package rendezvous_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/epperf/epperf/go/internal/rendezvous"
	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

// result makes an entry of some 100 KiB, so that a part has several chunks.
func result(rank int) *epperfv1.Entry {
	return &epperfv1.Entry{Kind: &epperfv1.Entry_Result{
		Result: &epperfv1.RankResult{Rank: uint32(rank), Error: strings.Repeat("x", 100<<10)},
	}}
}

func TestPartsReachNodeZeroInOrder(t *testing.T) {
	endpoint := serve(t)
	members := joinAll(t, endpoint, "r1", 3)
	ctx := within(t, 20*time.Second)
	var got []string
	for n, err := range each(members, func(n int, m *rendezvous.Member) error {
		if n > 0 {
			var entries []*epperfv1.Entry
			for i := range 20 * (n - 1) { // node 1 has nothing to give
				entries = append(entries, result(i))
			}
			err := m.Give(ctx, entries)
			return errors.Join(err, m.Close(ctx))
		}
		return m.Gather(ctx, func(node int, entry *epperfv1.Entry) error {
			got = append(got, fmt.Sprint(node, "/", entry.GetResult().GetRank()))
			return nil
		})
	}) {
		if err != nil {
			t.Errorf("node %d: %v", n, err)
		}
	}
	if len(got) != 20 || got[0] != "2/0" || got[19] != "2/19" {
		t.Errorf("gathered %v", got)
	}
}

// What is given for the second time is not what was given for the first.
func TestPartsAreGivenAgain(t *testing.T) {
	members := joinAll(t, serve(t), "r1", 3)
	ctx := within(t, 20*time.Second)
	var got []uint32
	for n, err := range each(members, func(n int, m *rendezvous.Member) error {
		for round := range 3 {
			if n > 0 {
				if err := m.Give(ctx, []*epperfv1.Entry{result(10*n + round)}); err != nil {
					return err
				}
				continue
			}
			if err := m.Gather(ctx, func(_ int, entry *epperfv1.Entry) error {
				got = append(got, entry.GetResult().GetRank())
				return nil
			}); err != nil {
				return err
			}
		}
		return nil
	}) {
		if err != nil {
			t.Errorf("node %d: %v", n, err)
		}
	}
	if want := []uint32{10, 20, 11, 21, 12, 22}; !slices.Equal(got, want) {
		t.Errorf("gathered %v, want %v", got, want)
	}
}

func TestChunksFitIntoOneRequest(t *testing.T) {
	endpoint := serve(t)
	members := joinAll(t, endpoint, "r1", 2)
	client, err := clientv3.New(clientv3.Config{Endpoints: []string{endpoint}})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	go func() { // once it is all there
		for range client.Watch(ctx, "/epperf/r1/arrive/part/1", clientv3.WithRev(1)) {
			cancel()
		}
	}()
	entries := make([]*epperfv1.Entry, 20)
	for i := range entries {
		entries[i] = result(i)
	}
	if err := members[1].Give(ctx, entries); err == nil {
		t.Error("nobody gathered, and yet the part was given")
	}
	parts, err := client.Get(within(t, 10*time.Second), "/epperf/r1/part/1/", clientv3.WithPrefix())
	if err != nil || len(parts.Kvs) != 4 {
		t.Fatalf("%d chunks of 5 entries each, want 4; %v", len(parts.Kvs), err)
	}
	for _, kv := range parts.Kvs {
		if len(kv.Value) > 512<<10 {
			t.Errorf("a chunk of %d bytes", len(kv.Value))
		}
	}
}

func TestLostPartIsNamed(t *testing.T) {
	members := joinAll(t, serve(t), "r1", 2)
	ctx := within(t, 10*time.Second)
	if _, err := members[0].Hosts(ctx); err != nil {
		t.Fatal(err)
	}
	if err := members[1].Close(ctx); err != nil {
		t.Fatal(err)
	}
	err := members[0].Gather(ctx, func(int, *epperfv1.Entry) error { return nil })
	if err == nil || !strings.HasPrefix(err.Error(), "gather the part of node 1") {
		t.Errorf("got %v", err)
	}
}
