// Package compare holds the records of two builds, or of two machines, against each other. The launch
// is what is repeated: iterations of one launch share its memory, its clocks and its place on the
// machine, so a record gives one value.
package compare

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/perf/benchmath"

	"github.com/epperf/epperf/go/internal/figures"
	"github.com/epperf/epperf/go/internal/stats"
)

// A Figure is what is compared. All are durations, so less is better.
type Figure string

// The figures. Each is one value of a record's case.
const (
	// Slowest is p50 of the slowest rank of each iteration: what a layer waits for.
	Slowest Figure = "slowest"
	// Latency is the mean over ranks of their means.
	Latency Figure = "latency"
	// Kernels is as Slowest, of the kernels alone; of records with details on GPUs.
	Kernels Figure = "kernels"

	// Step is p50 of a step of a control plane, and Phase a time of a phase of an elastic run: what such a case has
	// instead, whatever a user types.
	Step  Figure = "step"
	Phase Figure = "phase"
)

// Figures are those that a user chooses from.
var Figures = []Figure{Slowest, Latency, Kernels}

// of returns the figure of a case in nanoseconds; false if it has none.
func (f Figure) of(c *figures.CaseSummary) (ns float64, ok bool) {
	var quantiles *figures.Quantiles
	switch {
	case f == Latency:
		if c.LatencyNS == nil {
			return 0, false
		}
		return c.LatencyNS.Avg, c.LatencyNS.Avg > 0
	case f == Kernels:
		if c.Detail != nil && c.Detail.GPU != nil {
			quantiles = c.Detail.GPU.Kernels
		}
	default:
		quantiles = c.Slowest
	}
	if quantiles == nil || quantiles.P50 == nil {
		return 0, false
	}
	return float64(*quantiles.P50), *quantiles.P50 > 0
}

// Options are what a comparison goes by.
type Options struct {
	Figure Figure
	// Threshold is the change that matters, as a part of one: 0.03 is 3 %.
	Threshold float64
}

const (
	// Confidence is that of all intervals.
	Confidence = 0.95
	// alpha is how often equal builds may be called different, all cases of a comparison together.
	alpha = 1 - Confidence
)

// DefaultThreshold is one as it is typed, for who does not choose.
const DefaultThreshold = "3%"

// ParseThreshold reads 5% or 0.05, and DefaultThreshold of "".
func ParseThreshold(text string) (float64, error) {
	number, percent := strings.CutSuffix(cmp.Or(text, DefaultThreshold), "%")
	value, err := strconv.ParseFloat(number, 64)
	if percent {
		value /= 100
	}
	if err != nil || !(value > 0 && value < 1) {
		return 0, errors.New("a change is more than 0% and less than 100%, such as 5%")
	}
	return value, nil
}

// A Verdict is what can be said of the new side of a case.
type Verdict string

// The verdicts.
const (
	Faster Verdict = "faster"
	Slower Verdict = "slower"
	// Same: the change is smaller than the threshold, either way.
	Same Verdict = "same"
	// Undecided: see the reasons.
	Undecided Verdict = "undecided"
)

// A Side is the launches of one build.
type Side struct {
	// NS are their values, in ascending order.
	NS []float64
	// Median has bounds by order statistics, whatever the distribution; 0 and +Inf where there are too
	// few launches for any.
	Median, Low, High float64
}

// A Result is what one case came to.
type Result struct {
	Name     string
	Figure   Figure
	Old, New Side
	// Shift is by what factor the new durations are those of the old.
	Shift stats.Shift
	// P is how likely a difference as clear as this is between equal builds, by an exact rank-sum test,
	// made larger for the number of cases (Holm).
	P       float64
	Verdict Verdict
	// Regression: it is slower, by the threshold or more.
	Regression bool
	// Reasons say why it is undecided, and what else a reader has to know.
	Reasons []Reason
}

// Change returns the estimate as a part of one: 0.05 is 5 % slower.
func (r *Result) Change() float64 { return r.Shift.Estimate - 1 }

// Launched compares all cases that both sides have, in the order of the old ones. The names of cases that
// only one side has are returned apart. Both sides are of the options' figure.
func Launched(oldCases, newCases *Launches, options Options) (results []Result, alone []string, err error) {
	for _, c := range oldCases.order {
		if newCases.by[c] == nil {
			alone = append(alone, c)
			continue
		}
		if len(oldCases.by[c].ns)+len(newCases.by[c].ns) == 0 {
			continue // nobody has the figure
		}
		result := values(oldCases.by[c].ns, newCases.by[c].ns, options)
		result.Name, result.Figure = c, oldCases.by[c].figure
		result.Reasons = reasons(oldCases.by[c], newCases.by[c])
		results = append(results, result)
	}
	for _, c := range newCases.order {
		if oldCases.by[c] == nil {
			alone = append(alone, c)
		}
	}
	if len(results) == 0 {
		return nil, alone, fmt.Errorf("no case with the figure %s is on both sides", options.Figure)
	}
	holm(results)
	for i := range results {
		results[i].judge(options, len(results))
	}
	return results, alone, nil
}

// Judged compares the values in nanoseconds of one case, one a launch, of which nothing else is known.
func Judged(before, after []float64, options Options) Result {
	result := values(before, after, options)
	result.judge(options, 1)
	return result
}

// values compares without a verdict.
func values(before, after []float64, options Options) Result {
	shift, ok := stats.ShiftOf(before, after, Confidence)
	if !ok {
		shift = stats.Shift{Estimate: 1, High: math.Inf(1)}
	}
	thresholds := &benchmath.Thresholds{CompareAlpha: alpha}
	from := benchmath.NewSample(slices.Clone(before), thresholds)
	to := benchmath.NewSample(slices.Clone(after), thresholds)
	return Result{
		Figure: options.Figure, Old: sideOf(from), New: sideOf(to), Shift: shift,
		P: benchmath.AssumeNothing.Compare(from, to).P,
	}
}

func sideOf(s *benchmath.Sample) Side {
	side := Side{NS: s.Values}
	if len(s.Values) == 0 {
		return side
	}
	summary := benchmath.AssumeNothing.Summary(s, Confidence)
	side.Median, side.Low, side.High = summary.Center, max(0, summary.Lo), summary.Hi
	return side
}

// holm makes probabilities larger so that all of them together are wrong as rarely as one: the smallest
// by the number of cases, the next by one less, and none below one before it.
func holm(results []Result) {
	order := make([]int, len(results))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		switch {
		case results[a].P < results[b].P:
			return -1
		case results[a].P > results[b].P:
			return 1
		default:
			return 0
		}
	})
	least := 0.0
	for place, i := range order {
		least = max(least, min(1, results[i].P*float64(len(order)-place)))
		results[i].P = least
	}
}

// judge says what can be said, once all reasons are known.
func (r *Result) judge(options Options, cases int) {
	within := r.Shift.Low >= 1-options.Threshold && r.Shift.High <= 1+options.Threshold
	switch {
	case slices.ContainsFunc(r.Reasons, Reason.forbids):
		r.Verdict = Undecided
	case stats.LeastP(len(r.Old.NS), len(r.New.NS))*float64(cases) > alpha:
		r.Verdict = Undecided
		r.Reasons = append(r.Reasons, Reason{Kind: TooFew, Launches: launchesFor(cases)})
	case r.P <= alpha && r.Shift.Estimate > 1:
		r.Verdict = Slower
		r.Regression = r.Change() >= options.Threshold
	case r.P <= alpha && r.Shift.Estimate < 1:
		r.Verdict = Faster
	case within:
		r.Verdict = Same
	default:
		r.Verdict = Undecided
		r.Reasons = append(r.Reasons, Reason{Kind: TooWide})
	}
}

// launchesFor returns how many launches a side can tell anything apart, with so many cases.
func launchesFor(cases int) int {
	launches := 1
	for stats.LeastP(launches, launches)*float64(cases) > alpha {
		launches++
	}
	return launches
}
