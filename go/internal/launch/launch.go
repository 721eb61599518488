// Package launch runs the ranks of one host: a process each, the same binary executed again, led
// through their meetings and watched to their end.
//
// Ranks die with their launcher: the kernel kills them when the thread that started them ends
// (process.go). What ends one rank ends the run: the others are told at once, have a grace to
// stop, and are killed after it. When Run or Close returns, no rank is left.
package launch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/epperf/epperf/go/internal/session"
	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

const (
	// grace is how long ranks have to stop by themselves once the run is over. A run ends at
	// most two seconds after the data plane's --wait-timeout; this leaves some for the killing.
	grace = 1500 * time.Millisecond
	// settle is how long a rank's closed socket waits for the rank's exit, which says more, and
	// the other way round.
	settle = 50 * time.Millisecond
)

// A Rendezvous is how this host's launcher meets those of other hosts. Waits end with their
// context at the latest.
type Rendezvous interface {
	// Exchange gives this host's blobs, one a rank, and returns those of all ranks in rank order.
	Exchange(ctx context.Context, name string, blobs [][]byte) ([][]byte, error)
	// Barrier returns once every launcher has called it with this epoch.
	Barrier(ctx context.Context, name string, epoch uint64) error
	// Abort ends the run on all hosts.
	Abort(ctx context.Context, reason string) error
	// Lost is closed once the run cannot go on for a reason outside this host; Err says which.
	Lost() <-chan struct{}
	Err() error
}

// A Sink takes what ranks report, from one goroutine.
type Sink interface {
	WriteSamples(*epperfv1.Samples) error
	WriteResult(*epperfv1.RankResult) error
}

// A Config says what to run.
type Config struct {
	Plan     *epperfv1.Plan
	NodeRank int
	// FirstCase is where the ranks begin; cases before it were run earlier.
	FirstCase int
	Host      string // this host's name, for messages
	BuildID   string // of this binary; a rank of another is refused
	// Args are what makes this binary a rank. It finds its session at session.RankFD, and
	// ignores the signals that a terminal or scheduler sends to all: its launcher ends it.
	Args []string
	// Env is added to this process's environment.
	Env []string
	// RankEnv, if not nil, is added for each of this host's ranks, in their order.
	RankEnv [][]string
	// Place, if not nil, is called with a rank's number among this host's on the thread that starts it, which
	// the rank inherits what it does to itself from.
	Place func(local int) error
	// Stderr takes what ranks print, each line with its rank before it.
	Stderr io.Writer
	Sink   Sink
	// Met, if not nil, is told each barrier that all ranks have left.
	Met func(barrier string)
}

// Ranks are the processes of one run on this host. All fields below events belong to the
// goroutine that calls Run, then Close.
type Ranks struct {
	config  Config
	started time.Time
	ranks   []*rank
	starter *starter
	// events are what the goroutines of the ranks have to say; Run does them one by one.
	events chan func()
	// closed ends goroutines that nobody listens to any more.
	closed chan struct{}
	all    sync.WaitGroup

	ctx        context.Context // of the rendezvous' waits; ends at the run's deadline
	rendezvous Rendezvous
	meeting    *meeting // the open one
	epoch      uint64   // of the last barrier
	running    int      // ranks that have not ended
	generation uint32   // 0 unless a Crew runs plans
	failure    error    // the first; the run is over
	failedAt   time.Time
	kill       <-chan time.Time
}

// Start starts the host's ranks and returns. They introduce themselves and wait for Run.
func Start(config Config) (*Ranks, error) {
	r := &Ranks{
		config:  config,
		started: time.Now(),
		starter: newStarter(),
		events:  make(chan func()),
		closed:  make(chan struct{}),
	}
	out := &lines{to: config.Stderr}
	for local := range int(config.Plan.GetRanksPerHost()) {
		number := config.NodeRank*int(config.Plan.GetRanksPerHost()) + local
		started, err := r.starter.start(config, number, out)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("start rank %d: %w", number, err), r.Close())
		}
		started.local = local
		r.ranks = append(r.ranks, started)
		r.running++
		r.follow(started)
	}
	return r, nil
}

// follow starts the goroutines of a rank: they receive, send, and wait for its exit.
func (r *Ranks) follow(rank *rank) {
	r.all.Go(func() {
		for {
			message, err := rank.peer.Receive()
			if err != nil {
				r.post(func() { r.disconnected(rank, err) })
				return
			}
			r.post(func() { r.received(rank, message) })
		}
	})
	r.all.Go(func() {
		for {
			select {
			case send := <-rank.outbox:
				if err := send(rank.peer); err != nil {
					r.post(func() { r.disconnected(rank, err) })
				}
			case <-r.closed:
				return
			}
		}
	})
	r.all.Go(func() {
		rank.process.Wait() // its state is read below
		r.post(func() { r.exited(rank) })
	})
}

func (r *Ranks) post(event func()) {
	select {
	case r.events <- event:
	case <-r.closed:
	}
}

// Run leads the ranks through the plan and returns when all have ended, here and on the other
// hosts. The error is the first thing that went wrong: a *RankError where it was one of ours, the
// cause of ctx where ctx ended.
func (r *Ranks) Run(ctx context.Context, rendezvous Rendezvous) error {
	deadline := r.started.Add(time.Duration(r.config.Plan.GetTimeoutNs()))
	bounded, cancel := context.WithDeadline(ctx, deadline)
	defer cancel()
	r.ctx, r.rendezvous = bounded, rendezvous
	r.loop(ctx, deadline, func() bool { return r.running > 0 })
	if r.failure != nil {
		return r.failure
	}
	// Nobody leaves the run before all are through: who leaves early looks dead.
	return r.rendezvous.Barrier(bounded, "finished", r.epoch+1)
}

func (r *Ranks) loop(ctx context.Context, deadline time.Time, goesOn func() bool) {
	overdue := time.NewTimer(time.Until(deadline))
	defer overdue.Stop()
	look := time.NewTicker(r.lookInterval())
	defer look.Stop()
	ended, lost := ctx.Done(), r.rendezvous.Lost()
	for goesOn() {
		select {
		case event := <-r.events:
			event()
		case <-ended:
			ended = nil
			r.fail(context.Cause(ctx))
		case <-lost:
			lost = nil
			r.fail(r.rendezvous.Err())
		case <-overdue.C:
			if !r.meeting.complete() { // else the rendezvous says who is missing elsewhere
				r.fail(r.overdue())
			}
		case <-look.C:
			r.lookForStopped()
		case <-r.kill:
			r.killAll()
		}
	}
}

// fail ends the run, once: this host's ranks and the other hosts' launchers are told why.
func (r *Ranks) fail(err error) {
	if r.failure != nil {
		return
	}
	r.failure, r.failedAt = err, time.Now()
	r.kill = time.After(grace)
	for _, rank := range r.ranks {
		rank.send(func(peer *session.Peer) error { return r.abort(peer, err.Error()) })
	}
	rendezvous := r.rendezvous
	r.all.Go(func() {
		ctx, cancel := context.WithTimeout(context.Background(), grace)
		defer cancel()
		// Whom this does not reach sees this launcher's lease end.
		_ = rendezvous.Abort(ctx, err.Error())
	})
}

// abort ends what a rank does: all of it, or of a Crew the plan that runs.
func (r *Ranks) abort(peer *session.Peer, reason string) error {
	if r.generation > 0 {
		return peer.AbortGeneration(r.generation, reason)
	}
	return peer.Abort(reason)
}

func (r *Ranks) killAll() {
	for _, rank := range r.ranks {
		if !rank.exited {
			_ = rank.process.Process.Kill() // it may have exited just now
		}
	}
}

// Close kills the ranks that are left and frees what Start took. Call it when Run has returned,
// or instead of Run.
func (r *Ranks) Close() error {
	r.killAll()
	r.kill = nil
	if r.failure == nil {
		r.failure = errors.New("closed")
	}
	for r.running > 0 {
		(<-r.events)()
	}
	for _, rank := range r.ranks {
		rank.peer.Close()
	}
	close(r.closed)
	r.all.Wait()
	r.starter.stop()
	return nil
}
