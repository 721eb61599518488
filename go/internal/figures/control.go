package figures

import (
	"slices"

	"github.com/epperf/epperf/go/internal/record"
	"github.com/epperf/epperf/go/internal/stats"
	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

// A ControlSummary is what rounds of the control plane took.
type ControlSummary struct {
	Rounds int
	Steps  []ControlStep
	// Left is what a rank's process has more after the last round than after the first, the most of any rank;
	// nil where that is not known.
	Left *ControlLeft
}

// A ControlStep is one step over all rounds.
type ControlStep struct {
	Name string
	// FirstNS is the longest duration of any rank in the first round, which the rest leaves out; nil where no
	// rank has one.
	FirstNS *int64
	// Each is over ranks and rounds; nil unless all ranks finished.
	Each *Quantiles
}

// P50NS returns the median; false unless all ranks finished.
func (s *ControlStep) P50NS() (ns float64, ok bool) {
	if s.Each == nil || s.Each.P50 == nil {
		return 0, false
	}
	return float64(*s.Each.P50), true
}

// ControlLeft is a difference; it may be below 0.
type ControlLeft struct{ Descriptors, Mappings, Threads, ResidentBytes int64 }

// summarizeControl returns nil for a case that times something else.
func summarizeControl(s *CaseSummary, c *epperfv1.Case, ranks []record.RankRecord) *ControlSummary {
	if !c.Controls() {
		return nil
	}
	control := &ControlSummary{Rounds: c.Iterations(), Left: controlLeft(ranks)}
	for pass, of := range c.GetPasses() {
		step := ControlStep{Name: epperfv1.Name(of.GetKind())}
		for _, durations := range leftOf(ranks, pass) {
			if len(durations) > 0 {
				first := durations[0]
				if step.FirstNS != nil {
					first = max(first, *step.FirstNS)
				}
				step.FirstNS = &first
			}
		}
		if s.Finished == s.Ranks {
			step.Each = quantiles(stats.NewDistribution(slices.Concat(keptOf(ranks, pass)...)))
		}
		control.Steps = append(control.Steps, step)
	}
	return control
}

func controlLeft(ranks []record.RankRecord) *ControlLeft {
	var most *ControlLeft
	for _, rank := range ranks {
		first, last := rank.Result.GetFirstRound(), rank.Result.GetLastRound()
		if first == nil || last == nil {
			return nil
		}
		left := ControlLeft{
			Descriptors:   int64(last.GetDescriptors()) - int64(first.GetDescriptors()),
			Mappings:      int64(last.GetMappings()) - int64(first.GetMappings()),
			Threads:       int64(last.GetThreads()) - int64(first.GetThreads()),
			ResidentBytes: int64(last.GetResidentBytes()) - int64(first.GetResidentBytes()),
		}
		if most == nil {
			most = &left
			continue
		}
		most.Descriptors, most.Mappings = max(most.Descriptors, left.Descriptors), max(most.Mappings, left.Mappings)
		most.Threads, most.ResidentBytes = max(most.Threads, left.Threads), max(most.ResidentBytes, left.ResidentBytes)
	}
	return most
}
