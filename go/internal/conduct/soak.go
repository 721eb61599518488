package conduct

import (
	"fmt"
	"io"
	"time"

	"google.golang.org/protobuf/proto"

	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

// progressInterval is how often rank 0 says how far a soak is.
const progressInterval = 10 * time.Second

// soaks reports whether a plan's case is a soak.
func soaks(p *epperfv1.Plan) bool { return p.GetCases()[0].GetSoak() != nil }

// allRounds returns a plan in which each routing that a soak's rounds have is a case of its own.
func allRounds(p *epperfv1.Plan) *epperfv1.Plan {
	soak := p.GetCases()[0].GetSoak()
	if soak.GetRoundNs() == 0 {
		return p
	}
	all := proto.CloneOf(p)
	for round := range uint32(epperfv1.RoundRoutings) {
		all.Cases = append(all.Cases, p.GetCases()[0].OfRound(round+1))
	}
	return all
}

// soakProgress returns what writes a line at most every progressInterval by a clock, which begins
// now.
func soakProgress(to io.Writer, now func() time.Time) func(*epperfv1.SoakCount) {
	began := now()
	said := began
	return func(count *epperfv1.SoakCount) {
		at := now()
		if at.Sub(said) < progressInterval {
			return
		}
		said = at
		fmt.Fprintf(to, "soak: round %d, %d epochs, %d checked in full, %d rows, %d wrong after %v\n",
			count.GetRounds(), count.GetEpochs(), count.GetChecked(), count.GetRows(), count.GetWrong(), at.Sub(began).Round(time.Second))
	}
}
