package rendezvous

import (
	"context"
	"errors"
	"fmt"
	"strings"

	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/protobuf/proto"

	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

// Lost is closed once the run cannot go on: another launcher ended it or is gone, or etcd is.
func (m *Member) Lost() <-chan struct{} { return m.lost.Done() }

// Err says why Lost is closed.
func (m *Member) Err() error { return context.Cause(m.lost) }

// Abort tells all launchers that the run is over. The first reason stays. Where etcd is lost it does
// not try: the others see that, too, and this launcher should not wait for nothing. Nor does it where the
// run was lost to another launcher, of which all are told.
func (m *Member) Abort(ctx context.Context, reason string) error {
	var ended *AbortError
	var gone *HostLostError
	switch err := m.Err(); {
	case m.etcdLost():
		return err
	case errors.As(err, &ended), errors.As(err, &gone):
		return nil
	}
	return m.abort(ctx, &epperfv1.LauncherAbort{
		NodeRank: uint32(m.config.NodeRank), Host: m.config.Entry.GetHost().GetName(), Reason: reason,
	})
}

func (m *Member) abort(ctx context.Context, why *epperfv1.LauncherAbort) error {
	value, err := proto.Marshal(why)
	if err != nil {
		return err
	}
	return retry(ctx, "abort the run", func(ctx context.Context) error {
		_, err := m.client.Txn(ctx).
			If(clientv3.Compare(clientv3.CreateRevision(m.abortKey()), "=", 0)).
			Then(clientv3.OpPut(m.abortKey(), string(value), clientv3.WithLease(m.lease))).
			Commit()
		return err
	})
}

// gone notes that a launcher's entry is. Node 0 alone sees those of others, and tells them.
func (m *Member) gone(node int, host string) {
	news := m.Err() == nil
	m.lose(m.hostLost(node, host))
	if m.config.NodeRank != 0 || node == 0 || !news {
		return // all see node 0's
	}
	ctx, cancel := context.WithTimeout(context.Background(), tryTimeout)
	defer cancel()
	// Whom this does not reach sees node 0's lease end.
	_ = m.abort(ctx, &epperfv1.LauncherAbort{NodeRank: uint32(node), Host: host, Gone: true})
}

func (m *Member) hostLost(node int, host string) error {
	if node == m.config.NodeRank {
		return &EtcdLostError{Endpoints: m.config.Endpoints, Answers: true}
	}
	return &HostLostError{Node: node, Host: host}
}

// aborted reads why a launcher ended the run, or that one is gone.
func (m *Member) aborted(value []byte) error {
	var abort epperfv1.LauncherAbort
	if err := proto.Unmarshal(value, &abort); err != nil {
		return fmt.Errorf("read why the run was ended: %w", err)
	}
	node := int(abort.GetNodeRank())
	if abort.GetGone() {
		return m.hostLost(node, abort.GetHost())
	}
	return &AbortError{Node: node, Host: abort.GetHost(), Reason: abort.GetReason()}
}

// An AbortError says which launcher ended the run, and why.
type AbortError struct {
	Node   int
	Host   string
	Reason string
}

func (e *AbortError) Error() string {
	return fmt.Sprintf("node %d (%s) ended the run: %s", e.Node, e.Host, e.Reason)
}

// etcdLost reports whether this launcher's lease has ended, and all its keys with it.
func (m *Member) etcdLost() bool {
	var lost *EtcdLostError
	return errors.As(m.Err(), &lost)
}

// An EtcdLostError says that this launcher's lease has ended.
type EtcdLostError struct {
	Endpoints []string
	// Answers: etcd does, and the others have gone on without this launcher.
	Answers bool
}

func (e *EtcdLostError) Error() string {
	at := strings.Join(e.Endpoints, ", ")
	if e.Answers {
		return fmt.Sprintf("this launcher was silent for %v, its lease in etcd at %s has ended, and the others miss it; was it stopped, or the network down?",
			leaseTTL, at)
	}
	return fmt.Sprintf("etcd at %s is out of reach for %v, and this launcher's lease has ended; does its server still run, or was this launcher stopped?",
		at, leaseTTL)
}

// A HostLostError says that a launcher left, or was silent for longer than its lease.
type HostLostError struct {
	Node int
	Host string
}

func (e *HostLostError) Error() string {
	return fmt.Sprintf("node %d (%s) is gone: its launcher ended or was silent for %v", e.Node, e.Host, leaseTTL)
}
