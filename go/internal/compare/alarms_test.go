package compare_test

import (
	"math/rand/v2"
	"path/filepath"
	"testing"

	"github.com/epperf/epperf/go/internal/compare"
	"github.com/epperf/epperf/go/internal/record"
	"github.com/epperf/epperf/go/internal/stats"
)

func read(t *testing.T, path string) *record.Record {
	t.Helper()
	kept, err := record.Read(path)
	if err != nil {
		t.Fatal(err)
	}
	return kept
}

// onCPUs are the figures of real launches of one build on two cores that others used as well.
func onCPUs(t *testing.T) []float64 {
	t.Helper()
	paths, err := filepath.Glob("../../../testdata/launches/*.epperf")
	if err != nil || len(paths) < 50 {
		t.Fatalf("%d launches, %v", len(paths), err)
	}
	var ns []float64
	for _, path := range paths {
		kept := read(t, path)
		results, _, err := compareRecords([]*record.Record{kept}, []*record.Record{kept}, threePercent)
		if err != nil {
			t.Fatal(err)
		}
		ns = append(ns, results[0].Old.NS...)
	}
	return ns
}

// A draw returns the values of so many launches of one build.
type draw func(random *rand.Rand, launches int) []float64

// fromCPUs draws launches, each once.
func fromCPUs(t *testing.T) draw {
	all := onCPUs(t)
	return func(random *rand.Rand, launches int) []float64 {
		var drawn []float64
		for _, at := range random.Perm(len(all))[:launches] {
			drawn = append(drawn, all[at])
		}
		return drawn
	}
}

// fromGPUs makes launches of the iterations of one on two H100s: each is the median of ten of them. It
// stands for launches that differ as little as iterations do.
func fromGPUs(t *testing.T) draw {
	kept := read(t, "../../../testdata/records/h100x2-dispatch-expert.epperf")
	zero, one := kept.Rank(0, 0).Pass(0)[1:], kept.Rank(0, 1).Pass(0)[1:]
	return func(random *rand.Rand, launches int) []float64 {
		var drawn []float64
		for range launches {
			var iterations []int64
			for _, at := range random.Perm(len(zero))[:10] {
				iterations = append(iterations, max(zero[at], one[at]))
			}
			median, _ := stats.NewDistribution(iterations).MedianNS()
			drawn = append(drawn, float64(median))
		}
		return drawn
	}
}

// outcomes are those of many comparisons of six launches with six, the second of which take longer by a
// factor.
type outcomes struct{ different, regressions int }

func thousandPairs(seed uint64, from draw, factor float64) (all outcomes) {
	random := rand.New(rand.NewPCG(18, seed))
	for range 1000 {
		twelve := from(random, 12)
		before, after := twelve[:6], twelve[6:]
		for i := range after {
			after[i] *= factor
		}
		result := compare.Judged(before, after, threePercent)
		if result.Verdict == compare.Slower || result.Verdict == compare.Faster {
			all.different++
		}
		if result.Regression {
			all.regressions++
		}
	}
	return all
}

// Equal builds: how often are they called different, and how often does the gate of a CI close? At most
// in 50 of a thousand pairs.
func TestEqualBuildsRaiseFewAlarms(t *testing.T) {
	for name, from := range map[string]draw{"launches on CPUs": fromCPUs(t), "iterations on GPUs": fromGPUs(t)} {
		got := thousandPairs(1, from, 1)
		t.Logf("%s: of 1000 pairs of equal builds %d are called different, %d a regression", name, got.different, got.regressions)
		if got.different > 50 || got.regressions > 50 {
			t.Errorf("%s: of 1000 pairs of equal builds %d are called different, %d a regression", name, got.different, got.regressions)
		}
		if got.different == 0 {
			t.Errorf("%s: nothing is ever called different: this test cannot fail", name)
		}
	}
}

// A planted regression is found where launches differ less than it.
func TestAPlantedRegressionIsFound(t *testing.T) {
	for name, test := range map[string]struct {
		from   draw
		factor float64
		least  int
	}{
		"5 % on GPUs":                      {fromGPUs(t), 1.05, 990},
		"5 % on CPUs, lost in their noise": {fromCPUs(t), 1.05, 0},
		"four times as long on noisy CPUs": {fromCPUs(t), 4, 900},
	} {
		got := thousandPairs(2, test.from, test.factor)
		t.Logf("%s: found in %d of 1000 pairs", name, got.regressions)
		if got.regressions < test.least {
			t.Errorf("%s: found in %d of 1000 pairs; want %d", name, got.regressions, test.least)
		}
	}
}
