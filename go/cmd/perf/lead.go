package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/epperf/epperf/go/internal/launch"
	"github.com/epperf/epperf/go/internal/plan"
	"github.com/epperf/epperf/go/internal/rendezvous"
	"github.com/epperf/epperf/go/internal/rendezvous/embedded"
	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

// leaveTimeout bounds the good-bye to etcd; what it does not remove, the lease does.
const leaveTimeout = 2 * time.Second

// lead starts the ranks and, while they start, the place where launchers meet; then it leads the
// ranks through the plan. When it returns, nothing that it started is left.
func (m measurement) lead(ctx context.Context, config launch.Config, facts *epperfv1.Host) (err error) {
	joined := make(chan func() (*meetingPlace, error), 1)
	go func() {
		bounded, cancel := context.WithTimeout(ctx, time.Duration(m.plan.GetTimeoutNs()))
		defer cancel()
		place, err := m.meet(bounded, facts)
		joined <- func() (*meetingPlace, error) { return place, err }
	}()
	ranks, startErr := launch.Start(config)
	place, meetErr := (<-joined)()
	if place != nil {
		defer func() { err = errors.Join(err, place.close()) }()
	}
	if startErr != nil {
		return startErr
	}
	defer func() { err = errors.Join(err, ranks.Close()) }()
	if meetErr != nil {
		return meetErr
	}
	return ranks.Run(ctx, place.member)
}

// A meetingPlace is this launcher's membership of the run, and the etcd server that it runs for
// it.
type meetingPlace struct {
	server *embedded.Server
	member *rendezvous.Member
}

// meet starts an etcd server and enters the run.
func (m measurement) meet(ctx context.Context, facts *epperfv1.Host) (*meetingPlace, error) {
	server, err := embedded.Start(ctx)
	if err != nil {
		return nil, err
	}
	member, err := rendezvous.Join(ctx, rendezvous.Config{
		Endpoints:    []string{server.Endpoint()},
		RunID:        m.plan.GetRunId(),
		Nodes:        plan.HostCount(m.plan),
		RanksPerHost: int(m.plan.GetRanksPerHost()),
		Entry:        &epperfv1.HostEntry{Host: facts, BuildId: m.buildID},
	})
	if err != nil {
		return nil, errors.Join(err, server.Close())
	}
	return &meetingPlace{server, member}, nil
}

func (p *meetingPlace) close() error {
	ctx, cancel := context.WithTimeout(context.Background(), leaveTimeout)
	defer cancel()
	if err := errors.Join(p.member.Close(ctx), p.server.Close()); err != nil {
		return fmt.Errorf("clean up: %w", err)
	}
	return nil
}
