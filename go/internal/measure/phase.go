package measure

import (
	"context"

	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

// This file is what a rank does in a phase of an elastic run.

// GoodBarrier is where ranks meet once the first dispatch of a phase was checked on all of them.
const GoodBarrier = "good"

// phaseBlock is how many iterations lie between two checks.
const phaseBlock = 8

// work checks the dispatch with which ranks connected, and goes on with the case's iterations, checking the last
// of each block; in a phase in which ranks are killed until the launcher ends it.
func (r *caseRun) work(ctx context.Context) (err error) {
	if err := r.checkLast(epperfv1.Operations(epperfv1.Mode_MODE_DISPATCH, 1)); err != nil {
		return err
	}
	if r.traffic, err = r.engine.Traffic(); err != nil {
		return err
	}
	if err := r.Group.Barrier(ctx, GoodBarrier); err != nil {
		return err
	}
	endless := len(r.of.GetPhase().GetKilled()) > 0
	for endless || r.worked.Iterations < uint64(r.of.Iterations()) {
		block := epperfv1.Operations(r.of.GetMode(), phaseBlock)
		if !endless {
			block.Count = min(phaseBlock, uint32(r.of.Iterations())-uint32(r.worked.Iterations))
		}
		if err := r.engine.Poison(block); err != nil {
			return err
		}
		if _, err := r.engine.Run(block); err != nil {
			return err
		}
		if err := r.checkLast(block); err != nil {
			return err
		}
		r.worked.Iterations += uint64(block.GetCount())
	}
	return nil
}

// isEnded reports whether the launcher has ended a phase in which ranks were to be killed: then what a wait came
// to is no failure.
func (r *caseRun) isEnded(ctx context.Context) bool {
	return len(r.of.GetPhase().GetKilled()) > 0 && ctx.Err() != nil
}
