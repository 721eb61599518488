package figures_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/epperf/epperf/go/internal/figures"
	"github.com/epperf/epperf/go/internal/record/recordtest"
	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

func TestWhatAMeterAndOperationsCostEachOther(t *testing.T) {
	run := recordtest.Beside(epperfv1.Mode_MODE_DISPATCH)
	run.Case().Ranks, run.Case().TokensOfRank, run.Header.Plan.RanksPerHost = 2, run.Case().TokensOfRank[:2], 2
	run.Results = run.Results[:2]
	var samples []*epperfv1.Samples
	for _, of := range run.Samples {
		if of.GetRank() < 2 {
			samples = append(samples, of)
		}
	}
	run.Samples = samples
	run.Results[0].Sms.OfPass[0].OfDispatchBlock[0] = 131 // the timed block ran before there was a meter
	s := summarize(t, run).Cases[0]
	// 108 blocks do 33,554,432 operations each in 10 and 11 microseconds, and beside in 12 and 13.
	const work = 108 * 33_554_432.0
	spread := func(a, b float64) *figures.Spread { return &figures.Spread{Avg: (a + b) / 2, Min: a, Max: b} }
	alone, beside := spread(work/11_000, work/10_000), spread(work/13_000, work/12_000)
	want := &figures.BesideSummary{
		Meter: "gemm", MinSMs: 108, MaxSMs: 108, Apart: true,
		MeterAlone: alone, MeterBeside: beside, LatencyNS: spread(1_600_000, 1_601_000),
		MeterKept: new(beside.Avg / alone.Avg), LatencyGrown: new(1_600_500.0 / 1_500_500),
	}
	if diff := cmp.Diff(want, s.Beside, nearly); diff != "" {
		t.Errorf("beside (-want +got):\n%s", diff)
	}
	if s.Detail != nil {
		t.Errorf("there are details: %+v", s.Detail)
	}
}

// A multiprocessor that is shared makes figures of something else.
func TestBlocksThatShareAMultiprocessorHaveNoFigures(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*epperfv1.PassSms)
		pass   int
		apart  bool
	}{
		"with a dispatch":          {change: func(sms *epperfv1.PassSms) { sms.OfDispatchBlock[5] = 99 }, pass: 2},
		"with an earlier combine":  {change: func(sms *epperfv1.PassSms) { sms.OfCombineBlock[0] = 131 }, pass: 2},
		"with a combine":           {change: func(sms *epperfv1.PassSms) { sms.OfCombineBlock[0] = 131 }, pass: 3},
		"with another of a meter":  {change: func(sms *epperfv1.PassSms) { sms.OfMeterBlock[7] = sms.GetOfMeterBlock()[8] }, pass: 1},
		"and of which none speaks": {change: func(sms *epperfv1.PassSms) { sms.OfMeterBlock = nil }, pass: 3, apart: true},
	} {
		t.Run(name, func(t *testing.T) {
			run := recordtest.Beside(epperfv1.Mode_MODE_E2E)
			test.change(run.Results[3].GetSms().Of(test.pass))
			of := summarize(t, run).Cases[0].Beside
			if of.Apart != test.apart || of.MeterAlone != nil || of.MeterBeside != nil || of.LatencyNS != nil || of.MeterKept != nil {
				t.Errorf("%+v", of)
			}
		})
	}
}
