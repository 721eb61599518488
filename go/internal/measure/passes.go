package measure

import (
	"context"
	"fmt"

	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

// passes times what the case asks for, one pass after the other.
func (r *caseRun) passes(ctx context.Context) error {
	for index, pass := range r.of.GetPasses() {
		if err := r.pass(ctx, index, pass); err != nil {
			return fmt.Errorf("%s: %w", pass.Label(), err)
		}
	}
	return nil
}

// pass times one pass, checks what its last iteration left behind, and reports it. Poisoning also
// touches every page that is then written, on the rank that owns it.
func (r *caseRun) pass(ctx context.Context, index int, pass *epperfv1.Pass) error {
	timedBlock := index == 0 && r.of.Operates()
	if pass.MovesRows() {
		if err := r.engine.Poison(pass); err != nil {
			return err
		}
	}
	var watch Watch
	if timedBlock {
		r.gpuBefore = r.gpuState()
		if r.Watch != nil {
			watch = r.Watch()
		}
		if err := r.engine.FlushCaches(); err != nil {
			return err
		}
	}
	if err := r.Group.Barrier(ctx, "timing"); err != nil {
		return err
	}
	if watch != nil {
		watch.Start()
	}
	block, err := r.time(ctx, pass)
	if err != nil {
		return err
	}
	if watch != nil {
		watch.Stop()
	}
	if timedBlock {
		r.gpuAfter = r.gpuState()
	}
	// Checking costs CPU time that a slower rank's last iterations would pay for.
	if err := r.Group.Barrier(ctx, "timed"); err != nil {
		return err
	}
	if watch != nil {
		r.load = watch.Load()
	}
	if err := r.lookAtSMs(index, pass); err != nil {
		return err
	}
	if pass.MovesRows() {
		if err := r.checkLast(pass); err != nil {
			return err
		}
	}
	if pass.Durations(r.Rank.Rank) == 0 {
		return nil
	}
	return r.Sink.Samples(&epperfv1.Samples{
		CaseIndex:  r.index,
		Rank:       uint32(r.Rank.Rank),
		FirstEpoch: block.FirstEpoch,
		DurationNs: block.DurationNS,
		Pass:       uint32(index),
	})
}

// time lets the ranks do what a pass times, as it says: all at once, or one after the other.
func (r *caseRun) time(ctx context.Context, pass *epperfv1.Pass) (Block, error) {
	switch pass.GetKind() {
	case epperfv1.Pass_KIND_ROUND_TRIPS:
		if r.Rank.Rank > 1 {
			return Block{}, nil
		}
	case epperfv1.Pass_KIND_COPY:
		return r.copy(ctx, pass)
	}
	return r.engine.Run(pass)
}

// copy times one way to copy. What is fetched from the next rank is first left with it.
func (r *caseRun) copy(ctx context.Context, pass *epperfv1.Pass) (block Block, err error) {
	if pass.GetDirection() == epperfv1.Pass_DIRECTION_GET {
		put := &epperfv1.Pass{
			Kind: epperfv1.Pass_KIND_COPY, Direction: epperfv1.Pass_DIRECTION_PUT,
			Count: 1, Rows: pass.GetRows(), DistinctRows: pass.GetDistinctRows(),
		}
		if _, err := r.engine.Run(put); err != nil {
			return Block{}, err
		}
		if err := r.Group.Barrier(ctx, "put"); err != nil {
			return Block{}, err
		}
	}
	if !pass.GetAlone() { // a flags-only epoch aligns all ranks
		if _, err := r.engine.Run(&epperfv1.Pass{Kind: epperfv1.Pass_KIND_FLAGS, Count: 1}); err != nil {
			return Block{}, err
		}
		return r.engine.Run(pass)
	}
	for rank := range int(r.of.GetRanks()) { // the others wait without using a CPU
		if rank == r.Rank.Rank {
			if block, err = r.engine.Run(pass); err != nil {
				return Block{}, err
			}
		}
		if err := r.Group.Barrier(ctx, "turn"); err != nil {
			return Block{}, err
		}
	}
	return block, nil
}
