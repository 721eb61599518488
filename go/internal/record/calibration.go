package record

import (
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

func summarizeCalibration(c *epperfv1.Case, onGPUs bool, ranks []RankRecord) *CalibrationSummary {
	rates := func(block epperfv1.Samples_Block) *Spread {
		var blocks [][]int64
		for _, rank := range ranks {
			blocks = append(blocks, rank.Blocks[block])
		}
		return spread(copyRates(c, blocks))
	}
	var epochs [][]int64
	for _, rank := range ranks {
		epochs = append(epochs, withoutFirst(rank.Blocks[epperfv1.Samples_BLOCK_FLAGS]))
	}
	roundTrips := withoutFirst(ranks[0].Blocks[epperfv1.Samples_BLOCK_ROUND_TRIP])
	return &CalibrationSummary{
		Rows:        int(c.GetCalibration().GetRows()),
		CachedRows:  int(c.GetCalibration().GetCachedRows()),
		RowBytes:    CalibrationRowBytes(c),
		Alone:       rates(epperfv1.Samples_BLOCK_COPY_ALONE),
		All:         rates(epperfv1.Samples_BLOCK_COPY_ALL),
		CachedAlone: rates(epperfv1.Samples_BLOCK_CACHED_COPY_ALONE),
		CachedAll:   rates(epperfv1.Samples_BLOCK_CACHED_COPY_ALL),
		OnGPUs:      onGPUs,
		GetAlone:    rates(epperfv1.Samples_BLOCK_GET_ALONE),
		GetAll:      rates(epperfv1.Samples_BLOCK_GET_ALL),
		Local:       rates(epperfv1.Samples_BLOCK_LOCAL_COPY),
		RoundTrip:   quantiles(stats.NewDistribution(roundTrips)),
		Epoch:       quantiles(slowestOf(epochs)),
	}
}

// copyRates returns the rate of every rank, in bytes per nanosecond: the bytes of an iteration over
// the mean of its durations, the first left out. Nil unless all ranks have one.
func copyRates(c *epperfv1.Case, ranks [][]int64) []float64 {
	bytes := float64(c.GetCalibration().GetRows()) * float64(CalibrationRowBytes(c))
	var rates []float64
	for _, durations := range ranks {
		meanNS, ok := stats.NewDistribution(withoutFirst(durations)).MeanNS()
		if !ok || meanNS <= 0 || bytes <= 0 {
			return nil
		}
		rates = append(rates, bytes/meanNS)
	}
	return rates
}

// LimitOf returns what a run with as many ranks a host can be held against, taken from a record of
// a calibration. It reports false for any other record, and for a calibration that did not pass.
func LimitOf(r *Record) (*epperfv1.Limit, bool) {
	cases := r.Header.GetPlan().GetCases()
	if len(cases) != 1 || cases[0].GetCalibration() == nil || !Summarize(r).Passed() {
		return nil, false
	}
	limit := &epperfv1.Limit{
		RunId:         r.Header.GetPlan().GetRunId(),
		StartedUnixNs: r.Header.GetStartedUnixNs(),
		Case:          cases[0],
	}
	blocks := []epperfv1.Samples_Block{epperfv1.Samples_BLOCK_COPY_ALL}
	if onGPUs(r.Header.GetPlan()) {
		blocks = append(blocks, epperfv1.Samples_BLOCK_GET_ALL, epperfv1.Samples_BLOCK_LOCAL_COPY)
	}
	for _, block := range blocks {
		for rank := range int(cases[0].GetRanks()) {
			samples := &epperfv1.Samples{Rank: uint32(rank), Block: block.Enum()}
			for _, duration := range r.Rank(0, rank).Blocks[block] {
				samples.DurationNs = append(samples.DurationNs, uint64(duration))
			}
			limit.Samples = append(limit.Samples, samples)
		}
	}
	return limit, true
}

// limitRate returns the rate of a rank in one way to copy, mean over ranks, in bytes per nanosecond.
func limitRate(limit *epperfv1.Limit, block epperfv1.Samples_Block) (rate float64, ok bool) {
	var ranks [][]int64
	for _, samples := range limit.GetSamples() {
		if samples.GetBlock() != block {
			continue
		}
		var durations []int64
		for _, duration := range samples.GetDurationNs() {
			durations = append(durations, int64(min(duration, 1<<62)))
		}
		ranks = append(ranks, durations)
	}
	rates := spread(copyRates(limit.GetCase(), ranks))
	if rates == nil {
		return 0, false
	}
	return rates.Avg, true
}
