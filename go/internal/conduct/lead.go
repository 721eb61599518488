package conduct

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/epperf/epperf/go/internal/launch"
	"github.com/epperf/epperf/go/internal/plan"
	"github.com/epperf/epperf/go/internal/rendezvous"
	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

const (
	// leaveTimeout bounds the good-bye to etcd; what it does not remove, the lease does.
	leaveTimeout = 2 * time.Second
	// lastTimeout bounds how long node 0 serves its etcd to others, all of which have ended their run. After
	// a failure leaveTimeout does: they have been told.
	lastTimeout = 10 * time.Second
)

// lead starts the ranks and, while they start, enters the place where launchers meet; then it
// leads the ranks through the plan and gathers what they reported. When it returns, nothing that
// it started is left. Before ranks start which node 0 alone knows the first case of, begin is told it.
func (r Run) lead(ctx context.Context, config launch.Config, facts *epperfv1.Host, kept *outcome, begin func(first int)) (err error) {
	met := config.Met
	join := sync.OnceValues(func() (*meetingPlace, error) {
		bounded, cancel := context.WithTimeout(ctx, time.Duration(r.Plan.GetTimeoutNs()))
		defer cancel()
		place, err := r.enter(bounded, facts)
		if err == nil {
			met(joinedPoint)
		}
		return place, err
	})
	go join() // and below its results
	if r.sweeps() && r.Party.NodeRank > 0 {
		place, err := join()
		if err != nil {
			return err
		}
		config.FirstCase = place.first
		begin(place.first)
	}
	ranks, startErr := launch.Start(config)
	place, meetErr := join()
	if place != nil {
		defer func() { err = place.close(err) }()
	}
	if startErr != nil {
		return startErr
	}
	defer func() { err = errors.Join(err, ranks.Close()) }()
	if meetErr != nil {
		return meetErr
	}
	if place.server != nil {
		var cancel context.CancelFunc
		ctx, cancel = place.server.Bind(ctx)
		defer cancel()
	}
	launchers := &meeting{Member: place.member, run: r, kept: kept, tell: met}
	if err := ranks.Run(ctx, launchers); err != nil {
		return err
	}
	return r.gather(ctx, place.member, kept)
}

// A meetingPlace is this launcher's membership of the run, and the etcd server that it runs for
// it where there is none to share.
type meetingPlace struct {
	server *Server
	member *rendezvous.Member
	serves bool // others, whom it outlives
	first  int  // case, as node 0 said; asked for only by others in a sweep
}

// enter starts an etcd server unless there is one, and joins the run.
func (r Run) enter(ctx context.Context, facts *epperfv1.Host) (_ *meetingPlace, err error) {
	place := &meetingPlace{}
	defer func() {
		if err != nil {
			err = place.close(err)
		}
	}()
	endpoints, speaks := r.Party.Endpoints, r.Party.TLS
	master := r.Party.Master
	if place.serves = master != nil && r.Party.NodeRank == 0; place.serves {
		if place.server, err = master.serve(ctx, r.Plan, r.server); err != nil {
			return nil, err
		}
	} else if master == nil && len(endpoints) == 0 {
		if place.server, err = StartServer(ctx, r.server, nil); err != nil {
			return nil, err
		}
		endpoints = []string{place.server.Endpoint}
	}
	if place.server != nil {
		var cancel context.CancelFunc
		ctx, cancel = place.server.Bind(ctx)
		defer cancel()
	}
	if master != nil {
		endpoints = []string{master.endpoint()}
		if speaks, err = master.await(ctx, r.Stderr); err != nil {
			return nil, err
		}
	}
	place.member, err = rendezvous.Join(ctx, rendezvous.Config{
		Endpoints:    endpoints,
		TLS:          speaks,
		RunID:        r.Plan.GetRunId(),
		Nodes:        r.Party.Nodes,
		NodeRank:     r.Party.NodeRank,
		RanksPerHost: int(r.Plan.GetRanksPerHost()),
		Entry: &epperfv1.HostEntry{
			NodeRank:   uint32(r.Party.NodeRank),
			Host:       facts,
			BuildId:    r.buildID,
			PlanSha256: plan.Hash(r.Plan),
			FirstCase:  uint32(r.firstCase()),
		},
	})
	if err != nil || !r.sweeps() || r.Party.NodeRank == 0 {
		return place, err
	}
	entry, err := place.member.First(ctx)
	if err != nil {
		return nil, err
	}
	place.first = int(entry.GetFirstCase())
	if cases := len(r.Plan.GetCases()); place.first >= cases {
		return nil, fmt.Errorf("node 0 goes on with case %d of a sweep, here it has %d: start all launchers with the same flags", place.first+1, cases)
	}
	return place, nil
}

// sweeps reports whether the run has several cases.
func (r Run) sweeps() bool { return len(r.Plan.GetCases()) > 1 }

// close leaves the run. What goes wrong with that is of interest only if nothing did before:
// keys end with their lease.
func (p *meetingPlace) close(failure error) error {
	if p.member != nil && p.serves {
		p.outlive(failure)
	}
	ctx, cancel := context.WithTimeout(context.Background(), leaveTimeout)
	defer cancel()
	var left, cleaned error
	if p.member != nil {
		left = p.member.Close(ctx)
	}
	if p.server != nil {
		cleaned = p.server.Close()
	}
	if failure != nil {
		return errors.Join(failure, cleaned)
	}
	if err := errors.Join(left, cleaned); err != nil {
		return fmt.Errorf("clean up: %w", err)
	}
	return nil
}

// outlive waits until those whom this launcher serves have left.
func (p *meetingPlace) outlive(failure error) {
	limit := lastTimeout
	if failure != nil {
		limit = leaveTimeout
	}
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	p.member.BeLast(ctx)
}
