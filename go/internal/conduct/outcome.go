package conduct

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/epperf/epperf/go/internal/launch"
	"github.com/epperf/epperf/go/internal/record"
	"github.com/epperf/epperf/go/internal/samples"
	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

// An outcome keeps what ranks report in the record, and what to say of it at the end.
type outcome struct {
	plan *epperfv1.Plan
	// node is this launcher's; node 0 wants to know what others keep.
	node int
	// apart: samples stay in the records of their launchers.
	apart bool

	// runs is the case that runs.
	runs int

	mu       sync.Mutex // launchers meet while ranks may already report that they failed
	writer   *record.Writer
	reported map[int]int // results by rank
	failed   []*epperfv1.RankResult
	given    []*epperfv1.Entry // for node 0
}

func newOutcome(writer *record.Writer, plan *epperfv1.Plan, node int) *outcome {
	return &outcome{writer: writer, plan: plan, node: node, reported: map[int]int{}}
}

// begin has the run begin with a case; results are those of cases before it, where the record has them.
func (o *outcome) begin(first int, results []*epperfv1.RankResult) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.runs = first
	for _, result := range results {
		o.note(result)
	}
	for _, rank := range o.ranks() {
		o.reported[rank] = first
	}
}

// ranks are those whose reports are kept: this launcher's, on node 0 all.
func (o *outcome) ranks() (ranks []int) {
	begin, end := 0, int(o.plan.GetCases()[0].GetRanks())
	if perHost := int(o.plan.GetRanksPerHost()); o.node > 0 {
		begin, end = o.node*perHost, (o.node+1)*perHost
	}
	for rank := begin; rank < end; rank++ {
		ranks = append(ranks, rank)
	}
	return ranks
}

// setHosts completes the record's header once all launchers are known.
func (o *outcome) setHosts(hosts []*epperfv1.Host) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.writer.SetHosts(hosts)
}

// WriteSamples keeps what one rank measured.
func (o *outcome) WriteSamples(of *epperfv1.Samples) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.node > 0 && !o.apart {
		for part := range samples.Split(of, durationsPerEntry) {
			o.given = append(o.given, &epperfv1.Entry{Kind: &epperfv1.Entry_Samples{Samples: part}})
		}
	}
	return o.writer.WriteSamples(of)
}

// WriteResult keeps how one rank ended one case.
func (o *outcome) WriteResult(result *epperfv1.RankResult) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.writeResult(result)
}

func (o *outcome) writeResult(result *epperfv1.RankResult) error {
	if o.node > 0 {
		o.given = append(o.given, &epperfv1.Entry{Kind: &epperfv1.Entry_Result{Result: result}})
	}
	o.note(result)
	return o.writer.WriteResult(result)
}

// passed keeps when the run, which began at some time, came to a point; at the barrier that ends a case it
// goes on with the next.
func (o *outcome) passed(point string, began time.Time) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.writer.Note(&epperfv1.Moment{Name: point, SinceStartNs: uint64(time.Since(began)), CaseIndex: uint32(o.runs)})
	if point == lastBarrier {
		o.runs++
	}
}

func (o *outcome) note(result *epperfv1.RankResult) {
	o.reported[int(result.GetRank())]++
	if !result.GetPassed() {
		o.failed = append(o.failed, result)
	}
}

// takeGiven returns what node 0 has not got yet.
func (o *outcome) takeGiven() []*epperfv1.Entry {
	o.mu.Lock()
	defer o.mu.Unlock()
	given := o.given
	o.given = nil
	return given
}

// take keeps what another launcher's rank reported.
func (o *outcome) take(entry *epperfv1.Entry) error {
	switch kind := entry.GetKind().(type) {
	case *epperfv1.Entry_Samples:
		return o.WriteSamples(kind.Samples)
	case *epperfv1.Entry_Result:
		if !o.apart {
			return o.WriteResult(kind.Result)
		}
		o.note(kind.Result) // it stays in its part
	}
	return nil
}

// ended returns how many cases, the first of the plan, all ranks ended.
func (o *outcome) ended() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	cases := o.plan.GetCases()
	ended := len(cases)
	for _, rank := range o.ranks() {
		ended = min(ended, o.reported[rank])
	}
	for _, failed := range o.failed { // whose case may have ended in the middle
		if index := int(failed.GetCaseIndex()); index < ended && failed.GetError() != failed.CheckProblem(cases[index]) {
			ended = index
		}
	}
	return ended
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
	var signal *SignalError
	switch {
	case errors.As(failure, &signal):
		status, text = epperfv1.Trailer_STATUS_INTERRUPTED, signal.Error()
	case failure != nil:
		status, text = epperfv1.Trailer_STATUS_FAILED, failure.Error()
	case len(o.failed) > 0:
		status, text = epperfv1.Trailer_STATUS_FAILED, o.problem()
	}
	return o.writer.Close(status, text)
}

// problem says in a line what ranks reported of a run that came to its end.
func (o *outcome) problem() string {
	if len(o.failed) == 0 {
		return "not all ranks passed"
	}
	return fmt.Sprintf("%d of %d ranks failed; rank %d: %s",
		len(o.failed), len(o.plan.GetCases())*len(o.reported), o.failed[0].GetRank(), o.failed[0].GetError())
}
