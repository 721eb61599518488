package measure

import (
	"context"
	"fmt"
	"os"
	"slices"
	"time"

	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

// checkedEpochs is how many dispatch-combine pairs are checked before the timed block, and again
// after it. Six use each of the three input sets in each of the two banks.
const checkedEpochs = 6

// A Rank is one rank's part in a plan and what it works with.
type Rank struct {
	Plan *epperfv1.Plan
	Rank int
	// First is the first case that is run; those before it were measured earlier.
	First int
	Group Group
	Sink  Sink
	// Open makes the engine of one case.
	Open func(*epperfv1.Case) (Engine, error)
	// Dump, where not nil, keeps what the last checked pair of a case left in its engine.
	Dump func(*epperfv1.Case, Engine) error
	// GPUState, where not nil, tells how this rank's GPU is, before the timed block and after it.
	GPUState func() *epperfv1.GpuState
	// Watch, where not nil, begins to look at this rank's host.
	Watch func() Watch
	// Multiprocessors is how many this rank's GPU has; 0 on CPUs.
	Multiprocessors uint32
	// Progress, where not nil, is told from time to time how far a soak is.
	Progress func(*epperfv1.SoakCount)
	// Now is the time that a soak and the steps of a control plane go by; nil for time.Now.
	Now func() time.Time
	// Use, where not nil, tells what this process has of its host.
	Use func() (*epperfv1.ProcessUse, error)
}

// Run runs every case of the plan in order. It sends one RankResult a case to the sink, also
// for a case that fails; such a case ends the run, because its peers cannot go on without it.
// When ctx ends, waits inside the engine end too.
func (r Rank) Run(ctx context.Context) error {
	for index, c := range r.Plan.GetCases() {
		if index < r.First {
			continue
		}
		run := caseRun{Rank: r, index: uint32(index), asked: c, of: c, check: &epperfv1.Check{}}
		if r.Multiprocessors > 0 {
			run.sms = &epperfv1.SmUse{OfGpu: r.Multiprocessors}
		}
		err := run.run(ctx)
		if sinkErr := r.Sink.Result(run.result(err)); err == nil {
			err = sinkErr
		}
		if err != nil {
			return fmt.Errorf("case %d: %w", index, err)
		}
	}
	return nil
}

// A caseRun is one case on this rank, with what is known of it so far.
type caseRun struct {
	Rank
	index   uint32
	asked   *epperfv1.Case
	of      *epperfv1.Case // as asked, in a soak as its round has it
	engine  Engine
	paths   []epperfv1.Path
	network *epperfv1.Network
	traffic *epperfv1.Traffic
	check   *epperfv1.Check
	soaked  *epperfv1.SoakCount // nil unless the case is a soak that has begun
	worked  *epperfv1.PhaseWork // nil unless the case is of an elastic run
	// Of a soak: when it began, its round, and whether another one follows.
	soakBegan time.Time
	round     uint32
	goesOn    bool
	// Of this rank's GPU, around the timed block.
	gpuBefore, gpuAfter *epperfv1.GpuState
	load                *epperfv1.Load
	// Of the passes so far; nil on CPUs.
	sms *epperfv1.SmUse
	// After the first and the last round of a control plane.
	firstRound, lastRound *epperfv1.ProcessUse
}

// run goes through the case; through a soak round by round, each with an engine of its own.
func (r *caseRun) run(ctx context.Context) error {
	if r.of.Controls() {
		return r.control(ctx)
	}
	for {
		r.goesOn = false
		if err := r.runOnce(ctx); err != nil || !r.goesOn {
			return err
		}
		r.round++
		r.of = r.asked.OfRound(r.round)
	}
}

func (r *caseRun) runOnce(ctx context.Context) (err error) {
	r.engine, err = r.Open(r.of)
	if err != nil {
		return fmt.Errorf("open engine: %w", err)
	}
	defer func() {
		if closeErr := r.engine.Close(); err == nil && closeErr != nil {
			err = fmt.Errorf("close engine: %w", closeErr)
		}
	}()
	stop := context.AfterFunc(ctx, r.engine.Abort)
	defer stop()

	if r.of.GetPhase() != nil {
		r.worked = &epperfv1.PhaseWork{Pid: uint32(os.Getpid())}
	}
	for _, step := range r.steps() {
		err := step.do(ctx)
		if err != nil && r.isEnded(ctx) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("%s: %w", step.name, err)
		}
	}
	return nil
}

// A step is a part of a case.
type step struct {
	name string
	do   func(context.Context) error
}

// steps are what a case is made of, in their order.
func (r *caseRun) steps() []step {
	between := []step{{"warm up", r.warmUp}, {"measure", r.passes}}
	switch {
	case !r.of.Operates():
		between = []step{{"measure", r.passes}}
	case r.of.GetPhase() != nil:
		return []step{{"connect", r.connect}, {"work", r.work}, {"clean up", r.cleanUp}}
	case r.of.GetSoak() != nil:
		between = []step{{"soak", r.soak}}
	}
	if r.of.Operates() {
		between = slices.Concat([]step{{"check before", r.checkEpochs}}, between,
			[]step{{"check after", r.checkEpochs}, {"dump", r.dump}})
	}
	// Nobody unmaps a region that a peer may still read or write.
	cleanUp := step{"clean up", r.cleanUp}
	return slices.Concat([]step{{"connect", r.connect}}, between, []step{cleanUp})
}

func (r *caseRun) cleanUp(ctx context.Context) error {
	if r.network != nil {
		var err error
		if _, r.network, err = r.engine.Paths(); err != nil { // with all that was sent
			return err
		}
	}
	return r.Group.Barrier(ctx, "cleanup")
}

func (r *caseRun) now() time.Time {
	if r.Now == nil {
		return time.Now()
	}
	return r.Now()
}

func (r *caseRun) dump(context.Context) error {
	if r.Dump == nil || r.goesOn {
		return nil
	}
	return r.Dump(r.of, r.engine)
}

// reach makes all ranks reachable for an engine of this one.
func (r *caseRun) reach(ctx context.Context, engine Engine) error {
	blob, err := engine.Blob()
	if err != nil {
		return err
	}
	blobs, err := r.Group.Exchange(ctx, "connect", blob)
	if err != nil {
		return err
	}
	return engine.Connect(blobs)
}

func (r *caseRun) connect(ctx context.Context) (err error) {
	if err := r.reach(ctx, r.engine); err != nil {
		return err
	}
	if r.of.GetPhase() != nil { // whose first dispatch is checked
		if err := r.engine.Poison(epperfv1.Operations(epperfv1.Mode_MODE_DISPATCH, 1)); err != nil {
			return err
		}
	}
	if err := r.Group.Barrier(ctx, "connected"); err != nil {
		return err
	}
	if !r.of.Operates() {
		return nil
	}
	// The routing never changes, so one dispatch says where every expert's inputs lie.
	if _, err := r.engine.Run(epperfv1.Operations(epperfv1.Mode_MODE_DISPATCH, 1)); err != nil {
		return err
	}
	// A network may choose how it goes when it first has to.
	if r.paths, r.network, err = r.engine.Paths(); err != nil {
		return err
	}
	return r.engine.MakeExpertRows()
}

// checkEpochs runs untimed pairs whatever the mode, each checked as a whole. Ranks meet before
// each, so that the time others spend checking never counts against a data-plane deadline.
func (r *caseRun) checkEpochs(ctx context.Context) error {
	pair := epperfv1.Operations(epperfv1.Mode_MODE_E2E, 1)
	for range checkedEpochs {
		if err := r.engine.Poison(pair); err != nil {
			return err
		}
		if err := r.Group.Barrier(ctx, "check"); err != nil {
			return err
		}
		if _, err := r.engine.Run(pair); err != nil {
			return err
		}
		if err := r.checkLast(pair); err != nil {
			return err
		}
	}
	if r.traffic != nil {
		return nil
	}
	var err error
	r.traffic, err = r.engine.Traffic()
	return err
}

func (r *caseRun) warmUp(ctx context.Context) error {
	if err := r.Group.Barrier(ctx, "checked"); err != nil {
		return err
	}
	if n := int(r.of.GetWarmup()); n > 0 {
		_, err := r.engine.Run(epperfv1.Operations(r.of.GetMode(), n))
		return err
	}
	return nil
}

func (r *caseRun) gpuState() *epperfv1.GpuState {
	if r.GPUState == nil {
		return nil
	}
	return r.GPUState()
}

// checkLast adds what one check finds to the case's check.
func (r *caseRun) checkLast(pass *epperfv1.Pass) error {
	found, err := r.engine.Check(pass)
	if err != nil {
		return err
	}
	r.found(found)
	return nil
}

// found adds up what checks found; the first wrong row stays.
func (r *caseRun) found(found *epperfv1.Check) {
	r.check.Rows += found.GetRows()
	r.check.Wrong += found.GetWrong()
	if r.check.First == nil && found.GetFirst() != nil {
		r.check.First = found.GetFirst()
		r.check.First.Rank = uint32(r.Rank.Rank)
	}
}

func (r *caseRun) result(err error) *epperfv1.RankResult {
	result := &epperfv1.RankResult{
		CaseIndex:  r.index,
		Rank:       uint32(r.Rank.Rank),
		Traffic:    r.traffic,
		Check:      r.check,
		PathToRank: r.paths,
		Network:    r.network,
		GpuBefore:  r.gpuBefore,
		GpuAfter:   r.gpuAfter,
		Sms:        r.sms,
		Load:       r.load,
		Soak:       r.soaked,
		Work:       r.worked,
		FirstRound: r.firstRound,
		LastRound:  r.lastRound,
	}
	result.Error = result.CheckProblem(r.of)
	if err != nil {
		result.Error = err.Error()
	}
	result.Passed = result.GetError() == ""
	return result
}
