package launch

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

// A Crew is ranks that stay from one plan to the next: each keeps its process, and makes all else anew. A rank
// that was killed comes again as another process.
type Crew struct {
	ranks   *Ranks
	out     *lines
	members map[int]*rank // by their numbers
	leaving []*rank
}

// NewCrew returns a crew without ranks. Close it. Of the config, plans come with Run.
func NewCrew(config Config) *Crew {
	config.NodeRank = 0
	return &Crew{
		ranks: &Ranks{
			config: config, started: time.Now(), starter: newStarter(), events: make(chan func()), closed: make(chan struct{}),
			ctx: context.Background(), generation: 1,
		},
		out:     &lines{to: config.Stderr},
		members: map[int]*rank{},
	}
}

// Join ends all ranks but these, starts those that there are not, and waits until all are ready.
func (c *Crew) Join(ctx context.Context, numbers []int) error {
	r := c.ranks
	for number, rank := range c.members {
		if !slices.Contains(numbers, number) && !rank.ended {
			rank.leaves = true
			c.leaving = append(c.leaving, rank)
			rank.peer.Close() // what a rank takes for its launcher's end
		}
		if rank.ended || rank.leaves {
			delete(c.members, number)
		}
	}
	r.ranks = nil
	for _, number := range numbers {
		if c.members[number] == nil {
			started, err := r.starter.start(r.config, number, c.out)
			if err != nil {
				return fmt.Errorf("start rank %d: %w", number, err)
			}
			c.members[number] = started
			r.running++
			r.follow(started)
		}
		member := c.members[number]
		member.seat, member.local, member.results, member.said = len(r.ranks), len(r.ranks), 0, ""
		r.ranks = append(r.ranks, member)
	}
	r.generation++ // what comes of a meeting of the plan before is late
	r.failure, r.kill, r.meeting, r.epoch = nil, nil, nil, 0
	return c.loop(ctx, nowhere{}, func() bool {
		return r.failure == nil && slices.ContainsFunc(r.ranks, func(rank *rank) bool { return !rank.greeted && !rank.ended })
	})
}

// loop does events as long as it goes on.
func (c *Crew) loop(ctx context.Context, rendezvous Rendezvous, goesOn func() bool) error {
	r := c.ranks
	deadline := r.started.Add(time.Duration(r.config.Plan.GetTimeoutNs()))
	bounded, cancel := context.WithDeadline(ctx, deadline)
	defer cancel()
	r.ctx, r.rendezvous = bounded, rendezvous
	r.loop(ctx, deadline, goesOn)
	return r.failure
}

// Run has the ranks that joined last run a plan, in the order of their numbers. It returns once all are ready
// for another, or have ended: then the error says which was the first.
func (c *Crew) Run(ctx context.Context, plan *epperfv1.Plan, rendezvous Rendezvous) error {
	r := c.ranks
	r.config.Plan = plan
	for _, rank := range r.ranks {
		rank.start(plan, 0, r.generation)
	}
	busy := func(rank *rank) bool { return !rank.ended && (!rank.greeted || rank.results == 0) }
	return c.loop(ctx, rendezvous, func() bool { return slices.ContainsFunc(r.ranks, busy) })
}

// Gone waits until ranks that were killed between two plans have ended, and returns how the first did.
func (c *Crew) Gone(ctx context.Context, numbers []int) error {
	return c.loop(ctx, nowhere{}, func() bool {
		return slices.ContainsFunc(numbers, func(number int) bool { return !c.members[number].ended })
	})
}

// FailedAt is when the error was known that Run or Gone returned last.
func (c *Crew) FailedAt() time.Time { return c.ranks.failedAt }

// Kill kills ranks by SIGKILL, from an event of Run such as Config.Met, or between two of them.
func (c *Crew) Kill(numbers []int) error {
	for _, number := range numbers {
		rank := c.members[number]
		if rank == nil || rank.exited {
			return fmt.Errorf("kill rank %d: it is gone already", number)
		}
		if err := rank.process.Process.Kill(); err != nil {
			return fmt.Errorf("kill rank %d: %w", number, err)
		}
	}
	return nil
}

// After has Run do something later.
func (c *Crew) After(wait time.Duration, do func()) { c.ranks.after(wait, do) }

// PID returns the process of a rank that joined.
func (c *Crew) PID(number int) int { return c.members[number].process.Process.Pid }

// Close ends all ranks and waits for them.
func (c *Crew) Close() error {
	c.ranks.ranks = c.leaving
	for _, rank := range c.members {
		c.ranks.ranks = append(c.ranks.ranks, rank)
	}
	return c.ranks.Close()
}

// nowhere is where ranks meet that only start.
type nowhere struct{}

var errNowhere = errors.New("no plan runs")

func (nowhere) Exchange(context.Context, string, [][]byte) ([][]byte, error) { return nil, errNowhere }
func (nowhere) Barrier(context.Context, string, uint64) error                { return errNowhere }
func (nowhere) Abort(context.Context, string) error                          { return nil }
func (nowhere) Lost() <-chan struct{}                                        { return nil }
func (nowhere) Err() error                                                   { return nil }
