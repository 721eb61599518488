// Package rendezvous is how the launchers of a run meet in etcd: one claims the run, all enter
// their hosts, exchange their ranks' blobs, wait for each other, and learn when one is lost.
//
// All keys of a run lie below /epperf/<run id>/, every one under its launcher's lease, so that
// what a dead launcher leaves expires. What launchers say to node 0 lies below arrive/, where it alone watches; what it
// tells all, below all/, where everyone does; what nobody watches, elsewhere:
//
//	run                  node 0's claim: who runs this
//	arrive/host/<n>      HostEntry of node n; its deletion says that the host is lost
//	arrive/blobs/<n>     Blobs of node n's ranks in the last exchange
//	arrive/barrier/<n>   the last barrier that node n reached
//	arrive/part/<n>      PartEnd: node n's part is complete
//	all/first            HostEntry of node 0; its deletion says that node 0 is lost
//	all/host/<i>         Announcement: all entries, in chunks
//	all/blobs/<i>        Announcement: all blobs of the last exchange, in chunks
//	all/barrier          the last barrier that everyone reached
//	all/gathered         how often node 0 had all parts
//	all/abort            LauncherAbort: why the run is over, or who is lost
//	part/<n>/<g>/<i>     PartChunk: some of what node n's ranks reported, for the g-th gathering
//
// So a meeting of n launchers takes n messages to node 0 and one key that n read, not n times n. Each launcher opens
// one watch when it joins and keeps it: a watch opened later would wait up to 100 ms for the server to bring it
// up to date. Nothing here is called inside an iteration.
package rendezvous

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
	"google.golang.org/grpc"
	"google.golang.org/grpc/grpclog"
	"google.golang.org/protobuf/proto"

	"github.com/epperf/epperf/go/internal/plan"
	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

const (
	// root holds the keys of all runs.
	root = "/epperf/"
	// leaseTTL is how long a silent launcher counts as alive. A cluster's leader change takes
	// up to 2 s; a launcher must outlive it.
	leaseTTL = 5 * time.Second
	// windowBytes is how much may be on its way in a connection: some chunks of a part.
	windowBytes = 2 << 20
)

// A Config says which run to join, and as whom.
type Config struct {
	Endpoints []string
	TLS       *tls.Config // nil: plain text
	RunID     string
	// Nodes is how many launchers meet; this one is number NodeRank of them.
	Nodes, NodeRank int
	RanksPerHost    int
	// Entry is what the others learn of this host.
	Entry *epperfv1.HostEntry
}

// A Member is one launcher's part in a run. Exchange, Barrier, Give and Gather come from one goroutine at a
// time, and every launcher makes the same ones in the same order.
type Member struct {
	config Config
	prefix string // of the run's keys, with a slash at the end
	client *clientv3.Client
	lease  clientv3.LeaseID
	board  *board

	exchanges, gatherings int // made so far

	// lost is done once the run cannot go on; its cause says why.
	lost context.Context
	lose context.CancelCauseFunc
	// stop ends the goroutines, done waits for them.
	stop   context.CancelFunc
	done   sync.WaitGroup
	closed sync.Once
}

// What goes wrong comes back as an error: whatever GRPC_GO_LOG_* say, gRPC prints nothing. It wants to be
// told before anything else of it runs.
func init() { grpclog.SetLoggerV2(grpclog.NewLoggerV2(io.Discard, io.Discard, io.Discard)) }

// Join enters a run: node 0 claims its id, every launcher its place in it. It waits for nobody.
// A run or place that someone holds already is a *ClaimedError.
func Join(ctx context.Context, config Config) (*Member, error) {
	if !plan.RunID.MatchString(config.RunID) {
		return nil, fmt.Errorf("join run %q: an id has %s", config.RunID, plan.RunIDForm)
	}
	client, err := clientv3.New(clientv3.Config{
		Endpoints:            config.Endpoints,
		TLS:                  config.TLS,
		DialTimeout:          tryTimeout,
		DialKeepAliveTime:    leaseTTL,
		DialKeepAliveTimeout: leaseTTL,
		Logger:               zap.NewNop(), // errors are returned, not logged
		// Windows of a fixed size: else gRPC sends a ping after each message to learn a better one.
		// It is inside the cluster, so what HTTPS_PROXY names is not on the way to it.
		DialOptions: []grpc.DialOption{
			grpc.WithNoProxy(),
			grpc.WithStaticStreamWindowSize(windowBytes), grpc.WithStaticConnWindowSize(windowBytes),
		},
	})
	if err != nil {
		return nil, fmt.Errorf("join run %q: %w", config.RunID, err)
	}
	alive, stop := context.WithCancel(context.Background())
	m := &Member{
		config: config,
		prefix: root + config.RunID + "/",
		client: client,
		board:  newBoard(),
		stop:   stop,
	}
	m.lost, m.lose = context.WithCancelCause(context.Background())
	if err := m.enter(ctx, alive); err != nil {
		closing, cancel := context.WithTimeout(context.Background(), tryTimeout)
		defer cancel()
		m.leave(closing) // the error that counts is err
		return nil, fmt.Errorf("join run %q: %w", config.RunID, err)
	}
	return m, nil
}

// enter takes the lease and opens the watch, at once, and then claims. The goroutines last as long as alive.
func (m *Member) enter(ctx, alive context.Context) error {
	type opened struct {
		events clientv3.WatchChan
		err    error
	}
	opening := make(chan opened, 1)
	m.done.Go(func() {
		events, err := m.watch(ctx, alive)
		opening <- opened{events, err}
	})
	if err := m.keepLease(ctx, alive); err != nil {
		return err
	}
	watch := <-opening
	if watch.err != nil {
		return watch.err
	}
	if err := m.claim(ctx); err != nil {
		return err
	}
	m.done.Go(func() { m.follow(alive, watch.events) })
	return nil
}

// keepLease makes this launcher's lease and renews it from now on.
func (m *Member) keepLease(ctx, alive context.Context) error {
	err := retry(ctx, "take a lease", func(ctx context.Context) error {
		grant, err := m.client.Grant(ctx, int64(leaseTTL/time.Second))
		if err == nil {
			m.lease = grant.ID
		}
		return err
	})
	if err != nil {
		return m.unreachable(err)
	}
	renewed, err := m.client.KeepAlive(alive, m.lease)
	if err != nil {
		return fmt.Errorf("renew the lease: %w", err)
	}
	m.done.Go(func() {
		for range renewed {
		}
		if alive.Err() == nil {
			m.lose(&EtcdLostError{Endpoints: m.config.Endpoints})
		}
	})
	return nil
}

// unreachable adds to the error of a first operation what may be the reason: of a server that
// refuses a client's certificate, the client only sees that it does not answer.
func (m *Member) unreachable(err error) error {
	if !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return &UnreachableError{m.config.Endpoints, err}
}

// An UnreachableError says that etcd never answered.
type UnreachableError struct {
	Endpoints []string
	Err       error
}

func (e *UnreachableError) Error() string {
	return fmt.Sprintf("etcd at %s: %v; does it run there, and does it want --etcd-ca, --etcd-cert and --etcd-key?",
		strings.Join(e.Endpoints, ", "), e.Err)
}

// Unwrap returns how it did not answer.
func (e *UnreachableError) Unwrap() error { return e.Err }

// hostName reads a host entry's name.
func hostName(entry []byte) string {
	var e epperfv1.HostEntry
	if err := proto.Unmarshal(entry, &e); err != nil || e.GetHost().GetName() == "" {
		return "an unnamed host"
	}
	return e.GetHost().GetName()
}

func (m *Member) releasedKey() string                 { return m.prefix + "all/barrier" }
func (m *Member) abortKey() string                    { return m.prefix + "all/abort" }
func (m *Member) saidBelow(kind string) string        { return m.prefix + "arrive/" + kind + "/" }
func (m *Member) sayKey(kind string, node int) string { return m.saidBelow(kind) + strconv.Itoa(node) }

// hostKey is where a launcher's entry is. All have to see whether node 0, who tells them of others, is there.
func (m *Member) hostKey(node int) string {
	if node == 0 {
		return m.prefix + "all/first"
	}
	return m.sayKey(sayHost, node)
}

// nodeOf returns whose entry a key is, if any's.
func (m *Member) nodeOf(key string) (int, bool) {
	if key == m.hostKey(0) {
		return 0, true
	}
	number, is := strings.CutPrefix(key, m.saidBelow(sayHost))
	node, err := strconv.Atoi(number)
	return node, is && err == nil
}

// Close leaves the run and removes what this launcher wrote; node 0 removes all that is left
// below the run's prefix. After a run that went well, call it when all have met at its end.
// Later calls do nothing.
func (m *Member) Close(ctx context.Context) error {
	var err error
	m.closed.Do(func() { err = m.close(ctx) })
	if err != nil {
		return fmt.Errorf("leave run %q: %w", m.config.RunID, err)
	}
	return nil
}

func (m *Member) close(ctx context.Context) error {
	m.stop() // what follows is no news
	m.done.Wait()
	if m.etcdLost() {
		m.lease = clientv3.NoLease // it has ended, and all keys with it
		return m.leave(ctx)
	}
	var err error
	if m.config.NodeRank == 0 {
		err = retry(ctx, "remove the run's keys", func(ctx context.Context) error {
			_, err := m.client.Delete(ctx, m.prefix, clientv3.WithPrefix())
			return err
		})
	}
	return errors.Join(err, m.leave(ctx))
}

// leave gives the lease back, and all keys with it, and ends the goroutines.
func (m *Member) leave(ctx context.Context) error {
	m.stop()
	var err error
	if m.lease != clientv3.NoLease {
		_, err = m.client.Revoke(ctx, m.lease) // not retried: it ends by itself
		// Node 0 may run the etcd, which ends when it has seen all others leave: then nobody is left to say so.
		if m.config.NodeRank != 0 {
			err = nil
		}
	}
	err = errors.Join(err, m.client.Close())
	m.done.Wait()
	m.lose(context.Canceled)
	return err
}
