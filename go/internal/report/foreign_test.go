package report_test

import (
	"bytes"
	"testing"

	"github.com/epperf/epperf/go/internal/foreign"
	"github.com/epperf/epperf/go/internal/report"
)

func TestForeignFiguresRead(t *testing.T) {
	number := func(value float64) *float64 { return &value }
	dispatch := foreign.Figure{
		Tool: "deepep", File: "deep.txt\x1b[2J", Operation: "dispatch", Shape: "ranks=8", Dtype: "fp8", Layout: "expert", Quantize: "inside",
		Boundary: foreign.Kernels, Bytes: foreign.Selections, LatencyNS: number(82_000), Bandwidth: number(92),
	}
	ours, flat, write := dispatch, dispatch, foreign.Figure{
		Tool: "nixlbench", File: "b.txt", Operation: "write", Boundary: foreign.Transfer, Bytes: foreign.Payload, LatencyNS: number(6500),
	}
	ours.Tool, ours.LatencyNS, ours.Bandwidth = "epperf", number(18_000), nil
	flat.Layout, flat.SMs, flat.LatencyNS, flat.Bytes = "flat", 24, nil, foreign.RankRows
	var out bytes.Buffer
	if err := report.WriteForeign(&out, foreign.Groups([]foreign.Figure{dispatch, flat, write, ours, write})); err != nil {
		t.Fatal(err)
	}
	compareGolden(t, "foreign.txt", out.String())
}
