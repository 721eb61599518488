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
	// Reported: it says so itself.
	Reported Reason = "reported"
	// NotRight: its checks found something wrong, or proved nothing.
	NotRight Reason = "not-right"
	// Unfinished: samples are missing. Have and Want say how many.
	Unfinished Reason = "unfinished"
	// Unexplained: it did not pass and says no more.
	Unexplained Reason = "unexplained"
)

// A Verdict is whether a rank passed a case, and if not why. A rank's own word that it passed is
// not believed over what it left.
type Verdict struct {
	Reason Reason
	// Error is what the rank reported, or what RankResult.CheckProblem says of its checks.
	Error string
	// Have and Want are the durations that the rank left, of all passes together, and those that it had
	// to leave.
	Have, Want uint64
}

// Passed reports whether the rank ran all of the case and was right.
func (v Verdict) Passed() bool { return v.Reason == None }

// Judge says whether a rank passed.
func Judge(c *epperfv1.Case, rank int, left record.RankRecord) Verdict {
	have, want := samplesOf(c, rank, left)
	verdict := Verdict{Reason: None, Have: have, Want: want}
	problem := left.Result.CheckProblem(c)
	switch {
	case left.Result == nil:
		verdict.Reason = NoResult
	case left.Result.GetError() != "":
		verdict.Reason, verdict.Error = Reported, left.Result.GetError()
	case problem != "":
		verdict.Reason, verdict.Error = NotRight, problem
	case have != want:
		verdict.Reason = Unfinished
	case !left.Result.GetPassed():
		verdict.Reason = Unexplained
	}
	return verdict
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
	if left.Result.CheckProblem(c) == "" {
		s.Check.RightRanks++
	}
	if verdict.Passed() {
		s.PassedRanks++
	} else {
		s.Failures = append(s.Failures, Failure{rank, verdict})
	}
}
