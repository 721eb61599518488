package conduct

import (
	"fmt"
	"io"
	"time"

	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

// progressInterval is how often rank 0 says how far a soak is.
const progressInterval = 10 * time.Second

// soaks reports whether a plan's case is a soak.
func soaks(p *epperfv1.Plan) bool { return p.GetCases()[0].GetSoak() != nil }

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
		fmt.Fprintf(to, "soak: %d epochs, %d checked in full, %d rows, %d wrong after %v\n",
			count.GetEpochs(), count.GetChecked(), count.GetRows(), count.GetWrong(), at.Sub(began).Round(time.Second))
	}
}
