package foreign

import (
	"fmt"

	"github.com/epperf/epperf/go/internal/figures"
	"github.com/epperf/epperf/go/internal/record"
	"github.com/epperf/epperf/go/internal/stats"
	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

// Ours returns the figures of a record as others print theirs: of each case the mean over ranks of their
// mean durations, and the same of the kernels alone where the record has them. A run that did not pass,
// and one whose ranks share CPUs or GPUs, has none.
func Ours(r *record.Record) []Figure {
	summary := figures.Summarize(r)
	if !summary.Passed() || summary.Oversubscribed {
		return nil
	}
	var all []Figure
	for index, c := range r.Header.GetPlan().GetCases() {
		s := &summary.Cases[index]
		shape := s.Shape
		if s.LatencyNS == nil {
			continue
		}
		of := Figure{
			Tool: "epperf", File: r.Path, Operation: shape.Mode, Dtype: shape.Dtype, Layout: shape.Layout, Combine: shape.Combine,
			Quantize: shape.Quantize, Boundary: CPU, Bytes: Selections, SMs: shape.SMs, LatencyNS: &s.LatencyNS.Avg, Ranks: s.Ranks,
		}
		if shape.MinTokens == shape.MaxTokens && shape.RoutesUniformly() { // all that others have
			of.Shape = Shape(fmt.Sprint(shape.Ranks), fmt.Sprint(shape.MaxTokens), fmt.Sprint(shape.Hidden), fmt.Sprint(s.Experts()), fmt.Sprint(shape.Topk))
		}
		if summary.Device != "cpu" {
			of.Boundary = Events
		}
		if s.Bandwidth != nil {
			of.Bandwidth = &s.Bandwidth.Avg
		}
		of.normalize()
		all = append(all, of)
		if mean, ok := meanOfKernels(r, index, c); ok {
			of.Boundary, of.LatencyNS, of.Bandwidth = Kernels, &mean, nil
			all = append(all, of)
		}
	}
	return all
}

// meanOfKernels is the mean over ranks of the mean durations of their kernels, the first left out; false
// where some rank has none.
func meanOfKernels(r *record.Record, index int, c *epperfv1.Case) (mean float64, ok bool) {
	pass := c.PassOfKind(epperfv1.Pass_KIND_KERNELS)
	for rank := range int(c.GetRanks()) {
		durations := r.Rank(index, rank).Pass(pass)
		of, there := stats.NewDistribution(durations[min(1, len(durations)):]).MeanNS()
		if !there {
			return 0, false
		}
		mean += of / float64(c.GetRanks())
	}
	return mean, true
}

// normalize leaves out what an operation does not depend on: a dispatch sums nothing, a combine quantises
// nothing, and neither does what stays BF16.
func (f *Figure) normalize() {
	switch f.Operation {
	case "dispatch":
		f.Combine = ""
	case "combine":
		f.Dtype, f.Quantize = "bf16", ""
	}
	if f.Dtype == "bf16" {
		f.Quantize = ""
	}
}
