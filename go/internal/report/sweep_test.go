package report_test

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/epperf/epperf/go/internal/record/recordtest"
	"github.com/epperf/epperf/go/internal/report"
	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

// swept is a ladder of tokens that was gone on with, in which one case failed and the last was not reached.
func swept(r *recordtest.Run) {
	first := r.Case()
	samples, results := r.Samples, r.Results
	r.Header.Plan.Cases, r.Samples, r.Results = nil, nil, nil
	for index, tokens := range []uint32{128, 8, 32} {
		c := proto.CloneOf(first)
		c.TokensOfRank = slices.Repeat([]uint32{tokens}, 8)
		c.Layout = []epperfv1.Layout{0, epperfv1.Layout_LAYOUT_FLAT, 0}[index]
		r.Header.Plan.Cases = append(r.Header.Plan.Cases, c)
		if index == 2 {
			break
		}
		for rank := range results {
			of, result := proto.CloneOf(samples[rank]), proto.CloneOf(results[rank])
			of.CaseIndex, result.CaseIndex = uint32(index), uint32(index)
			if index == 1 && rank == 3 {
				of.DurationNs, result.Passed, result.Error = of.DurationNs[:7], false, "no word of rank 2 within 10 s"
			}
			r.Samples, r.Results = append(r.Samples, of), append(r.Results, result)
		}
	}
	r.Header.ResumedUnixNs = []int64{1_800_000_100_000_000_000}
	r.Status, r.Error = epperfv1.Trailer_STATUS_FAILED, "rank 3: no word of rank 2 within 10 s"
}

func sweptOnGPUs(r *recordtest.Run) {
	detailedOnGPUs(8)(r)
	count := len(r.Results)
	r.Header.Plan.Cases = append(r.Header.Plan.Cases, proto.CloneOf(r.Case()))
	r.Case().Mode = epperfv1.Mode_MODE_DISPATCH
	for _, of := range slices.Clone(r.Samples) {
		more := proto.CloneOf(of)
		more.CaseIndex = 1
		r.Samples = append(r.Samples, more)
	}
	for _, of := range r.Results[:count] {
		more := proto.CloneOf(of)
		more.CaseIndex = 1
		r.Results = append(r.Results, more)
	}
}

// All there is of each case is still to be had.
func TestASweepInFull(t *testing.T) {
	run := recordtest.Passed(epperfv1.Mode_MODE_E2E)
	twoCases(run)
	var out bytes.Buffer
	if _, err := report.Print(&out, run.Read(t), true); err != nil {
		t.Fatal(err)
	}
	if got := strings.Count(out.String(), "8/8 ranks passed"); got != 2 || strings.Index(out.String(), "Mode: combine") > strings.Index(out.String(), "Mode: e2e") {
		t.Errorf("%d cases, or in another order:\n%s", got, &out)
	}
}
