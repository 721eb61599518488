package stats_test

import (
	"fmt"

	"github.com/epperf/epperf/go/internal/stats"
)

// Five durations, which are too few for a 99th percentile.
func ExampleNewDistribution() {
	d := stats.NewDistribution([]int64{310, 290, 300, 305, 950})
	mean, _ := d.MeanNS()
	median, _ := d.MedianNS()
	_, ok := d.QuantileNS(stats.P99)
	fmt.Println(mean, median, ok)
	// Output: 431 305 false
}
