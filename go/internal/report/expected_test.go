package report_test

import (
	"bytes"
	"testing"

	"github.com/epperf/epperf/go/internal/expect"
	"github.com/epperf/epperf/go/internal/report"
)

func TestAnExpectationReads(t *testing.T) {
	expectation := report.Expectation{
		Table: &expect.Table{Source: "a test\x1b[2J", Tolerance: 0.05},
		Results: []expect.Result{
			{Name: "e2e/ranks=8", Figures: []expect.Figure{
				{Name: "bandwidth", Expected: 42.8, Measured: 42.9, Change: 0.002336, Verdict: expect.Met},
				{Name: "latency", Expected: 520_000, Measured: 580_000, Change: 0.11538, Verdict: expect.Worse},
			}},
			{Name: "dispatch/ranks=8", Figures: []expect.Figure{{Name: "latency", Expected: 180_000, Verdict: expect.NotMeasured}}},
			{Name: "combine/ranks=2", Differs: []string{"ranks is 2, 8 is expected", "backend is ipc, none is expected"}},
		},
	}
	var out bytes.Buffer
	if err := expectation.WriteText(&out); err != nil {
		t.Fatal(err)
	}
	compareGolden(t, "expectation.txt", out.String())
	if !expectation.Comparable() || !expectation.Worse() {
		t.Errorf("comparable %t, worse %t", expectation.Comparable(), expectation.Worse())
	}
}
