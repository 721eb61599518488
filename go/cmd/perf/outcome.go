package main

import (
	"errors"
	"fmt"

	"github.com/epperf/epperf/go/internal/launch"
	"github.com/epperf/epperf/go/internal/record"
	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

// An outcome keeps what ranks report in the record, and what to say of it at the end.
type outcome struct {
	*record.Writer
	plan     *epperfv1.Plan
	reported map[int]int // results by rank
	failed   []*epperfv1.RankResult
}

func newOutcome(writer *record.Writer, plan *epperfv1.Plan) *outcome {
	return &outcome{Writer: writer, plan: plan, reported: map[int]int{}}
}

// WriteResult keeps how one rank ended one case.
func (o *outcome) WriteResult(result *epperfv1.RankResult) error {
	o.reported[int(result.GetRank())]++
	if !result.GetPassed() {
		o.failed = append(o.failed, result)
	}
	return o.Writer.WriteResult(result)
}

// close ends the record with what became of the run, and returns where it is.
func (o *outcome) close(failure error) (string, error) {
	var rank *launch.RankError
	if errors.As(failure, &rank) && o.reported[rank.Rank] < len(o.plan.GetCases()) {
		// It could not say it itself; an error here comes back from Close.
		_ = o.WriteResult(&epperfv1.RankResult{
			CaseIndex: uint32(o.reported[rank.Rank]),
			Rank:      uint32(rank.Rank),
			Error:     rank.How + " " + rank.Where,
		})
	}
	status, text := epperfv1.Trailer_STATUS_PASSED, ""
	var signal *signalError
	switch {
	case errors.As(failure, &signal):
		status, text = epperfv1.Trailer_STATUS_INTERRUPTED, signal.Error()
	case failure != nil:
		status, text = epperfv1.Trailer_STATUS_FAILED, failure.Error()
	case len(o.failed) > 0:
		status, text = epperfv1.Trailer_STATUS_FAILED, o.problem()
	}
	return o.Close(status, text)
}

// problem says in a line what ranks reported of a run that came to its end.
func (o *outcome) problem() string {
	if len(o.failed) == 0 {
		return "not all ranks passed"
	}
	return fmt.Sprintf("%d of %d ranks failed; rank %d: %s",
		len(o.failed), len(o.plan.GetCases())*int(o.plan.GetRanksPerHost()), o.failed[0].GetRank(), o.failed[0].GetError())
}
