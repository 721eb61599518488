package figures

import (
	"slices"

	"github.com/epperf/epperf/go/internal/plan"
	"github.com/epperf/epperf/go/internal/record"
	"github.com/epperf/epperf/go/internal/stats"
	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

// A BesideSummary is what a meter and operations cost each other. What cannot be computed is nil.
type BesideSummary struct {
	// Meter is named as on the command line.
	Meter string
	// MinSMs and MaxSMs are the multiprocessors that a rank's meter had in a pass; 0 where not all ranks tell
	// of all passes.
	MinSMs, MaxSMs int
	// Apart: no block of a meter shared a multiprocessor, neither with another nor with an operation's.
	// Else there are no figures.
	Apart bool
	// Rates of the meter of a rank, alone and while iterations run: of stream bytes read and written,
	// of gemm operations, in a nanosecond.
	MeterAlone, MeterBeside *Spread
	// LatencyNS is as the case's, while the meter runs.
	LatencyNS *Spread
	// MeterKept is the mean of MeterBeside / that of MeterAlone, and LatencyGrown that of LatencyNS / that
	// of the case's.
	MeterKept, LatencyGrown *float64
}

// summarizeBeside returns nil for a case without a meter.
func summarizeBeside(s *CaseSummary, c *epperfv1.Case, ranks []record.RankRecord) *BesideSummary {
	beside := c.PassOfKind(epperfv1.Pass_KIND_BESIDE)
	if beside < 0 {
		return nil
	}
	meter := c.Pass(beside).GetMeter()
	summary := &BesideSummary{Meter: epperfv1.Name(meter)}
	summary.addSMs(c, ranks)
	if s.LatencyNS == nil || !summary.Apart || summary.MinSMs == 0 {
		return summary
	}
	rates := func(operates bool) *Spread {
		return spread(meterRates(meter, ranks, c.PassOf(func(p *epperfv1.Pass) bool {
			return p.GetKind() == epperfv1.Pass_KIND_METER && (p.GetOperation() != epperfv1.Mode_MODE_UNSPECIFIED) == operates
		})))
	}
	summary.MeterAlone, summary.MeterBeside = rates(false), rates(true)
	summary.LatencyNS = spread(means(keptOf(ranks, beside)))
	summary.MeterKept = ratio(summary.MeterBeside, summary.MeterAlone)
	summary.LatencyGrown = ratio(summary.LatencyNS, s.LatencyNS)
	return summary
}

// addSMs looks at all passes in which a meter runs.
func (s *BesideSummary) addSMs(c *epperfv1.Case, ranks []record.RankRecord) {
	s.Apart = true
	first := true
	for _, rank := range ranks {
		for index, pass := range c.GetPasses() {
			if !pass.Meters() {
				continue
			}
			of := rank.Result.GetSms().Of(index)
			ofMeter := len(of.GetOfMeterBlock())
			if first {
				s.MinSMs, first = ofMeter, false
			}
			s.MinSMs, s.MaxSMs = min(s.MinSMs, ofMeter), max(s.MaxSMs, ofMeter)
			s.Apart = s.Apart && apart(of)
		}
	}
}

// apart reports whether no block of a meter shared a multiprocessor.
func apart(of *epperfv1.PassSms) bool {
	seen := map[uint32]bool{}
	for _, sm := range slices.Concat(of.GetOfDispatchBlock(), of.GetOfCombineBlock()) {
		seen[sm] = true // a combine may have those of a dispatch: they never run at once
	}
	for _, sm := range of.GetOfMeterBlock() {
		if seen[sm] {
			return false
		}
		seen[sm] = true
	}
	return true
}

// meterRates returns what the meter of each rank did in a nanosecond of a pass: what a block does at a
// time, times its blocks / the mean of the durations. Nil unless all ranks have one.
func meterRates(meter epperfv1.Pass_Meter, ranks []record.RankRecord, pass int) []float64 {
	work := map[epperfv1.Pass_Meter]float64{
		epperfv1.Pass_METER_GEMM:   plan.MeterGemmFlop,
		epperfv1.Pass_METER_STREAM: plan.MeterStreamBytes,
	}[meter]
	rates := means(keptOf(ranks, pass))
	if work == 0 {
		return nil
	}
	for i, meanNS := range rates {
		rates[i] = work * float64(len(ranks[i].Result.GetSms().Of(pass).GetOfMeterBlock())) / meanNS
	}
	return rates
}

// means returns the mean duration of each rank; nil unless all have one that is more than 0.
func means(ranks [][]int64) []float64 {
	var means []float64
	for _, durations := range ranks {
		meanNS, ok := stats.NewDistribution(durations).MeanNS()
		if !ok || meanNS <= 0 {
			return nil
		}
		means = append(means, meanNS)
	}
	return means
}

// ratio is that of two means over ranks.
func ratio(of, to *Spread) *float64 {
	if of == nil || to == nil || to.Avg <= 0 {
		return nil
	}
	return new(of.Avg / to.Avg)
}
