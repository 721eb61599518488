package recordtest

import (
	"google.golang.org/protobuf/proto"

	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

// Phased returns an elastic run in which everything went well: ranks 0 and 3 work, then 0, 2 and 3 until rank 2 is
// killed, then 0 and 3 again. Case i of it began at i seconds; all ranks were ready 1, connected 2 and good 3
// milliseconds later; rank 2 was killed at 4, which the launcher knew at 5 and all ranks at 7 milliseconds.
func Phased() *Run {
	run := Passed(epperfv1.Mode_MODE_E2E)
	of := run.Case()
	of.Warmup = 0
	run.Header.Plan.Cases, run.Header.Plan.RanksPerHost, run.Samples, run.Results = nil, 3, nil, nil
	for index, phase := range []*epperfv1.Phase{
		{Index: 0, Ranks: []uint32{0, 3}},
		{Index: 1, Ranks: []uint32{0, 2, 3}, Killed: []uint32{2}},
		{Index: 1, Ranks: []uint32{0, 3}, Recovers: true},
	} {
		c := proto.Clone(of).(*epperfv1.Case)
		c.Phase, c.Ranks, c.TokensOfRank = phase, uint32(len(phase.GetRanks())), of.GetTokensOfRank()[:len(phase.GetRanks())]
		run.Header.Plan.Cases = append(run.Header.Plan.Cases, c)
		for seat, number := range phase.GetRanks() {
			result := &epperfv1.RankResult{CaseIndex: uint32(index), Rank: uint32(seat), Passed: true, Work: &epperfv1.PhaseWork{Pid: 100 + number}}
			if result.Work.Killed = len(phase.GetKilled()) > 0 && number == 2; !result.Work.Killed {
				result.Work.Iterations, result.Check = 24, &epperfv1.Check{Rows: 5000}
			}
			run.Results = append(run.Results, result)
		}
		points := []string{"begun", "ready", "connected", "good"}
		if len(phase.GetKilled()) > 0 {
			points = append(points, "killed", "detected", "", "stopped")
		}
		for ms, point := range points {
			if point != "" {
				run.Moments = append(run.Moments, &epperfv1.Moment{Name: point, SinceStartNs: uint64(index)*1e9 + uint64(ms)*1e6, CaseIndex: uint32(index)})
			}
		}
	}
	return run
}
