package report_test

import (
	"bytes"
	"math"
	"testing"

	"github.com/epperf/epperf/go/internal/compare"
	"github.com/epperf/epperf/go/internal/report"
	"github.com/epperf/epperf/go/internal/stats"
)

func TestAComparisonReads(t *testing.T) {
	side := func(ns ...float64) compare.Side {
		return compare.Side{NS: ns, Median: ns[0], Low: ns[0] - 1000, High: ns[0] + 2000}
	}
	few := compare.Side{NS: []float64{169_800}, Median: 169_800, High: math.Inf(1)}
	comparison := report.Comparison{
		Options: compare.Options{Figure: compare.Slowest, Threshold: 0.03},
		Alone:   []string{"combine/ranks=2"},
		Results: []compare.Result{
			{
				Name: "dispatch/ranks=2", Figure: compare.Slowest, Old: side(161_200, 161_200), New: side(170_000, 170_000, 170_000),
				Shift: stats.Shift{Estimate: 1.0546, Low: 1.031, High: 1.07}, P: 0.0021645, Verdict: compare.Slower, Regression: true,
				Reasons: []compare.Reason{{Kind: compare.NotInTurns}},
			},
			{
				Name: "e2e/ranks=2", Figure: compare.Slowest, Old: few, New: few, Shift: stats.Shift{Estimate: 1, High: math.Inf(1)}, P: 1,
				Verdict: compare.Undecided, Reasons: []compare.Reason{
					{Kind: compare.OtherPlan, What: "seed"},
					{Kind: compare.OtherMachine, What: "driver\x1b[2J"},
					{Kind: compare.NotPassed, Launches: 1},
					{Kind: compare.Oversubscribed, Launches: 2},
					{Kind: compare.Throttled, Launches: 2},
					{Kind: compare.Clocks, What: "SM clocks"},
					{Kind: compare.BusyHost, Launches: 2},
					{Kind: compare.TooFew, Launches: 4},
					{Kind: compare.TooWide},
				},
			},
			{
				Name: "e2e/ranks=4", Figure: compare.Slowest, Old: side(161_200), New: side(161_200), Shift: stats.Shift{Estimate: 0.999, Low: 0.99, High: 1.01}, P: 0.9,
				Verdict: compare.Same,
			},
			{
				Name: "e2e/ranks=8", Figure: compare.Slowest, Old: few, Shift: stats.Shift{Estimate: 1, High: math.Inf(1)}, P: 1, Verdict: compare.Undecided,
				Reasons: []compare.Reason{{Kind: compare.NotPassed, Launches: 4}},
			},
		},
	}
	var out bytes.Buffer
	if err := comparison.WriteText(&out); err != nil {
		t.Fatal(err)
	}
	compareGolden(t, "comparison.txt", out.String())
	if !comparison.Regressed() {
		t.Error("a regression is not told")
	}
}
