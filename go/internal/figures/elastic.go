package figures

import (
	"github.com/epperf/epperf/go/internal/record"
)

// A PhaseSummary is one case of an elastic run. Durations are by the launcher's clock, in nanoseconds, and nil
// where the run did not come so far.
type PhaseSummary struct {
	// Index is that of the phase; Recovers says that these are the ranks that are left of the case before.
	Index    int
	Recovers bool
	// Ranks that work, those of them that were not there before, those that were and are not any more, and those
	// that are killed.
	Ranks, Joined, Left, Killed []int
	// Ready: from the case's begin until all ranks have a process that waits; Good: until a first dispatch was
	// checked on all of them.
	ReadyNS, GoodNS *int64
	// Detect: from the kill until the launcher knew; Stop: until no other rank waited for the killed any more;
	// Recover: from then known until those that are left had connected; GoodAfter: from the kill until their first
	// dispatch was checked on all.
	DetectNS, StopNS, RecoverNS, GoodAfterNS *int64
	// Iterations of the rank that came furthest, and rows that all compared.
	Iterations  uint64
	Rows, Wrong uint64
	// PIDs are the ranks' processes, in their order; 0 where that is not known.
	PIDs []int
}

// A PhaseTime is one duration of a phase, by the name that it has on the screen.
type PhaseTime struct {
	Name string
	NS   int64 // 0: the run did not come so far
}

// Times are those that tell how well a run goes on: until the first good dispatch, where nobody was lost; until a killed
// rank is known to be, until those that are left have connected, and until their first good dispatch.
func (s *PhaseSummary) Times() []PhaseTime {
	of := func(name string, ns *int64) PhaseTime {
		if ns == nil {
			return PhaseTime{Name: name}
		}
		return PhaseTime{name, *ns}
	}
	switch {
	case s.Recovers:
		return []PhaseTime{of("recover", s.RecoverNS), of("good after", s.GoodAfterNS)}
	case len(s.Killed) > 0:
		return []PhaseTime{of("detect", s.DetectNS)}
	default:
		return []PhaseTime{of("good", s.GoodNS)}
	}
}

// summarizePhases returns nil for a record that is not of an elastic run.
func summarizePhases(r *record.Record) []PhaseSummary {
	cases := r.Header.GetPlan().GetCases()
	at := map[uint32]map[string]int64{}
	for _, moment := range r.Trailer.GetMoments() {
		if at[moment.GetCaseIndex()] == nil {
			at[moment.GetCaseIndex()] = map[string]int64{}
		}
		at[moment.GetCaseIndex()][moment.GetName()] = int64(moment.GetSinceStartNs())
	}
	var phases []PhaseSummary
	var before []int
	for index, c := range cases {
		of := c.GetPhase()
		if of == nil {
			return nil
		}
		s := PhaseSummary{Index: int(of.GetIndex()), Recovers: of.GetRecovers(), Ranks: ints(of.GetRanks()), Killed: ints(of.GetKilled())}
		s.Joined, s.Left = without(s.Ranks, before), without(before, s.Ranks)
		here := at[uint32(index)]
		s.ReadyNS, s.GoodNS = between(here, "begun", here, "ready"), between(here, "begun", here, "good")
		s.DetectNS, s.StopNS = between(here, "killed", here, "detected"), between(here, "killed", here, "stopped")
		if before := at[uint32(index)-1]; s.Recovers && index > 0 {
			s.RecoverNS, s.GoodAfterNS = between(before, "detected", here, "connected"), between(before, "killed", here, "good")
		}
		for rank := range int(c.GetRanks()) {
			result := r.Rank(index, rank).Result
			s.Iterations = max(s.Iterations, result.GetWork().GetIterations())
			s.Rows += result.GetCheck().GetRows()
			s.Wrong += result.GetCheck().GetWrong()
			s.PIDs = append(s.PIDs, int(result.GetWork().GetPid()))
		}
		before = without(s.Ranks, s.Killed)
		phases = append(phases, s)
	}
	return phases
}

func between(from map[string]int64, begin string, to map[string]int64, end string) *int64 {
	began, known := from[begin]
	ended, came := to[end]
	if !known || !came || ended < began {
		return nil
	}
	ns := ended - began
	return &ns
}

func ints(of []uint32) []int {
	var all []int
	for _, value := range of {
		all = append(all, int(value))
	}
	return all
}

// without returns those of a list that another has not.
func without(of, other []int) []int {
	has := map[int]bool{}
	for _, value := range other {
		has[value] = true
	}
	var left []int
	for _, value := range of {
		if !has[value] {
			left = append(left, value)
		}
	}
	return left
}

// phaseSamples is as samplesOf of a case of an elastic run: it is whether the rank said how it ended.
func phaseSamples(left record.RankRecord) (have, want uint64) {
	if left.Result.GetWork() == nil {
		return 0, 1
	}
	return 1, 1
}
