package conduct

import (
	"errors"
	"fmt"

	"github.com/epperf/epperf/go/internal/command"
	"github.com/epperf/epperf/go/internal/plan"
	"github.com/epperf/epperf/go/internal/record"
	"github.com/epperf/epperf/go/internal/report"
)

// conclude closes the record and prints it. Of an interrupted run there is one line, and of a soak
// besides what it had checked.
func (r Run) conclude(kept *outcome, failure error) error {
	if failure != nil {
		failure = fmt.Errorf("%s: %w", r.where(kept), failure)
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
		fmt.Fprintf(r.Stderr, "perf: %v; what was measured is in %s%s\n", signal, path, r.goesOn(path))
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
	case failure != nil && err == nil && r.goesOn(path) != "":
		return fmt.Errorf("%w%s", failure, r.goesOn(path))
	case failure != nil:
		return errors.Join(failure, err)
	case err != nil:
		return err
	case !passed:
		return fmt.Errorf("%s: %s", r.where(kept), kept.problem())
	case r.Expected != nil:
		return r.expect(path)
	}
	return nil
}

// expect prints what is expected beside what was measured.
func (r Run) expect(path string) error {
	kept, err := record.Read(path)
	if err != nil {
		return err
	}
	of := report.Expectation{Table: r.Expected, Results: r.Expected.Against(kept)}
	fmt.Fprintln(r.Stdout)
	if err := of.WriteText(r.Stdout); err != nil {
		return err
	}
	switch {
	case !of.Comparable():
		return command.Usagef("--expect: nothing is comparable: what differs stands above")
	case of.Worse():
		return command.ErrRegressed
	default:
		return nil
	}
}

// where names the run's case; of a sweep the one that not all ranks had ended.
func (r Run) where(kept *outcome) string {
	cases := r.Plan.GetCases()
	if len(cases) == 1 {
		return "run " + plan.CaseName(cases[0])
	}
	at := kept.ended()
	if at == len(cases) {
		return fmt.Sprintf("sweep of %d cases", at)
	}
	return fmt.Sprintf("sweep, case %d of %d, %s", at+1, len(cases), plan.CaseName(cases[at]))
}

// goesOn says how a sweep does; "" of what cannot.
func (r Run) goesOn(path string) string {
	switch {
	case !r.sweeps() || r.partOf() != nil:
		return ""
	case r.Party.Nodes > 1:
		return "; the same commands with --resume=" + path + " go on from there"
	}
	return "; perf sweep --resume=" + path + " goes on from there"
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
		failure = fmt.Errorf("%s: %s", r.where(kept), kept.problem())
	}
	return failure
}
