package measure

import (
	"context"

	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

// detail times the case in two more ways, if its plan asks for them: iterations that all ranks
// begin together, and dispatch-combine pairs as one block. What either leaves behind is checked.
func (r *caseRun) detail(ctx context.Context) error {
	detail := r.of.GetDetail()
	if detail == nil {
		return nil
	}
	fresh := func() (Block, error) {
		return r.engine.RunFresh(r.of.GetMode(), int(detail.GetFreshIterations()))
	}
	if err := r.block(ctx, epperfv1.Samples_BLOCK_FRESH, r.of.GetMode(), fresh); err != nil {
		return err
	}
	chained := func() (Block, error) {
		return r.engine.RunChained(epperfv1.Mode_MODE_E2E, int(detail.GetDroppedPairs()), int(detail.GetPairs()))
	}
	return r.block(ctx, epperfv1.Samples_BLOCK_CHAINED, epperfv1.Mode_MODE_E2E, chained)
}

// block times one block, checks what its last iteration left behind, and reports it.
func (r *caseRun) block(ctx context.Context, kind epperfv1.Samples_Block, mode epperfv1.Mode, run func() (Block, error)) error {
	if err := r.engine.Poison(); err != nil {
		return err
	}
	if err := r.Group.Barrier(ctx, "detail"); err != nil {
		return err
	}
	block, err := run()
	if err != nil {
		return err
	}
	if err := r.Group.Barrier(ctx, "detailed"); err != nil {
		return err
	}
	if err := r.checkLast(mode); err != nil {
		return err
	}
	return r.report(kind, block)
}

// report sends a block that is not the timed one.
func (r *caseRun) report(kind epperfv1.Samples_Block, block Block) error {
	return r.Sink.Samples(&epperfv1.Samples{
		CaseIndex:  r.index,
		Rank:       uint32(r.Rank.Rank),
		FirstEpoch: block.FirstEpoch,
		DurationNs: block.DurationNS,
		Block:      kind.Enum(),
	})
}
