package figures

import (
	"github.com/epperf/epperf/go/internal/record"
	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

// A Reason is why a rank did not pass a case.
type Reason string

const (
	// None: it passed.
	None Reason = "none"
	// NoResult: it ended without a word. Have and Want say how far it came.
	NoResult Reason = "no-result"
	// Reported: it says so itself, in Verdict.Error.
	Reported Reason = "reported"
	// NotChecked: nobody looked at what it received.
	NotChecked Reason = "not-checked"
	// WrongRows: the check found Wrong of them.
	WrongRows Reason = "wrong-rows"
	// NothingCompared: the check found no row where there had to be some, which proves nothing.
	NothingCompared Reason = "nothing-compared"
	// Unfinished: samples are missing. Have and Want say how many.
	Unfinished Reason = "unfinished"
	// Unexplained: it did not pass and says no more.
	Unexplained Reason = "unexplained"
)

// A Verdict is whether a rank passed a case, and if not why. A rank's own word that it passed is
// not believed over what it left.
type Verdict struct {
	Reason Reason
	// Error is what the rank reported.
	Error string
	// Wrong is what its checks found.
	Wrong uint64
	// Have and Want are the durations that the rank left, of all passes together, and those that it had
	// to leave.
	Have, Want uint64
}

// Passed reports whether the rank ran all of the case and was right.
func (v Verdict) Passed() bool { return v.Reason == None }

// Judge says whether a rank passed.
func Judge(c *epperfv1.Case, rank int, left record.RankRecord) Verdict {
	have, want := samplesOf(c, rank, left)
	return Verdict{
		Reason: reason(c, left.Result, have == want),
		Error:  left.Result.GetError(),
		Wrong:  left.Result.GetCheck().GetWrong(),
		Have:   have,
		Want:   want,
	}
}

func reason(c *epperfv1.Case, result *epperfv1.RankResult, finished bool) Reason {
	checked := judgeCheck(c, result)
	switch {
	case result == nil:
		return NoResult
	case result.GetError() != "":
		return Reported
	case checked != None:
		return checked
	case !finished:
		return Unfinished
	case !result.GetPassed():
		return Unexplained
	default:
		return None
	}
}

// judgeCheck says why a rank does not count as checked. Nothing compared is as good as wrong where
// there was something to compare.
func judgeCheck(c *epperfv1.Case, result *epperfv1.RankResult) Reason {
	switch check := result.GetCheck(); {
	case check == nil:
		return NotChecked
	case check.GetWrong() > 0:
		return WrongRows
	case check.GetRows() == 0 && (c.Calibrates() || moves(result.GetTraffic())):
		return NothingCompared
	default:
		return None
	}
}

// moves reports whether a rank sends or receives any row.
func moves(traffic *epperfv1.Traffic) bool {
	received := uint64(0)
	for _, selections := range traffic.GetSelectionsOfExpert() {
		received |= selections
	}
	return traffic.GetSelections() > 0 || received > 0
}

// addVerdict counts how one rank ended the case, and what its checks found.
func (s *CaseSummary) addVerdict(rank int, left record.RankRecord, c *epperfv1.Case) {
	verdict := Judge(c, rank, left)
	if left.Result != nil && verdict.Have == verdict.Want {
		s.Finished++
	}
	check := left.Result.GetCheck()
	s.Check.Rows += check.GetRows()
	s.Check.Wrong += check.GetWrong()
	if s.Check.FirstWrong == nil {
		s.Check.FirstWrong = check.GetFirst()
	}
	if judgeCheck(c, left.Result) == None {
		s.Check.RightRanks++
	}
	if verdict.Passed() {
		s.PassedRanks++
	} else {
		s.Failures = append(s.Failures, Failure{rank, verdict})
	}
}
