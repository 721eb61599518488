package figures_test

import (
	"fmt"

	"github.com/epperf/epperf/go/internal/figures"
	"github.com/epperf/epperf/go/internal/record"
)

// The figures of a record are those that the screen shows, before they are rounded.
func ExampleSummarize() {
	kept, err := record.Read("../../../testdata/records/h100x2-dispatch-expert.epperf")
	if err != nil {
		fmt.Println(err)
		return
	}
	summary := figures.Summarize(kept)
	for _, c := range summary.Cases {
		fmt.Printf("%s on %d x %s: %.2f GB/s, %.1f ns\n",
			c.Mode, summary.GPUCount(), summary.GPUs[0].Name, c.Bandwidth.Avg, c.LatencyNS.Avg)
	}
	fmt.Println("passed:", summary.Passed())
	// Output:
	// dispatch on 2 x NVIDIA H100 80GB HBM3: 1421.93 GB/s, 170715.4 ns
	// passed: true
}
