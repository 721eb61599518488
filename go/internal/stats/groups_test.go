package stats_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/epperf/epperf/go/internal/stats"
)

func TestTwoGroups(t *testing.T) {
	repeated := func(ns int64, times int) []int64 { return slices.Repeat([]int64{ns}, times) }
	for name, test := range map[string]struct {
		samplesNS    [][]int64
		lower, upper stats.Group // none if they have no samples
	}{
		"none":                          {},
		"all alike":                     {samplesNS: [][]int64{repeated(13, 99)}},
		"one":                           {samplesNS: [][]int64{{5}}},
		"half and half":                 {[][]int64{repeated(13, 50), repeated(408, 49)}, stats.Group{50, 13}, stats.Group{49, 408}},
		"few long ones":                 {[][]int64{repeated(13, 91), repeated(408, 8)}, stats.Group{91, 13}, stats.Group{8, 408}},
		"few short ones":                {[][]int64{repeated(13, 8), repeated(408, 91)}, stats.Group{8, 13}, stats.Group{91, 408}},
		"seven are a tail":              {samplesNS: [][]int64{repeated(13, 92), repeated(408, 7)}},
		"8 of 16":                       {[][]int64{repeated(13, 8), repeated(408, 8)}, stats.Group{8, 13}, stats.Group{8, 408}},
		"7 of 15":                       {samplesNS: [][]int64{repeated(13, 8), repeated(408, 7)}},
		"5 % of 999":                    {[][]int64{repeated(13, 949), repeated(408, 50)}, stats.Group{940, 13}, stats.Group{50, 408}},
		"less than 5 % of 999":          {samplesNS: [][]int64{repeated(13, 950), repeated(408, 49)}},
		"half as long again":            {samplesNS: [][]int64{repeated(100, 50), repeated(150, 49)}},
		"and a little":                  {[][]int64{repeated(100, 50), repeated(151, 49)}, stats.Group{50, 100}, stats.Group{49, 151}},
		"most are long":                 {[][]int64{repeated(100, 20), repeated(151, 79)}, stats.Group{20, 100}, stats.Group{79, 151}},
		"one in between, of 100":        {[][]int64{repeated(13, 50), {200}, repeated(408, 49)}, stats.Group{50, 13}, stats.Group{49, 408}},
		"one far away, beside them":     {[][]int64{repeated(13, 50), repeated(408, 49), {9000}}, stats.Group{49, 13}, stats.Group{50, 408}},
		"three, apart where it is most": {[][]int64{repeated(13, 50), repeated(100, 30), repeated(900, 19)}, stats.Group{80, 13}, stats.Group{19, 900}},
		"a ramp":                        {samplesNS: [][]int64{ramp(99)}},
		"a tail that grows thinner":     {samplesNS: [][]int64{repeated(100, 80), {110, 130, 160, 200, 260, 340, 450, 600, 800, 1100, 1500, 2000}}},
	} {
		t.Run(name, func(t *testing.T) {
			lower, upper, ok := stats.NewDistribution(slices.Concat(test.samplesNS...)).TwoGroups()
			if want := test.lower.Samples > 0; ok != want || ok && (lower != test.lower || upper != test.upper) {
				t.Errorf("TwoGroups() = %+v, %+v, %t; want %+v, %+v, %t", lower, upper, ok, test.lower, test.upper, want)
			}
		})
	}
}

func ramp(n int) []int64 {
	values := make([]int64, n)
	for i := range values {
		values[i] = 1000 + 20*int64(i)
	}
	return values
}

// Noise of many forms is one group, but for a few in a thousand; two that a machine jumps between
// are found.
func TestTwoGroupsAmongNoise(t *testing.T) {
	const runs, samples = 1000, 99
	random := rand.New(rand.NewPCG(1, 2))
	mixed := func(lowUS, highUS, share float64) func() float64 {
		return func() float64 {
			us := lowUS
			if random.Float64() < share {
				us = highUS
			}
			return us * math.Exp(0.05*random.NormFloat64())
		}
	}
	for name, test := range map[string]struct {
		drawUS      func() float64
		least, most int // of so many runs
	}{
		"normal, 2 %":             {func() float64 { return 100 * (1 + 0.02*random.NormFloat64()) }, 0, 0},
		"normal, 20 %":            {func() float64 { return 100 * max(0.1, 1+0.2*random.NormFloat64()) }, 0, 0},
		"lognormal":               {func() float64 { return 100 * math.Exp(0.5*random.NormFloat64()) }, 0, 2},
		"exponential over a base": {func() float64 { return 100 * (1 + random.ExpFloat64()) }, 0, 2},
		"Pareto":                  {func() float64 { return 100 / (1 - random.Float64()) }, 0, 10},
		"T=32, one in five":       {mixed(13, 408, 0.2), runs - 5, runs}, // of 2,000 runs one has too few that are high
		"T=32, half":              {mixed(13, 408, 0.5), runs, runs},
		"T=128, four in five":     {mixed(17, 610, 0.8), runs - 5, runs},
		"T=4096, one in three":    {mixed(227, 1310, 0.3), runs, runs},
	} {
		t.Run(name, func(t *testing.T) {
			*random = *rand.New(rand.NewPCG(1, 2)) // the same draws, in whichever order cases come
			found := 0
			for range runs {
				durationsNS := make([]int64, samples)
				for i := range durationsNS {
					durationsNS[i] = int64(1000 * test.drawUS())
				}
				if _, _, ok := stats.NewDistribution(durationsNS).TwoGroups(); ok {
					found++
				}
			}
			if found < test.least || found > test.most {
				t.Errorf("two groups in %d of %d runs; want %d to %d", found, runs, test.least, test.most)
			}
		})
	}
}
