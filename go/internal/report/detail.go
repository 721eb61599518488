package report

import (
	"bytes"
	"fmt"

	"github.com/epperf/epperf/go/internal/record"
)

// writeDetail writes the lines of --detail.
func writeDetail(text *bytes.Buffer, s *record.Summary, c *record.CaseSummary) {
	fresh, pair := noFigures(c), noFigures(c)
	if c.Detail.Fresh != nil {
		fresh = quantiles(c.Detail.Fresh, microseconds)
	}
	if c.Detail.PairNS != nil {
		pair = fmt.Sprintf("median=%s (%s)", microseconds(*c.Detail.PairNS), plural(c.Detail.Pairs, "pair"))
	}
	fmt.Fprintf(text, "Fresh entry (μs):  %s\n", fresh)
	fmt.Fprintf(text, "Chained pair (μs): %s\n", pair)
	if gpu := c.Detail.GPU; gpu != nil {
		writeGPUDetail(text, c, gpu)
	}
	fmt.Fprintf(text, "Share of the limit: %s\n", share(s, c))
}

// writeGPUDetail writes what is timed on GPUs alone.
func writeGPUDetail(text *bytes.Buffer, c *record.CaseSummary, gpu *record.GPUDetail) {
	graph, kernels := noFigures(c), noFigures(c)
	if gpu.GraphNS != nil {
		graph = fmt.Sprintf("median=%s (%s of %s)", microseconds(*gpu.GraphNS),
			plural(gpu.Replays, "replay"), plural(gpu.GraphOperations, "operation"))
	}
	if gpu.Kernels != nil {
		kernels = quantiles(gpu.Kernels, microseconds)
	}
	fmt.Fprintf(text, "Graph replay (μs): %s\n", graph)
	fmt.Fprintf(text, "Kernels only (μs): %s\n", kernels)
}

func share(s *record.Summary, c *record.CaseSummary) string {
	switch of := c.Detail.Share; {
	case of != nil:
		return fmt.Sprintf("%.1f%% (%s bytes a rank at %.2f GB/s, calibration %s)",
			100*of.OfTime, thousands(uint64(of.LeastBytes)), of.Rate, printable(of.RunID))
	case s.Device != "cpu":
		return "n/a (a calibration is of CPUs and their memory)"
	case s.Backend != "ipc":
		return "n/a (a calibration is of mapped memory)"
	case s.Hosts > 1:
		return "n/a (a calibration is of one launcher's ranks)"
	case s.Threads > 1:
		return "n/a (a calibration copies with one thread a rank)"
	case c.Finished < c.Ranks:
		return noFigures(c)
	default:
		return fmt.Sprintf("n/a (no calibration of this machine; perf calibrate --num-processes=%d makes one)", c.Ranks)
	}
}
