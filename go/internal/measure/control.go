package measure

import (
	"context"
	"fmt"

	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

// This file times the control plane: what a rank does before and after it moves rows.

// A lifetime is one round: an engine from its making to its end.
type lifetime struct {
	*caseRun
	// tookNS has one entry for each of epperfv1.ControlSteps.
	tookNS []uint64
}

// control times as many rounds as the case's passes have durations. After each connection the ranks dispatch
// once and check it, untimed: a connection that brings no rows is none.
func (r *caseRun) control(ctx context.Context) error {
	rounds := int(r.of.Pass(0).GetCount())
	samples := make([]*epperfv1.Samples, len(epperfv1.ControlSteps))
	for step := range samples {
		samples[step] = &epperfv1.Samples{CaseIndex: r.index, Rank: uint32(r.Rank.Rank), Pass: uint32(step)}
	}
	for round := range rounds {
		life := lifetime{caseRun: r}
		if err := life.live(ctx); err != nil {
			return fmt.Errorf("round %d: %w", round+1, err)
		}
		for step, tookNS := range life.tookNS {
			samples[step].DurationNs = append(samples[step].DurationNs, tookNS)
		}
		if r.Use == nil {
			continue
		}
		use, err := r.Use()
		if err != nil {
			return fmt.Errorf("round %d: %w", round+1, err)
		}
		if round == 0 {
			r.firstRound = use
		}
		r.lastRound = use
	}
	for _, of := range samples {
		if err := r.Sink.Samples(of); err != nil {
			return err
		}
	}
	return nil
}

// live is one round. Ranks meet before each step, so that none waits in it for one that checks; a step's
// duration is the rank's own, with what it waits for peers inside of it.
func (l *lifetime) live(ctx context.Context) (err error) {
	var engine Engine
	defer func() {
		if engine == nil {
			return
		}
		if closeErr := engine.Close(); err == nil && closeErr != nil {
			err = fmt.Errorf("close engine: %w", closeErr)
		}
	}()
	var stop func() bool
	for _, step := range []struct {
		name string
		do   func() error
		uses bool // afterwards rows are moved and checked
	}{
		{"init", func() (err error) {
			engine, err = l.Open(l.of)
			return err
		}, false},
		{"connect", func() error { return l.connect(ctx, engine) }, true},
		{"disconnect", func() error { return engine.Disconnect() }, false},
		{"reconnect", func() error { return l.connect(ctx, engine) }, true},
		{"destroy", func() error {
			stop() // whoever aborts finds an engine
			closing := engine
			engine = nil
			return closing.Close()
		}, false},
	} {
		if err := l.Group.Barrier(ctx, "before "+step.name); err != nil {
			return err
		}
		began := l.now()
		if err := step.do(); err != nil {
			return fmt.Errorf("%s: %w", step.name, err)
		}
		l.tookNS = append(l.tookNS, uint64(max(0, l.now().Sub(began))))
		if step.name == "init" {
			stop = context.AfterFunc(ctx, engine.Abort)
			defer stop()
		}
		if step.uses {
			if err := l.use(ctx, engine); err != nil {
				return fmt.Errorf("use after %s: %w", step.name, err)
			}
		}
	}
	var cycleNS uint64
	for _, tookNS := range l.tookNS {
		cycleNS += tookNS
	}
	l.tookNS = append(l.tookNS, cycleNS)
	return nil
}

// connect is done when all others are connected, too.
func (l *lifetime) connect(ctx context.Context, engine Engine) error {
	if err := l.reach(ctx, engine); err != nil {
		return err
	}
	return l.Group.Barrier(ctx, "connected")
}

// use dispatches once and checks every row. Nobody lets go of a peer before all are through.
func (l *lifetime) use(ctx context.Context, engine Engine) (err error) {
	dispatch := epperfv1.Operations(epperfv1.Mode_MODE_DISPATCH, 1)
	if err := engine.Poison(dispatch); err != nil {
		return err
	}
	if err := l.Group.Barrier(ctx, "check"); err != nil {
		return err
	}
	if _, err := engine.Run(dispatch); err != nil {
		return err
	}
	found, err := engine.Check(dispatch)
	if err != nil {
		return err
	}
	l.found(found)
	if l.paths, l.network, err = engine.Paths(); err != nil {
		return err
	}
	l.traffic, err = engine.Traffic()
	return err
}
