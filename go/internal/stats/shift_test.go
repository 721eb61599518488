package stats_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/epperf/epperf/go/internal/stats"
)

func TestShiftOf(t *testing.T) {
	for name, test := range map[string]struct {
		from, to []float64
		want     stats.Shift
	}{
		"one each has no bounds":    {[]float64{100}, []float64{105}, stats.Shift{Estimate: 1.05, High: math.Inf(1)}},
		"three each have no bounds": {[]float64{100, 100, 100}, []float64{150, 150, 150}, stats.Shift{Estimate: 1.5, High: math.Inf(1)}},
		// Of 4 and 4, only the smallest and the largest quotient: 2 of 70 orders are 2.9 %.
		"four each":              {[]float64{100, 200, 400, 800}, []float64{100, 200, 400, 800}, stats.Shift{Estimate: 1, Low: 0.125, High: 8}},
		"all alike":              {[]float64{7, 7, 7, 7, 7}, []float64{7, 7, 7, 7, 7}, stats.Shift{Estimate: 1, Low: 1, High: 1}},
		"one side alone is many": {[]float64{10}, []float64{20, 20, 20, 20}, stats.Shift{Estimate: 2, High: math.Inf(1)}},
	} {
		t.Run(name, func(t *testing.T) {
			if got, ok := stats.ShiftOf(test.from, test.to, 0.95); !ok || got != test.want {
				t.Errorf("ShiftOf = %+v, %t; want %+v", got, ok, test.want)
			}
		})
	}
	if _, ok := stats.ShiftOf(nil, []float64{1}, 0.95); ok {
		t.Error("nothing has a shift")
	}
}

// The bounds are those of the tables: of 6 and 6 the test rejects from 5 wrong pairs down.
func TestBoundsAreThoseOfTheTables(t *testing.T) {
	for _, test := range []struct{ n, m, critical int }{{4, 4, 0}, {5, 5, 2}, {6, 6, 5}, {8, 8, 13}, {10, 10, 23}, {6, 10, 11}, {20, 20, 127}} {
		from, to := make([]float64, test.n), make([]float64, test.m)
		for i := range from {
			from[i] = 1
		}
		for i := range to {
			to[i] = 1
		}
		// Pairs differ only in the last: quotients are 1 but for n of them, which are large.
		quotients := test.n * test.m
		for big := range test.m {
			to[big] = float64(big + 2) // n quotients of each
		}
		got, _ := stats.ShiftOf(from, to, 0.95)
		// The (critical+1)-th smallest of quotients that come in runs of n.
		if want := float64(test.critical/test.n + 2); got.Low != want || quotients < test.critical {
			t.Errorf("%d and %d: low %v; want %v", test.n, test.m, got.Low, want)
		}
	}
}

// Bounds with 95 % hold in 95 % of all cases, whatever is measured.
func TestBoundsHoldAsOftenAsTheySay(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	const rounds, factor = 2000, 1.1
	missed := 0
	for range rounds {
		from, to := make([]float64, 6), make([]float64, 7)
		for i := range from {
			from[i] = math.Exp(random.NormFloat64())
		}
		for i := range to {
			to[i] = factor * math.Exp(random.NormFloat64())
		}
		if got, _ := stats.ShiftOf(from, to, 0.95); got.Low > factor || got.High < factor {
			missed++
		}
	}
	if missed > rounds*5/100 || missed == 0 {
		t.Errorf("%d of %d intervals miss the factor", missed, rounds)
	}
}

func TestLeastP(t *testing.T) {
	for _, test := range []struct {
		from, to int
		want     float64
	}{{3, 3, 0.1}, {4, 4, 2. / 70}, {6, 6, 2. / 924}, {1, 1, 1}, {0, 5, 1}} {
		if got := stats.LeastP(test.from, test.to); math.Abs(got-test.want) > 1e-12 {
			t.Errorf("LeastP(%d, %d) = %v; want %v", test.from, test.to, got, test.want)
		}
	}
}
