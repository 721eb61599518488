package report

import (
	"bytes"
	"fmt"
	"strings"

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

// bounds says what each operation had to move, and at which rate.
func bounds(parts []record.SharePart) string {
	var each []string
	for _, part := range parts {
		text := fmt.Sprintf("%s bytes a rank at %.2f GB/s", thousands(uint64(part.Bytes)), part.Rate)
		switch part.By {
		case record.Link:
			text = part.Op + " by the link, " + text
		case record.GPUMemory:
			text = part.Op + " by memory, " + text
		}
		each = append(each, text)
	}
	return strings.Join(each, "; ")
}

func share(s *record.Summary, c *record.CaseSummary) string {
	switch of := c.Detail.Share; {
	case of != nil:
		return fmt.Sprintf("%.1f%% (%s, calibration %s)", 100*of.OfTime, bounds(of.Parts), printable(of.RunID))
	case s.SharedGPU:
		return noFigures(c)
	case s.Device != "cpu" && c.Combine == "expert":
		return "n/a (of rows that come back one a selection, nobody counts the remote ones)"
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
