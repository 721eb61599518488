package rendezvous_test

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/goleak"

	"github.com/epperf/epperf/go/internal/rendezvous"
	"github.com/epperf/epperf/go/internal/rendezvous/embedded"
	"github.com/epperf/epperf/go/internal/rendezvous/etcdtest"
	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

func TestMain(m *testing.M) {
	etcdtest.MainOfMember()
	goleak.VerifyTestMain(m)
}

func serve(t *testing.T) string {
	t.Helper()
	server, err := embedded.Start(within(t, 30*time.Second), embedded.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Close() })
	return server.Endpoint()
}

func within(t *testing.T, limit time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	t.Cleanup(cancel)
	return ctx
}

// node describes node n of a run of two ranks a host; hosts are named node-a, node-b, ...
func node(endpoint, run string, nodes, n int) rendezvous.Config {
	return rendezvous.Config{
		Endpoints: []string{endpoint}, RunID: run, Nodes: nodes, NodeRank: n, RanksPerHost: 2,
		Entry: &epperfv1.HostEntry{
			NodeRank: uint32(n),
			Host:     &epperfv1.Host{Name: "node-" + string(rune('a'+n))},
		},
	}
}

func join(t *testing.T, config rendezvous.Config) *rendezvous.Member {
	t.Helper()
	member, err := rendezvous.Join(within(t, 10*time.Second), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { member.Close(within(t, 5*time.Second)) })
	return member
}

// joinAll joins the last node first: nobody depends on the order.
func joinAll(t *testing.T, endpoint, run string, nodes int) []*rendezvous.Member {
	t.Helper()
	members := make([]*rendezvous.Member, nodes)
	for n := nodes - 1; n >= 0; n-- {
		members[n] = join(t, node(endpoint, run, nodes, n))
	}
	return members
}

// each calls do for every member at once and returns their errors.
func each(members []*rendezvous.Member, do func(n int, m *rendezvous.Member) error) []error {
	errs := make([]error, len(members))
	var all sync.WaitGroup
	for n, member := range members {
		all.Go(func() { errs[n] = do(n, member) })
	}
	all.Wait()
	return errs
}

func TestLaunchersMeet(t *testing.T) {
	members := joinAll(t, serve(t), "r1", 3)
	ctx := within(t, 20*time.Second)
	for n, err := range each(members, func(n int, m *rendezvous.Member) error {
		hosts, err := m.Hosts(ctx)
		if err != nil {
			return err
		}
		for i, host := range hosts {
			if host.GetNodeRank() != uint32(i) {
				t.Errorf("node %d: host %d has node rank %d", n, i, host.GetNodeRank())
			}
		}
		for round := range 3 {
			mine := [][]byte{fmt.Append(nil, 2*n, round), fmt.Append(nil, 2*n+1, round)}
			blobs, err := m.Exchange(ctx, "connect", mine)
			if err != nil {
				return err
			}
			for rank := range 6 {
				if want := fmt.Sprint(rank, round); string(blobs[rank]) != want {
					t.Errorf("node %d: blob %d is %q, want %q", n, rank, blobs[rank], want)
				}
			}
		}
		for epoch := uint64(1); epoch <= 50; epoch++ {
			if err := m.Barrier(ctx, "check", epoch); err != nil {
				return err
			}
		}
		return nil
	}) {
		if err != nil {
			t.Errorf("node %d: %v", n, err)
		}
	}
}

// Nobody may leave a barrier before the last has come, however the others hurry.
func TestBarrierHoldsUntilTheLastHasCome(t *testing.T) {
	members := joinAll(t, serve(t), "r1", 3)
	ctx := within(t, 20*time.Second)
	const rounds = 30
	var mu sync.Mutex
	arrived := map[uint64]int{}
	for n, err := range each(members, func(_ int, m *rendezvous.Member) error {
		for epoch := uint64(1); epoch <= rounds; epoch++ {
			mu.Lock()
			arrived[epoch]++
			mu.Unlock()
			if err := m.Barrier(ctx, "b", epoch); err != nil {
				return err
			}
			mu.Lock()
			if arrived[epoch] != 3 {
				t.Errorf("epoch %d released after %d of 3", epoch, arrived[epoch])
			}
			mu.Unlock()
		}
		return nil
	}) {
		if err != nil {
			t.Errorf("node %d: %v", n, err)
		}
	}
}

func TestMissingParticipantsAreNamed(t *testing.T) {
	endpoint := serve(t)
	for name, test := range map[string]struct {
		absent int
		wait   func(context.Context, *rendezvous.Member) error
		want   string
	}{
		"barrier":              {1, func(ctx context.Context, m *rendezvous.Member) error { return m.Barrier(ctx, "connected", 1) }, `barrier "connected": 4 of 6 ranks after #; missing 2 (node-b), 3 (node-b)`},
		"barrier, node 0 away": {0, func(ctx context.Context, m *rendezvous.Member) error { return m.Barrier(ctx, "connected", 1) }, `barrier "connected": 4 of 6 ranks after #; missing 0 (node-a), 1 (node-a)`},
		"exchange": {2, func(ctx context.Context, m *rendezvous.Member) error {
			_, err := m.Exchange(ctx, "connect", make([][]byte, 2))
			return err
		}, `exchange "connect": 4 of 6 ranks after #; missing 4 (node-c), 5 (node-c)`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			members := joinAll(t, endpoint, fmt.Sprintf("r-%d", len(name)), 3)
			ctx := within(t, time.Second)
			for n, err := range each(members, func(n int, m *rendezvous.Member) error {
				if n == test.absent {
					return nil
				}
				return test.wait(ctx, m)
			}) {
				if n == test.absent {
					continue
				}
				var missing *rendezvous.MissingError
				if !errors.As(err, &missing) || masked(err) != test.want {
					t.Errorf("node %d: %v\nwant %s", n, err, test.want)
				}
			}
		})
	}
}

var duration = regexp.MustCompile(`after [0-9.]+m?s`)

// masked returns an error's text without how long it took.
func masked(err error) string { return duration.ReplaceAllString(err.Error(), "after #") }

func TestLauncherThatNeverJoinedIsNamed(t *testing.T) {
	member := join(t, node(serve(t), "r1", 2, 0))
	_, err := member.Hosts(within(t, 100*time.Millisecond))
	if want := "missing 2 (node 1, not joined), 3 (node 1, not joined)"; err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("got %v, want an error with %q", err, want)
	}
}

func TestSecondClaimIsRefused(t *testing.T) {
	endpoint := serve(t)
	joinAll(t, endpoint, "r1", 2)
	for n, want := range map[int]string{
		0: `run "r1" is going on, started on node-a`,
		1: `node 1 of run "r1" is taken by node-b`,
	} {
		_, err := rendezvous.Join(within(t, 5*time.Second), node(endpoint, "r1", 2, n))
		var claimed *rendezvous.ClaimedError
		if !errors.As(err, &claimed) || !strings.Contains(err.Error(), want) {
			t.Errorf("node %d: got %v, want a ClaimedError with %q", n, err, want)
		}
	}
	join(t, node(endpoint, "r2", 2, 0)) // another run is free
}

func TestRunIDsAreOneLevelOfKeys(t *testing.T) {
	for _, id := range []string{"", "a/b", "../x", "-", strings.Repeat("a", 129)} {
		if _, err := rendezvous.Join(t.Context(), node("127.0.0.1:1", id, 1, 0)); err == nil {
			t.Errorf("run id %q was accepted", id)
		}
	}
}

func TestCloseRemovesTheRunsKeysAndNoOthers(t *testing.T) {
	endpoint := serve(t)
	client, err := clientv3.New(clientv3.Config{Endpoints: []string{endpoint}})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	ctx := within(t, 10*time.Second)
	foreign := []string{"/epperf/r10/run", "/epperf/r", "/epperf/r2/run", "/nixl/agents/x", "nixl"}
	for _, key := range foreign {
		if _, err := client.Put(ctx, key, "theirs"); err != nil {
			t.Fatal(err)
		}
	}
	members := joinAll(t, endpoint, "r1", 2)
	for _, err := range each(members, func(n int, m *rendezvous.Member) error {
		if _, err := m.Exchange(ctx, "connect", make([][]byte, 2)); err != nil {
			return err
		}
		if err := m.Barrier(ctx, "finished", 1); err != nil {
			return err
		}
		return m.Close(ctx)
	}) {
		if err != nil {
			t.Error(err)
		}
	}
	left, err := client.Get(ctx, "", clientv3.WithPrefix())
	if err != nil {
		t.Fatal(err)
	}
	if len(left.Kvs) != len(foreign) {
		t.Errorf("%d keys left, want the %d foreign ones: %v", len(left.Kvs), len(foreign), left.Kvs)
	}
}

// Node 0 may run the etcd, and end it when the others' entries are gone, before they hear that they are.
func TestOthersThanNodeZeroLeaveAlsoWhereNobodyAnswers(t *testing.T) {
	t.Parallel()
	server, err := embedded.Start(within(t, 30*time.Second), embedded.Config{})
	if err != nil {
		t.Fatal(err)
	}
	members := joinAll(t, server.Endpoint(), "r1", 2)
	if err := server.Close(); err != nil {
		t.Fatal(err)
	}
	if err := members[1].Close(within(t, 200*time.Millisecond)); err != nil {
		t.Errorf("node 1: %v", err)
	}
	if err := members[0].Close(within(t, 200*time.Millisecond)); err == nil {
		t.Error("node 0 left keys behind and does not say so")
	}
}

func TestAbortReachesAllWaiting(t *testing.T) {
	members := joinAll(t, serve(t), "r1", 3)
	ctx := within(t, 10*time.Second)
	var took time.Duration
	for n, err := range each(members, func(n int, m *rendezvous.Member) error {
		if n == 2 {
			started := time.Now()
			err := m.Abort(ctx, "rank 5 died")
			<-members[1].Lost()
			took = time.Since(started)
			<-m.Lost()
			return errors.Join(err, m.Abort(ctx, "another reason"), m.Err())
		}
		return m.Barrier(ctx, "connected", 1)
	}) {
		var abort *rendezvous.AbortError
		if !errors.As(err, &abort) || abort.Error() != "node 2 (node-c) ended the run: rank 5 died" {
			t.Errorf("node %d: got %v, want the first abort", n, err)
		}
	}
	t.Logf("abort seen after %v", took)
}

// There is nothing to wait for: what it would tell cannot be told.
func TestAbortDoesNotWaitForALostEtcd(t *testing.T) {
	t.Parallel()
	server, err := embedded.Start(within(t, 30*time.Second), embedded.Config{})
	if err != nil {
		t.Fatal(err)
	}
	member := join(t, node(server.Endpoint(), "r1", 2, 0))
	if err := server.Close(); err != nil {
		t.Fatal(err)
	}
	<-member.Lost()
	started := time.Now()
	err = member.Abort(within(t, 10*time.Second), "etcd is gone")
	var lost *rendezvous.EtcdLostError
	if took := time.Since(started); !errors.As(err, &lost) || took > time.Second {
		t.Errorf("after %v: %v", took, err)
	}
}

// Node 0 alone sees it; all say the same.
func TestLauncherThatLeavesIsNamed(t *testing.T) {
	members := joinAll(t, serve(t), "r1", 3)
	ctx := within(t, 10*time.Second)
	if err := members[1].Close(ctx); err != nil {
		t.Fatal(err)
	}
	for n, err := range each(members, func(n int, m *rendezvous.Member) error {
		if n == 1 {
			return nil
		}
		err := m.Barrier(ctx, "connected", 1)
		return errors.Join(err, m.Abort(ctx, "its barrier failed")) // the others know already
	}) {
		var lost *rendezvous.HostLostError
		if n != 1 && (!errors.As(err, &lost) || lost.Host != "node-b" || lost.Node != 1) {
			t.Errorf("node %d: got %v, want node-b lost", n, err)
		}
	}
}

func TestNodeZeroThatLeavesIsNamed(t *testing.T) {
	members := joinAll(t, serve(t), "r1", 2)
	ctx := within(t, 10*time.Second)
	if err := members[0].Close(ctx); err != nil {
		t.Fatal(err)
	}
	err := members[1].Barrier(ctx, "connected", 1)
	var lost *rendezvous.HostLostError
	if !errors.As(err, &lost) || lost.Host != "node-a" || lost.Node != 0 {
		t.Errorf("got %v, want node-a lost", err)
	}
}

// A launcher that was stopped for longer than its lease does not say of itself that it is gone.
func TestSilentLauncherIsToldSo(t *testing.T) {
	endpoint := serve(t)
	members := joinAll(t, endpoint, "r1", 2)
	client, err := clientv3.New(clientv3.Config{Endpoints: []string{endpoint}})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	ctx := within(t, 10*time.Second)
	entry, err := client.Get(ctx, "/epperf/r1/arrive/host/1")
	if err != nil || len(entry.Kvs) != 1 {
		t.Fatalf("%v, %v", entry, err)
	}
	if _, err := client.Revoke(ctx, clientv3.LeaseID(entry.Kvs[0].Lease)); err != nil {
		t.Fatal(err)
	}
	<-members[1].Lost()
	var lost *rendezvous.EtcdLostError
	if err := members[1].Err(); !errors.As(err, &lost) || !strings.Contains(err.Error(), "was it stopped") {
		t.Errorf("got %v", err)
	}
}

// Node 0 may release the others from the last barrier, leave, and remove all keys before they
// look.
func TestBarrierThatWasReachedStaysReached(t *testing.T) {
	members := joinAll(t, serve(t), "r1", 2)
	var missing *rendezvous.MissingError
	if err := members[1].Barrier(within(t, 300*time.Millisecond), "finished", 1); !errors.As(err, &missing) {
		t.Fatalf("got %v, want node 0 missing", err)
	}
	ctx := within(t, 10*time.Second)
	if err := errors.Join(members[0].Barrier(ctx, "finished", 1), members[0].Close(ctx)); err != nil {
		t.Fatal(err)
	}
	<-members[1].Lost()
	if err := members[1].Barrier(ctx, "finished", 1); err != nil {
		t.Error(err)
	}
}

func TestSilentServerIsReported(t *testing.T) {
	ctx := within(t, 300*time.Millisecond)
	_, err := rendezvous.Join(ctx, node("127.0.0.1:1", "r1", 1, 0))
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, want the deadline", err)
	}
}

func TestOneHostMeetsNobody(t *testing.T) {
	member := join(t, node(serve(t), "r1", 1, 0))
	ctx := within(t, 10*time.Second)
	if err := member.Barrier(ctx, "connected", 1); err != nil {
		t.Error(err)
	}
	blobs, err := member.Exchange(ctx, "connect", [][]byte{{1}, {2}})
	if err != nil || len(blobs) != 2 || blobs[1][0] != 2 {
		t.Errorf("blobs %v, %v", blobs, err)
	}
}
