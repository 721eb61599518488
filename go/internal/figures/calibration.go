package figures

import (
	"github.com/epperf/epperf/go/internal/record"
	"github.com/epperf/epperf/go/internal/stats"
	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

// A CalibrationSummary is what the machine can do at best. What cannot be computed is nil.
type CalibrationSummary struct {
	// Rows are copied in an iteration, of RowBytes each; CachedRows of them where caches are to
	// hold them.
	Rows, CachedRows int
	RowBytes         uint64
	// Spreads of the rate of a rank in bytes per nanosecond, which is decimal GB/s: while all others
	// rest, and while all copy at once.
	Alone, All, CachedAlone, CachedAll *Spread
	// OnGPUs says that there is Get, from the next rank, and Local, within a rank's own memory, where
	// a byte that is copied is one read and one written.
	OnGPUs                  bool
	GetAlone, GetAll, Local *Spread
	// RoundTrip is of a flag to rank 1 and its answer.
	RoundTrip *Quantiles
	// Epoch is of nothing but flags; the longest duration of any rank in each.
	Epoch *Quantiles
}

func summarizeCalibration(c *epperfv1.Case, onGPUs bool, ranks []record.RankRecord) *CalibrationSummary {
	rates := func(is copied) *Spread {
		pass := c.PassOf(is.holds)
		return spread(copyRates(c, pass, keptOf(ranks, pass)))
	}
	put, get := putAll, copied{direction: epperfv1.Pass_DIRECTION_GET}
	alone := func(is copied) copied { is.alone = true; return is }
	cached := func(is copied) copied { is.cached = true; return is }
	roundTrips := keptOf(ranks[:1], c.PassOfKind(epperfv1.Pass_KIND_ROUND_TRIPS))[0]
	return &CalibrationSummary{
		Rows:        int(c.CopiedRows()),
		CachedRows:  int(c.Pass(c.PassOf(cached(put).holds)).GetDistinctRows()),
		RowBytes:    CalibrationRowBytes(c),
		Alone:       rates(alone(put)),
		All:         rates(put),
		CachedAlone: rates(alone(cached(put))),
		CachedAll:   rates(cached(put)),
		OnGPUs:      onGPUs,
		GetAlone:    rates(alone(get)),
		GetAll:      rates(get),
		Local:       rates(local),
		RoundTrip:   quantiles(stats.NewDistribution(roundTrips)),
		Epoch:       quantiles(slowestOf(keptOf(ranks, c.PassOfKind(epperfv1.Pass_KIND_FLAGS)))),
	}
}

// copied is what tells the copying passes of a case apart.
type copied struct {
	direction     epperfv1.Pass_Direction
	cached, alone bool
}

// What runs are held against: all ranks at once, of more rows than caches hold.
var (
	putAll = copied{direction: epperfv1.Pass_DIRECTION_PUT}
	local  = copied{direction: epperfv1.Pass_DIRECTION_LOCAL}
)

func (w copied) holds(p *epperfv1.Pass) bool {
	return p.GetKind() == epperfv1.Pass_KIND_COPY && p.GetDirection() == w.direction && p.GetAlone() == w.alone &&
		(p.GetDistinctRows() < p.GetRows()) == w.cached
}

// copyRates returns the rate of every rank in a pass, in bytes per nanosecond: the bytes of an
// iteration over the mean of the rank's durations. Nil unless all ranks have one.
func copyRates(c *epperfv1.Case, pass int, ranks [][]int64) []float64 {
	bytes := float64(c.Pass(pass).GetRows()) * float64(CalibrationRowBytes(c))
	var rates []float64
	for _, durations := range ranks {
		meanNS, ok := stats.NewDistribution(durations).MeanNS()
		if !ok || meanNS <= 0 || bytes <= 0 {
			return nil
		}
		rates = append(rates, bytes/meanNS)
	}
	return rates
}

// LimitOf returns what a run with as many ranks a host can be held against, taken from a record of
// a calibration. It reports false for any other record, and for a calibration that did not pass.
func LimitOf(r *record.Record) (*epperfv1.Limit, bool) {
	cases := r.Header.GetPlan().GetCases()
	if len(cases) != 1 || cases[0].Operates() || !Summarize(r).Passed() {
		return nil, false
	}
	limit := &epperfv1.Limit{
		RunId:         r.Header.GetPlan().GetRunId(),
		StartedUnixNs: r.Header.GetStartedUnixNs(),
		Case:          cases[0],
	}
	for pass, of := range cases[0].GetPasses() {
		if !putAll.holds(of) && !local.holds(of) {
			continue
		}
		for rank := range int(cases[0].GetRanks()) {
			samples := &epperfv1.Samples{Rank: uint32(rank), Pass: uint32(pass)}
			for _, duration := range r.Rank(0, rank).Pass(pass) {
				samples.DurationNs = append(samples.DurationNs, uint64(duration))
			}
			limit.Samples = append(limit.Samples, samples)
		}
	}
	return limit, true
}

// limitRate returns the rate of a rank in one way to copy, mean over ranks, in bytes per nanosecond.
func limitRate(limit *epperfv1.Limit, way copied) (rate float64, ok bool) {
	pass := limit.GetCase().PassOf(way.holds)
	var ranks [][]int64
	for _, samples := range limit.GetSamples() {
		if int(samples.GetPass()) != pass {
			continue
		}
		var durations []int64
		for _, duration := range samples.GetDurationNs() {
			durations = append(durations, int64(min(duration, 1<<62)))
		}
		ranks = append(ranks, withoutFirst(durations))
	}
	rates := spread(copyRates(limit.GetCase(), pass, ranks))
	if rates == nil {
		return 0, false
	}
	return rates.Avg, true
}
