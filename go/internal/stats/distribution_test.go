package stats_test

import (
	"testing"

	"github.com/epperf/epperf/go/internal/stats"
)

func TestQuantileNeedsASampleAboveIt(t *testing.T) {
	for name, test := range map[string]struct {
		samples int // the values are samples, …, 2, 1: NewDistribution must sort
		q       stats.Permille
		wantNS  int64
		wantOK  bool
	}{
		"p50 of 2 is the lower one":      {2, stats.P50, 1, true},
		"p50 of 3 is the middle one":     {3, stats.P50, 2, true},
		"p50 of 1 would be the maximum":  {1, stats.P50, 0, false},
		"p95 of 99":                      {99, stats.P95, 95, true},
		"p95 of 20 is not the maximum":   {20, stats.P95, 19, true},
		"p95 of 19 would be the maximum": {19, stats.P95, 0, false},
		"p99 of 100 is not the maximum":  {100, stats.P99, 99, true},
		"p99 of 99 would be the maximum": {99, stats.P99, 0, false},
		"p100 is never a quantile":       {100, 1000, 0, false},
		"p0 is never a quantile":         {100, 0, 0, false},
		"no samples":                     {0, stats.P50, 0, false},
	} {
		t.Run(name, func(t *testing.T) {
			gotNS, gotOK := stats.NewDistribution(countdown(test.samples)).QuantileNS(test.q)
			if gotNS != test.wantNS || gotOK != test.wantOK {
				t.Errorf("QuantileNS(%d) = %d, %t; want %d, %t", test.q, gotNS, gotOK, test.wantNS, test.wantOK)
			}
		})
	}
}

func TestQuantileOfTiesIsTheTie(t *testing.T) {
	tied := stats.NewDistribution([]int64{7, 7, 7, 7})
	if ns, ok := tied.QuantileNS(stats.P50); ns != 7 || !ok {
		t.Errorf("QuantileNS(P50) = %d, %t; want 7, true", ns, ok)
	}
}

func TestLongestAndMean(t *testing.T) {
	for name, test := range map[string]struct {
		durationsNS []int64
		maxNS       int64
		meanNS      float64
	}{
		"one sample":    {[]int64{5}, 5, 5},
		"unsorted":      {[]int64{30, 10, 20}, 30, 20},
		"mean is exact": {[]int64{1 << 50, 1<<50 + 1}, 1<<50 + 1, 1<<50 + 0.5},
	} {
		t.Run(name, func(t *testing.T) {
			d := stats.NewDistribution(test.durationsNS)
			if ns, ok := d.MaxNS(); ns != test.maxNS || !ok {
				t.Errorf("MaxNS() = %d, %t; want %d, true", ns, ok, test.maxNS)
			}
			if ns, ok := d.MeanNS(); ns != test.meanNS || !ok {
				t.Errorf("MeanNS() = %g, %t; want %g, true", ns, ok, test.meanNS)
			}
		})
	}
}

func TestNoSamplesHaveNoFigures(t *testing.T) {
	var none stats.Distribution
	if _, ok := none.MaxNS(); ok {
		t.Error("MaxNS is known")
	}
	if _, ok := none.MeanNS(); ok {
		t.Error("MeanNS is known")
	}
	if samples := none.Samples(); samples != 0 {
		t.Errorf("Samples() = %d; want 0", samples)
	}
}

func TestMedianWasMeasured(t *testing.T) {
	for samples, want := range map[int]int64{1: 1, 2: 1, 3: 2, 4: 2, 99: 50} {
		if ns, ok := stats.NewDistribution(countdown(samples)).MedianNS(); ns != want || !ok {
			t.Errorf("of %d samples MedianNS() = %d, %t; want %d, true", samples, ns, ok, want)
		}
	}
	if _, ok := stats.NewDistribution(nil).MedianNS(); ok {
		t.Error("no samples have a median")
	}
}

func TestDistributionKeepsItsOwnCopy(t *testing.T) {
	durations := []int64{3, 1, 2}
	d := stats.NewDistribution(durations)
	durations[1] = 100
	if ns, _ := d.MedianNS(); ns != 2 || durations[0] != 3 {
		t.Errorf("MedianNS() = %d, input begins with %d; want 2 and 3", ns, durations[0])
	}
}

func countdown(n int) []int64 {
	values := make([]int64, n)
	for i := range values {
		values[i] = int64(n - i)
	}
	return values
}
