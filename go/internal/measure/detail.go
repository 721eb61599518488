package measure

import (
	"context"
	"fmt"

	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

// detail times the case in more ways, if its plan asks for them: iterations that all ranks begin
// together, dispatch-combine pairs as one block, and on GPUs graphs and kernels. What each leaves
// behind is checked, and where GPUs' thread blocks ran.
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
	if err := r.block(ctx, epperfv1.Samples_BLOCK_CHAINED, epperfv1.Mode_MODE_E2E, chained); err != nil {
		return err
	}
	if r.Plan.GetDevice() != epperfv1.Device_DEVICE_CUDA {
		return nil
	}
	return r.detailOfGPU(ctx, detail)
}

// detailOfGPU times what there is on GPUs alone.
func (r *caseRun) detailOfGPU(ctx context.Context, detail *epperfv1.Detail) error {
	if replays := int(detail.GetGraphReplays()); replays > 0 {
		graph := func() (Block, error) {
			return r.engine.RunGraph(r.of.GetMode(), int(detail.GetGraphOperations()), replays)
		}
		if err := r.block(ctx, epperfv1.Samples_BLOCK_GRAPH, r.of.GetMode(), graph); err != nil {
			return fmt.Errorf("graph: %w", err)
		}
	}
	if iterations := int(detail.GetKernelIterations()); iterations > 0 {
		kernels := func() (Block, error) { return r.engine.RunKernels(r.of.GetMode(), iterations) }
		if err := r.block(ctx, epperfv1.Samples_BLOCK_KERNELS, r.of.GetMode(), kernels); err != nil {
			return fmt.Errorf("kernels: %w", err)
		}
	}
	return nil
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
	if err := r.lookAtSMs(); err != nil {
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
