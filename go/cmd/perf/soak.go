package main

import (
	"fmt"
	"io"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/epperf/epperf/go/internal/command"
	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

const (
	soakFlag = "soak"
	// progressFlag makes rank 0 say how far a soak is.
	progressFlag = "progress"
	// progressInterval is how often.
	progressInterval = 10 * time.Second
)

// refuseTimed refuses flags of what a soak does not do.
func refuseTimed(c *cli.Context) error {
	for _, timed := range []string{"warmup", "iters"} {
		if c.String(soakFlag) != "" && c.IsSet(timed) {
			return command.Usagef("--%s: a soak times nothing; --soak itself says how many iterations there are", timed)
		}
	}
	return nil
}

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
