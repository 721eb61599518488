package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/epperf/epperf/go/internal/rendezvous"
	"github.com/epperf/epperf/go/internal/session"
	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

// simulate runs launchers as goroutines.
func simulate(ctx context.Context, endpoint string, of job) (result, error) {
	meetNS, barrierNS := make([]int64, of.launchers), make([][]int64, of.launchers*of.ranks)
	all, ctx := errgroup.WithContext(ctx)
	for node := range of.launchers {
		all.Go(func() error {
			began := time.Now()
			member, err := join(ctx, endpoint, of, node)
			if err != nil {
				return err
			}
			defer member.Close(ctx)
			if _, err := member.Hosts(ctx); err != nil {
				return err
			}
			meetNS[node] = time.Since(began).Nanoseconds()
			own := barrierNS[node*of.ranks : (node+1)*of.ranks]
			return host(ctx, member, own, of.times)
		})
	}
	err := all.Wait()
	return result{meetNS, slices.Concat(barrierNS...)}, err
}

func join(ctx context.Context, endpoint string, of job, node int) (*rendezvous.Member, error) {
	return rendezvous.Join(ctx, rendezvous.Config{
		Endpoints: []string{endpoint}, RunID: "benchmark", Nodes: of.launchers, NodeRank: node, RanksPerHost: of.ranks,
		Entry: &epperfv1.HostEntry{NodeRank: uint32(node), Host: &epperfv1.Host{Name: fmt.Sprint("host-", node)}},
	})
}

// host leads one host's ranks through the barriers and one more, after which all may leave.
func host(ctx context.Context, member *rendezvous.Member, barrierNS [][]int64, times int) error {
	came := make(chan *epperfv1.Barrier)
	peers := make([]*session.Peer, len(barrierNS))
	all, ctx := errgroup.WithContext(ctx)
	for local := range barrierNS {
		peer, file, err := session.Pair()
		if err != nil {
			return err
		}
		conn, err := session.NewConn(file)
		file.Close()
		if err != nil {
			return err
		}
		defer peer.Close()
		peers[local] = peer
		all.Go(func() error {
			defer conn.Close()
			var err error
			barrierNS[local], err = passBarriers(ctx, conn, times)
			return err
		})
		all.Go(func() error {
			for range times {
				message, err := peer.Receive()
				if err != nil {
					return err
				}
				select {
				case came <- message.GetBarrier():
				case <-ctx.Done():
					return context.Cause(ctx)
				}
			}
			return nil
		})
	}
	all.Go(func() error {
		var barrier *epperfv1.Barrier
		for range times {
			for range peers {
				select {
				case barrier = <-came:
				case <-ctx.Done():
					return context.Cause(ctx)
				}
			}
			if err := member.Barrier(ctx, barrier.GetName(), barrier.GetEpoch()); err != nil {
				return err
			}
			for _, peer := range peers {
				if err := peer.Barrier(barrier); err != nil {
					return err
				}
			}
		}
		return member.Barrier(ctx, "finished", uint64(times)+1)
	})
	return all.Wait()
}

// passBarriers is a rank: it comes to one barrier after the other and returns how long each took.
func passBarriers(ctx context.Context, conn *session.Conn, times int) ([]int64, error) {
	tookNS := make([]int64, times)
	for i := range tookNS {
		began := time.Now()
		if err := conn.Barrier(ctx, "benchmark"); err != nil {
			return nil, err
		}
		tookNS[i] = time.Since(began).Nanoseconds()
	}
	return tookNS, nil
}
