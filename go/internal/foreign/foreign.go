// Package foreign reads what other tools print, as figures that say what they are of: which boundary is
// timed, how bytes are counted, in which layout rows are left. Figures that differ in any of it are never
// put in one order.
package foreign

import (
	"bufio"
	"fmt"
	"io"
	"slices"
	"strings"
)

// A Boundary is from where to where a time runs.
type Boundary string

// The boundaries.
const (
	// Kernels are the kernels alone, by a profiler or the GPU's clock.
	Kernels Boundary = "kernels"
	// Events are between CUDA events around the operation.
	Events Boundary = "events"
	// Host is by a host's clock, the mean of a loop.
	Host Boundary = "host"
	// Transfer is from posting a transfer until it is complete.
	Transfer Boundary = "transfer"
	// CPU is by the clock of the CPU that does the work.
	CPU Boundary = "cpu"
)

// A Counting is which bytes a bandwidth is of.
type Counting string

// The ways to count.
const (
	// Selections: one row for each (token, expert).
	Selections Counting = "selections"
	// RankRows: one row for each (token, rank) that is received, over NVLink or RDMA.
	RankRows Counting = "rank rows"
	// AlgorithmBytes: the size of the buffer over the time, whatever crosses.
	AlgorithmBytes Counting = "algbw"
	// Payload is what is transferred.
	Payload Counting = "payload"
)

// A Figure is one that a tool printed.
type Figure struct {
	Tool      string `json:"tool"`
	File      string `json:"file,omitempty"`
	Line      int    `json:"line,omitempty"`
	Operation string `json:"operation"`
	// Shape is as the output or the user says; "" is unknown.
	Shape    string   `json:"shape,omitempty"`
	Dtype    string   `json:"dtype,omitempty"`
	Layout   string   `json:"layout,omitempty"`
	Combine  string   `json:"combine,omitempty"`
	Quantize string   `json:"quantize,omitempty"`
	Boundary Boundary `json:"boundary"`
	Bytes    Counting `json:"bytes,omitempty"`
	// SMs is 0 where the output does not say.
	SMs int `json:"sms,omitempty"`
	// Ranks is how many printed the figure, which is their mean; 0 where it is printed once.
	Ranks int `json:"ranks,omitempty"`
	// LatencyNS and Bandwidth, in bytes per nanosecond, are nil where they are not printed.
	LatencyNS *float64 `json:"latency_ns,omitempty"`
	Bandwidth *float64 `json:"bandwidth_bytes_per_ns,omitempty"`
}

// Comparable is equal for figures that may stand in one order.
func (f *Figure) Comparable() string {
	parts := []string{
		f.Operation, f.Shape, f.Dtype, f.Layout, f.Combine, f.Quantize, string(f.Boundary), string(f.Bytes), fmt.Sprint(f.SMs),
	}
	return strings.Join(parts, "\x00")
}

// A Group is figures that are comparable, the shortest latency first, those without one last.
type Group struct {
	Figures []Figure
	// Ranked: the order means something. It does not where the shape is unknown, or there is one figure.
	Ranked bool
}

// Groups puts figures together that are comparable, in the order of their first.
func Groups(all []Figure) []Group {
	at := map[string]int{}
	var groups []Group
	for i := range all {
		key := all[i].Comparable()
		place, known := at[key]
		if !known {
			place = len(groups)
			at[key], groups = place, append(groups, Group{})
		}
		groups[place].Figures = append(groups[place].Figures, all[i])
	}
	for i := range groups {
		of := groups[i].Figures
		slices.SortStableFunc(of, func(a, b Figure) int {
			switch {
			case a.LatencyNS == nil && b.LatencyNS == nil:
				return 0
			case b.LatencyNS == nil || a.LatencyNS != nil && *a.LatencyNS < *b.LatencyNS:
				return -1
			case a.LatencyNS == nil || *a.LatencyNS > *b.LatencyNS:
				return 1
			default:
				return 0
			}
		})
		timed := len(of) > 1 && of[0].LatencyNS != nil && of[1].LatencyNS != nil
		groups[i].Ranked = of[0].Shape != "" && timed
	}
	return groups
}

// readers are the tools whose output is known.
var readers = map[string]func(lines) []Figure{
	"deepep": deepEP, "nixl-ep": nixlEP, "nccl-ep": ncclEP, "nccl-tests": ncclTests, "nixlbench": nixlBench,
}

// Tools are those that Read knows.
func Tools() []string {
	var all []string
	for tool := range readers {
		all = append(all, tool)
	}
	slices.Sort(all)
	return all
}

// lines are those of an output, the first at 0.
type lines []string

// mostBytes of an output are read: no tool prints more than that of figures.
const mostBytes = 16 << 20

// Read returns the figures that a tool printed. An output without any is an error. Lines that are no
// figures are passed over: programs print much beside them.
func Read(tool string, output io.Reader, path string) ([]Figure, error) {
	read, known := readers[tool]
	if !known {
		return nil, fmt.Errorf("no tool %q; try one of %s", tool, strings.Join(Tools(), ", "))
	}
	scanner := bufio.NewScanner(io.LimitReader(output, mostBytes))
	scanner.Buffer(nil, 1<<20)
	var all lines
	for scanner.Scan() {
		all = append(all, scanner.Text())
	}
	if err := scanner.Err(); err != nil {
		return nil, fmt.Errorf("read %s: line %d: %w", path, len(all)+1, err)
	}
	figures := read(all)
	if len(figures) == 0 {
		return nil, fmt.Errorf("read %s: no figures of %s in %d lines", path, tool, len(all))
	}
	for i := range figures {
		figures[i].Tool, figures[i].File = tool, path
		figures[i].normalize()
	}
	return figures, nil
}
