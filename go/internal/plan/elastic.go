package plan

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

// This file plans elastic runs: phases in which ranks join, leave and are killed.

// maxPhases bounds the phases of an elastic run.
const maxPhases = 64

// ElasticPlan is what is run if nobody says what: ranks join, one is killed, and of those that stay not all
// are neighbours.
const ElasticPlan = "[[0,1],[0,1,2,3],[0,1,-2,3],[0,3]]"

// A Phase is the ranks of one phase by their numbers, in ascending order.
type Phase struct {
	Ranks []int
	// Killed are those of them that do not live to its end.
	Killed []int
}

// Survivors are the ranks that are left at its end.
func (p Phase) Survivors() []int {
	return slices.DeleteFunc(slices.Clone(p.Ranks), func(rank int) bool { return slices.Contains(p.Killed, rank) })
}

// ParseElastic reads phases: a JSON array of arrays of ranks' numbers, a minus before those that are killed; -0
// is rank 0. The error is a *UsageError.
func ParseElastic(text string) ([]Phase, error) {
	problem := func(format string, arguments ...any) ([]Phase, error) {
		shown := text
		const most = 120
		if len(shown) > most {
			shown = shown[:most] + "..."
		}
		return nil, &UsageError{"plan", strconv.Quote(shown), fmt.Sprintf(format, arguments...), "--plan='" + ElasticPlan + "'"}
	}
	var lists [][]json.RawMessage
	decoder := json.NewDecoder(strings.NewReader(text))
	if err := decoder.Decode(&lists); err != nil {
		return problem("not a list of lists of ranks, with a minus before those that are killed")
	}
	if decoder.More() {
		return problem("something stands behind the list of phases")
	}
	if len(lists) < 1 || len(lists) > maxPhases {
		return problem("has %d phases; must be 1 to %d", len(lists), maxPhases)
	}
	phases := make([]Phase, len(lists))
	for i, list := range lists {
		phase := &phases[i]
		for _, number := range list {
			digits, killed := strings.CutPrefix(string(number), "-")
			rank, err := strconv.Atoi(digits)
			if err != nil || rank < 0 || rank >= maxRanks {
				return problem("phase %d: %.20s is no rank; ranks are 0 to %d", i, number, maxRanks-1)
			}
			if slices.Contains(phase.Ranks, rank) {
				return problem("phase %d names rank %d twice", i, rank)
			}
			phase.Ranks = append(phase.Ranks, rank)
			if killed {
				phase.Killed = append(phase.Killed, rank)
			}
		}
		slices.Sort(phase.Ranks)
		slices.Sort(phase.Killed)
		if len(phase.Survivors()) == 0 {
			return problem("phase %d has no rank that lives to its end", i)
		}
	}
	return phases, nil
}

// NewElastic returns the plan of an elastic run, a case for each time that ranks connect: of a phase in which
// some are killed, all of them and then those that are left. The options say what each rank sends. The error
// is a *UsageError.
func NewElastic(o Options, phases []Phase) (*epperfv1.Plan, error) {
	var p *epperfv1.Plan
	add := func(phase int, ranks, killed []int, recovers bool) error {
		o.NumProcesses = len(ranks)
		next, err := New(o)
		if err != nil {
			return err
		}
		of := next.GetCases()[0]
		of.Warmup = 0
		of.Phase = &epperfv1.Phase{Index: uint32(phase), Ranks: ranksOf(ranks), Killed: ranksOf(killed), Recovers: recovers}
		if p == nil {
			p = next
			o.RunID = p.GetRunId()
			return nil
		}
		p.Cases = append(p.Cases, of)
		p.RanksPerHost = max(p.GetRanksPerHost(), next.GetRanksPerHost())
		return nil
	}
	for i, phase := range phases {
		if err := add(i, phase.Ranks, phase.Killed, false); err != nil {
			return nil, err
		}
		if len(phase.Killed) == 0 {
			continue
		}
		if err := add(i, phase.Survivors(), nil, true); err != nil {
			return nil, err
		}
	}
	return p, nil
}

func ranksOf(ranks []int) []uint32 {
	all := make([]uint32, len(ranks))
	for i, rank := range ranks {
		all[i] = uint32(rank)
	}
	return all
}

// CaseOfPhase returns the plan of one case of an elastic run, as its ranks get it.
func CaseOfPhase(p *epperfv1.Plan, index int) *epperfv1.Plan {
	of := p.GetCases()[index]
	return &epperfv1.Plan{
		RunId: fmt.Sprintf("%s-%d", p.GetRunId(), index), Cases: []*epperfv1.Case{of}, Device: p.GetDevice(), NvlinkBackend: p.GetNvlinkBackend(),
		RanksPerHost: of.GetRanks(), WaitTimeoutNs: p.GetWaitTimeoutNs(), TimeoutNs: p.GetTimeoutNs(), ThreadsPerRank: p.ThreadsPerRank,
	}
}
