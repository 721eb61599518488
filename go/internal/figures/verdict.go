package figures

import (
	"fmt"
	"math"

	"github.com/epperf/epperf/go/internal/record"
	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

// addOutcome counts how one rank ended the case, and what its checks found.
func (s *CaseSummary) addOutcome(rank int, left record.RankRecord, c *epperfv1.Case) {
	have, want := samplesOf(c, rank, left)
	finished := left.Result != nil && have == want
	if finished {
		s.Finished++
	}
	check := left.Result.GetCheck()
	s.Check.Rows += check.GetRows()
	s.Check.Wrong += check.GetWrong()
	if check.GetFirst() != nil && s.Check.FirstWrong == "" {
		s.Check.FirstWrong = describe(check.GetFirst(), c)
	}
	problem := left.Result.CheckProblem(c)
	if problem == "" {
		s.Check.RightRanks++
	}
	switch {
	case left.Result == nil:
		problem = fmt.Sprintf("ended without a result after %d of %d iterations", have, want)
	case left.Result.GetError() != "":
		problem = left.Result.GetError()
	case problem != "":
	case !finished:
		problem = fmt.Sprintf("ended after %d of %d iterations", have, want)
	case !left.Result.GetPassed():
		problem = "failed without saying why"
	}
	if problem == "" {
		s.PassedRanks++
	} else {
		s.Failures = append(s.Failures, Failure{rank, problem})
	}
}

// describe names a wrong row and what was read and expected there, in hexadecimal and decoded.
func describe(wrong *epperfv1.WrongRow, c *epperfv1.Case) string {
	var what string
	value := func(bits uint64) string { return fmt.Sprintf("0x%02x", bits) }
	switch wrong.GetKind() {
	case epperfv1.WrongRow_KIND_DISPATCH_ROW:
		what = "dispatched row"
		value = fp8
		if c.GetDtype() == epperfv1.Dtype_DTYPE_BF16 {
			value = bf16
		}
	case epperfv1.WrongRow_KIND_DISPATCH_SCALE:
		what = "scale of the dispatched row"
		value = fp32
	case epperfv1.WrongRow_KIND_DISPATCH_SOURCE:
		what = "source of the dispatched row"
		value = func(bits uint64) string { return fmt.Sprintf("rank %d, token %d", bits>>32, uint32(bits)) }
	case epperfv1.WrongRow_KIND_DISPATCH_COUNT:
		return fmt.Sprintf("rank %d: number of rows %s: got %d, want %d",
			wrong.GetRank(), blockOf(wrong), wrong.GetGot(), wrong.GetWant())
	case epperfv1.WrongRow_KIND_DISPATCH_BEGIN:
		return fmt.Sprintf("rank %d: first row %s: got %d, want %d",
			wrong.GetRank(), blockOf(wrong), wrong.GetGot(), wrong.GetWant())
	case epperfv1.WrongRow_KIND_PADDING:
		return fmt.Sprintf("rank %d: a row of padding behind those %s, byte %d: got 0x%02x, want 0x%02x",
			wrong.GetRank(), blockOf(wrong), wrong.GetChannel(), wrong.GetGot(), wrong.GetWant())
	case epperfv1.WrongRow_KIND_DISPATCH_DESCRIPTION:
		return fmt.Sprintf("rank %d: description of the row from rank %d, token %d: got 0x%x, want 0x%x",
			wrong.GetRank(), wrong.GetSourceRank(), wrong.GetToken(), wrong.GetGot(), wrong.GetWant())
	case epperfv1.WrongRow_KIND_GUARD:
		beside := "the combined rows"
		if wrong.Expert != nil {
			beside = fmt.Sprintf("the rows of expert %d", wrong.GetExpert())
		} else if !epperfv1.FansOut(epperfv1.LayoutOf(c)) {
			beside = "the received or the combined rows"
		}
		return fmt.Sprintf("rank %d: guard beside %s, byte %d: got %s, want %s",
			wrong.GetRank(), beside, wrong.GetChannel(), value(wrong.GetGot()), value(wrong.GetWant()))
	case epperfv1.WrongRow_KIND_COPIED_ROW:
		return fmt.Sprintf("rank %d: row %d copied from rank %d, channel %d: got %s, want %s", wrong.GetRank(),
			wrong.GetToken(), wrong.GetSourceRank(), wrong.GetChannel(), bf16(wrong.GetGot()), bf16(wrong.GetWant()))
	case epperfv1.WrongRow_KIND_COMBINE_ROW:
		what = "combined row"
		value = bf16
	default:
		what = "row"
	}
	where := fmt.Sprintf("rank %d: %s from rank %d, token %d", wrong.GetRank(), what, wrong.GetSourceRank(), wrong.GetToken())
	if wrong.Expert != nil {
		where += fmt.Sprintf(", expert %d", wrong.GetExpert())
	}
	return fmt.Sprintf("%s, channel %d: got %s, want %s", where, wrong.GetChannel(), value(wrong.GetGot()), value(wrong.GetWant()))
}

// blockOf names whose rows they are: an expert's, or where each row is kept once a source's.
func blockOf(wrong *epperfv1.WrongRow) string {
	if wrong.Expert != nil {
		return fmt.Sprintf("at expert %d", wrong.GetExpert())
	}
	return fmt.Sprintf("from rank %d", wrong.GetSourceRank())
}

func fp32(bits uint64) string {
	return fmt.Sprintf("0x%08x (%g)", bits, math.Float32frombits(uint32(bits)))
}

func bf16(bits uint64) string {
	return fmt.Sprintf("0x%04x (%g)", bits, math.Float32frombits(uint32(bits)<<16))
}

// fp8 decodes E4M3: four bits of exponent with a bias of 7, three of mantissa, no infinity, and
// NaN only where both are all ones.
func fp8(bits uint64) string {
	exponent, mantissa := int(bits>>3&0xf), float64(bits&7)
	value := math.Ldexp(1+mantissa/8, exponent-7)
	switch {
	case bits&0x7f == 0x7f:
		value = math.NaN()
	case exponent == 0:
		value = math.Ldexp(mantissa/8, -6)
	}
	if bits&0x80 != 0 {
		value = -value
	}
	return fmt.Sprintf("0x%02x (%g)", bits, value)
}
