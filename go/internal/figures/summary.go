// Package figures derives from a record everything that is printed of it: numbers and names, which
// others put into words.
package figures

import (
	"math"
	"slices"

	"github.com/epperf/epperf/go/internal/host"
	"github.com/epperf/epperf/go/internal/record"
	"github.com/epperf/epperf/go/internal/stats"
	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

// This file has every mean and every rate. Figures are made of the iterations 2 to n of each rank:
// the first absorbs what ranks did not leave the last barrier together.

// An Ending is how a run came to its end.
type Ending int

const (
	// Failed: the run says so itself.
	Failed Ending = iota
	// Passed: the run says so itself. Its results have to bear it out: see Summary.Passed.
	Passed
	// Interrupted: ended by a signal.
	Interrupted
	// Incomplete: the record was never closed.
	Incomplete
)

// A Summary is everything that is printed of a record.
type Summary struct {
	Path   string
	Ending Ending
	// Error is why the run failed, as it says itself; may be empty.
	Error string
	// Device and Backend are named as on the command line.
	Device, Backend string
	// Hosts is the number of hosts, and CPUs what their ranks may use, all hosts together; 0 if
	// the record does not say.
	Hosts, CPUs int
	// Threads is the number of worker threads of each rank.
	Threads int
	// GPUs that ranks compute on, all hosts together, by their names in order of appearance. None on
	// CPUs, and where the record does not say.
	GPUs []GPUKind
	// MinSMs and MaxSMs are how many multiprocessors each of the GPUs has at least and at most.
	MinSMs, MaxSMs int
	// SharedGPU: ranks share a GPU, or were allowed to. No figure is made of their durations.
	SharedGPU bool
	// Oversubscribed: some host has more workers than CPUs, or ranks share a GPU, so durations say
	// more of a scheduler than of what it ran.
	Oversubscribed bool
	// NoGPUs says why ranks are on CPUs though a GPU was looked for and hoped for; nil where none was.
	NoGPUs *NoGPUs
	// PartOfNode is which launcher's part of a run the record is; nil if it is the whole.
	PartOfNode *int
	// Resumed is how often the run went on after an interruption.
	Resumed int
	// Cases and their Shapes are in the plan's order, and Order is their indices in that of who reads them.
	Cases  []CaseSummary
	Shapes []Shape
	Order  []int
	// Phases are the cases of an elastic run; nil of any other.
	Phases []PhaseSummary
}

// A GPUKind is GPUs of one name.
type GPUKind struct {
	Name  string
	Count int
}

// GPUCount returns how many GPUs there are of all kinds.
func (s *Summary) GPUCount() int {
	count := 0
	for _, kind := range s.GPUs {
		count += kind.Count
	}
	return count
}

// Passed reports whether the run came to its end and every rank passed every case.
func (s *Summary) Passed() bool {
	return s.Ending == Passed && !slices.ContainsFunc(s.Cases, func(c CaseSummary) bool { return len(c.Failures) > 0 })
}

// A CaseSummary is what one case came to. What cannot be computed is nil or empty.
type CaseSummary struct {
	Shape
	SharedGPU             bool // as the Summary's: there are no figures
	Finished, PassedRanks int  // ranks that ran all iterations; that finished and were right
	Failures              []Failure
	Throttled             []Throttled // ranks in their order
	// Contention is nil unless others took of what the case was measured on.
	Contention *Contention

	// Bandwidth is in bytes per nanosecond, which is decimal GB/s: for each rank that selects
	// anything, the selections' bytes of one iteration / the rank's mean duration. Nil unless all
	// ranks finished and one of them selects.
	Bandwidth *Spread
	// LatencyNS spreads the mean duration of every rank. Nil unless all ranks finished.
	LatencyNS *Spread
	// Slowest is taken over the kept iterations, each represented by the longest duration that any
	// rank had in it. Nil unless all ranks finished.
	Slowest *Quantiles
	// Groups is nil unless Slowest is of durations that fall into two.
	Groups *Groups
	// BytesPerRank is the mean over all ranks, rounded. Nil unless the traffic of all is known.
	BytesPerRank *Bytes
	Check        CheckSummary
	// Soak is nil unless the case is one. It has no bandwidth and no latency then.
	Soak *SoakSummary
	// Phase is nil unless the run is elastic. It has no bandwidth and no latency then.
	Phase *PhaseSummary
	// Control is nil unless the case times the control plane. It has no bandwidth and no latency then.
	Control *ControlSummary
	// CarriedBy is all that brought rows from rank to rank; none where no rank says.
	CarriedBy []Carrier
	// StagedIn is where rows of GPUs stopped on their way.
	StagedIn []Staging
	// Overrides are what users set of UCX that contradicts the run.
	Overrides []Override
	// Network is nil where no rank loaded one.
	Network *NetworkSummary
	// Detail is nil unless the case has one.
	Detail *DetailSummary
	// Beside is nil unless the case has a meter.
	Beside *BesideSummary
	// Calibration is nil unless the case is one. It has no bandwidth and no latency then.
	Calibration *CalibrationSummary
}

// A Spread is taken over ranks, each of its three figures from all of them.
type Spread struct{ Avg, Min, Max float64 }

// Quantiles are nearest-rank quantiles in nanoseconds; nil where no sample lies above one.
type Quantiles struct {
	Samples       int
	P50, P95, P99 *int64
	Max           int64
}

// A CheckSummary adds up what the checks of all ranks found.
type CheckSummary struct {
	// RightRanks is the number of ranks that compared what they had to and found nothing wrong.
	RightRanks  int
	Rows, Wrong uint64
	// FirstWrong is the first wrong row of the lowest rank that has one; nil if none has.
	FirstWrong *epperfv1.WrongRow
}

// A Failure is why one rank did not pass.
type Failure struct {
	Rank    int
	Verdict Verdict
}

// Summarize computes everything that is printed of a record.
func Summarize(r *record.Record) *Summary {
	plan := r.Header.GetPlan()
	s := &Summary{
		Path:    r.Path,
		Ending:  ending(r.Trailer),
		Error:   r.Trailer.GetError(),
		Device:  epperfv1.Name(plan.GetDevice()),
		Backend: epperfv1.Name(plan.GetNvlinkBackend()),
	}
	s.Threads = max(1, int(plan.GetThreadsPerRank()))
	s.addHosts(r.Header)
	s.addGPUs(r.Header)
	s.NoGPUs = noGPUs(r.Header)
	s.Resumed = len(r.Header.GetResumedUnixNs())
	s.Order = InOrder(plan.GetCases())
	for index, c := range plan.GetCases() {
		s.Shapes = append(s.Shapes, ShapeOf(c))
		s.Cases = append(s.Cases, summarizeCase(r, index, s))
	}
	s.Phases = summarizePhases(r)
	for i := range s.Phases {
		s.Cases[i].Phase = &s.Phases[i]
	}
	return s
}

// addHosts counts machines. Launchers on one of them share its CPUs.
func (s *Summary) addHosts(header *epperfv1.Header) {
	workers, cpus := map[host.ID]int{}, map[host.ID]int{}
	for _, described := range header.GetHosts() {
		at := host.IDOf(described)
		workers[at] += int(header.GetPlan().GetRanksPerHost()) * s.Threads
		cpus[at] = max(cpus[at], int(described.GetUsableCpus()))
	}
	s.Hosts = len(workers)
	for at, usable := range cpus {
		s.CPUs += usable
		s.Oversubscribed = s.Oversubscribed || !onGPUs(header.GetPlan()) && usable > 0 && workers[at] > usable
	}
	if header.PartOfNode != nil {
		node := int(header.GetPartOfNode())
		s.PartOfNode = &node
	}
}

func onGPUs(p *epperfv1.Plan) bool { return p.GetDevice() == epperfv1.Device_DEVICE_CUDA }

func ending(trailer *epperfv1.Trailer) Ending {
	switch {
	case trailer == nil:
		return Incomplete
	case trailer.GetStatus() == epperfv1.Trailer_STATUS_PASSED:
		return Passed
	case trailer.GetStatus() == epperfv1.Trailer_STATUS_INTERRUPTED:
		return Interrupted
	default:
		return Failed
	}
}

func summarizeCase(r *record.Record, index int, of *Summary) CaseSummary {
	sharedGPU := of.SharedGPU
	c := r.Header.GetPlan().GetCases()[index]
	s := CaseSummary{Shape: ShapeOf(c), SharedGPU: sharedGPU}
	ranks := make([]record.RankRecord, s.Ranks)
	for rank := range ranks {
		ranks[rank] = r.Rank(index, rank)
		s.addVerdict(rank, ranks[rank], c)
		if reasons := throttled(ranks[rank].Result); reasons != nil {
			s.Throttled = append(s.Throttled, Throttled{rank, reasons})
		}
	}
	s.Contention = contention(ranks, r.Header.GetPlan(), of.Oversubscribed)
	s.CarriedBy = carriedBy(ranks)
	s.StagedIn = stagedIn(ranks, s.CarriedBy)
	s.Overrides = overrides(r.Header, ranks, s.CarriedBy)
	s.Network = summarizeNetwork(r.Header, ranks)
	s.Soak = summarizeSoak(c, ranks)
	if !c.Operates() {
		s.Calibration = summarizeCalibration(c, onGPUs(r.Header.GetPlan()), ranks)
		return s
	}
	s.BytesPerRank = meanBytes(c, ranks)
	if c.GetPhase() != nil {
		return s
	}
	if s.Control = summarizeControl(&s, c, ranks); s.Control != nil {
		return s
	}
	if s.Finished == s.Ranks && !sharedGPU {
		s.addFigures(c, ranks)
	}
	if c.PassOfKind(epperfv1.Pass_KIND_FRESH) >= 0 {
		s.Detail = summarizeDetail(r, &s, c, ranks)
	}
	s.Beside = summarizeBeside(&s, c, ranks)
	return s
}

// addFigures computes what durations say, of ranks that all finished.
//
// With t_r the mean of rank r's durations in seconds over iterations 2…n, and B_r the bytes that
// its selections move in one iteration, its latency is t_r and its bandwidth B_r / 1e9 / t_r GB/s:
// bytes over the mean of times, not a mean of bandwidths. Ranks without selections have a latency
// only.
func (s *CaseSummary) addFigures(c *epperfv1.Case, ranks []record.RankRecord) {
	var latenciesNS, bandwidths []float64
	bandwidthKnown := true
	blocks := keptOf(ranks, 0)
	for number, rank := range ranks {
		meanNS, ok := stats.NewDistribution(blocks[number]).MeanNS()
		if !ok {
			return // a single iteration has none that is kept
		}
		latenciesNS = append(latenciesNS, meanNS)
		traffic := rank.Result.GetTraffic()
		// A mean of 0 is a clock that did not advance: no bandwidth, rather than an infinite one.
		bandwidthKnown = bandwidthKnown && traffic != nil && meanNS > 0 && rowsAreKnown(c)
		if traffic.GetSelections() > 0 {
			bandwidths = append(bandwidths, float64(BytesOf(c, traffic).Selections)/meanNS)
		}
	}
	slowest := slowestOf(blocks)
	s.Slowest, s.Groups = quantiles(slowest), groups(slowest)
	s.LatencyNS = spread(latenciesNS)
	if bandwidthKnown {
		s.Bandwidth = spread(bandwidths)
	}
}

// slowestOf returns, for each iteration that all ranks have, the longest duration of any.
func slowestOf(ranks [][]int64) stats.Distribution {
	slowestNS := slices.Clone(ranks[0])
	for _, rank := range ranks {
		slowestNS = slowestNS[:min(len(slowestNS), len(rank))]
		for i := range slowestNS {
			slowestNS[i] = max(slowestNS[i], rank[i])
		}
	}
	return stats.NewDistribution(slowestNS)
}

// quantiles returns nil where there is no sample.
func quantiles(d stats.Distribution) *Quantiles {
	if d.Samples() == 0 {
		return nil
	}
	at := func(q stats.Permille) *int64 {
		if ns, ok := d.QuantileNS(q); ok {
			return &ns
		}
		return nil
	}
	longest, _ := d.MaxNS()
	return &Quantiles{Samples: d.Samples(), P50: at(stats.P50), P95: at(stats.P95), P99: at(stats.P99), Max: longest}
}

// spread returns nil for no values.
func spread(values []float64) *Spread {
	if len(values) == 0 {
		return nil
	}
	var sum float64
	for _, value := range values {
		sum += value
	}
	return &Spread{Avg: sum / float64(len(values)), Min: slices.Min(values), Max: slices.Max(values)}
}

// meanBytes returns nil unless the traffic of every rank is known, and what a row holds.
func meanBytes(c *epperfv1.Case, ranks []record.RankRecord) *Bytes {
	if !rowsAreKnown(c) {
		return nil
	}
	var traffic []*epperfv1.Traffic
	for _, rank := range ranks {
		if rank.Result.GetTraffic() == nil {
			return nil
		}
		traffic = append(traffic, rank.Result.GetTraffic())
	}
	return MeanBytes(c, traffic)
}

// MeanBytes returns what one iteration of c moves, mean over ranks with this traffic, rounded.
func MeanBytes(c *epperfv1.Case, ranks []*epperfv1.Traffic) *Bytes {
	var selections, rankRows, remote float64
	for _, traffic := range ranks {
		bytes := BytesOf(c, traffic)
		selections += float64(bytes.Selections)
		rankRows += float64(bytes.Ranks)
		remote += float64(bytes.Remote)
	}
	mean := func(sum float64) uint64 { return uint64(math.Round(sum / float64(len(ranks)))) }
	return &Bytes{Selections: mean(selections), Ranks: mean(rankRows), Remote: mean(remote)}
}
