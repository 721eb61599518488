package conduct

import (
	"errors"
	"fmt"

	"github.com/epperf/epperf/go/internal/command"
	"github.com/epperf/epperf/go/internal/plan"
	"github.com/epperf/epperf/go/internal/report"
)

// conclude closes the record and prints it. Of an interrupted run there is one line, and of a soak
// besides what it had checked.
func (r Run) conclude(kept *outcome, failure error) error {
	if failure != nil {
		failure = fmt.Errorf("run %s: %w", plan.CaseName(r.Plan.GetCases()[0]), failure)
	}
	path, err := kept.close(failure)
	if err != nil && errors.Is(failure, err) {
		return failure // a record that could not be kept is what ended the run
	}
	if err != nil {
		return errors.Join(failure, err)
	}
	var signal *SignalError
	if errors.As(failure, &signal) {
		fmt.Fprintf(r.Stderr, "perf: %v; what was measured is in %s\n", signal, path)
		if soaks(r.Plan) && r.partOf() == nil {
			if _, err := report.Show(r.Stdout, path); err != nil {
				return err
			}
		}
		return command.ErrFailed
	}
	if r.partOf() != nil {
		return r.concludePart(kept, path, failure)
	}
	passed, err := report.Show(r.Stdout, path)
	switch {
	case failure != nil:
		return errors.Join(failure, err)
	case err != nil:
		return err
	case !passed:
		return fmt.Errorf("run %s: %s", plan.CaseName(r.Plan.GetCases()[0]), kept.problem())
	}
	return nil
}

// partOf is this launcher's node where its record is only a part of the run's.
func (r Run) partOf() *uint32 {
	if r.Party.NodeRank == 0 && !r.partsOnly() {
		return nil
	}
	node := uint32(r.Party.NodeRank)
	return &node
}

// concludePart prints where a part is, and nothing that would look like the whole.
func (r Run) concludePart(kept *outcome, path string, failure error) error {
	first := r.Party.NodeRank * int(r.Plan.GetRanksPerHost())
	whole := "node 0 prints the run"
	if kept.apart {
		whole = fmt.Sprintf("more than %d MiB of samples stay where they were measured", r.GatherBytes>>20)
	}
	fmt.Fprintf(r.Stdout, "Part: %s (node %d, ranks %d-%d; %s)\n",
		path, r.Party.NodeRank, first, first+int(r.Plan.GetRanksPerHost())-1, whole)
	if failure == nil && len(kept.failed) > 0 {
		failure = fmt.Errorf("run %s: %s", plan.CaseName(r.Plan.GetCases()[0]), kept.problem())
	}
	return failure
}
