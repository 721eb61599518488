package report

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/epperf/epperf/go/internal/record"
)

// This file writes the block that scripts and eyes already know. Its lines keep their bytes, but
// for the title and the Device line.

var rule = strings.Repeat("=", 70)

func writeHeader(text *bytes.Buffer, s *record.Summary, c *record.CaseSummary) {
	lines := []string{
		rule,
		"EP Data Plane Performance Test",
		rule,
		"Mode: " + c.Mode,
		fmt.Sprintf("Ranks: %d, Tokens: %s, Hidden: %d", c.Ranks, tokens(c), c.Hidden),
		fmt.Sprintf("Experts: %d/rank (%d total), TopK: %d", c.ExpertsPerRank, c.Experts(), c.Topk),
	}
	if c.Layout != "" { // two layouts never look alike
		lines = append(lines, fmt.Sprintf("Layout: %s, Combine: %s", c.Layout, c.Combine))
	}
	if c.Quantize != "" { // nor do two inputs
		lines = append(lines, fmt.Sprintf("Quantize: %s (codes and scales are the input)", c.Quantize))
	}
	lines = append(lines,
		"Backend: "+backend(s.Backend),
		"Device: "+device(s, c),
	)
	if c.SMs > 0 { // nor two shares of a GPU
		lines = append(lines, "SMs: "+sms(s, c))
	}
	lines = append(lines,
		measured(c),
		rule,
		"",
	)
	text.WriteString(strings.Join(lines, "\n") + "\n")
}

// measured says what comes between the checks.
func measured(c *record.CaseSummary) string {
	if c.Soak != nil {
		return "Measure: " + plannedSoak(c.Soak)
	}
	return fmt.Sprintf("Warmup: %d, Measure: %d iterations", c.Warmup, c.Iterations)
}

func writeResult(text *bytes.Buffer, c *record.CaseSummary) {
	fmt.Fprintln(text, rule)
	what := c.Mode
	if c.Layout != "" {
		what += fmt.Sprintf(", layout %s, combine %s", c.Layout, c.Combine)
	}
	if c.Quantize != "" {
		what += ", quantize " + c.Quantize
	}
	if c.SMs > 0 {
		what += ", " + plural(c.SMs, "SM")
	}
	fmt.Fprintf(text, "Data Plane (%s): %d/%d ranks passed\n", what, c.PassedRanks, c.Ranks)
	fmt.Fprintln(text, rule)
	if c.Soak != nil {
		return // nothing was timed
	}
	bandwidth, latency := noFigures(c), noFigures(c)
	if b := c.Bandwidth; b != nil {
		bandwidth = fmt.Sprintf("avg=%.2f, min=%.2f, max=%.2f", b.Avg, b.Min, b.Max) // bytes per ns are GB/s
	}
	if l := c.LatencyNS; l != nil {
		latency = fmt.Sprintf("avg=%s, min=%s, max=%s", microseconds(l.Avg), microseconds(l.Min), microseconds(l.Max))
	}
	fmt.Fprintf(text, "Bandwidth (GB/s): %s\n", bandwidth)
	fmt.Fprintf(text, "Latency (μs):     %s\n", latency)
	fmt.Fprintln(text)
}

func tokens(c *record.CaseSummary) string {
	if c.MinTokens == c.MaxTokens {
		return fmt.Sprint(c.MaxTokens)
	}
	return fmt.Sprintf("%d-%d", c.MinTokens, c.MaxTokens)
}

func backend(name string) string {
	if name == "none" {
		return "none (RDMA forced)"
	}
	return name
}

// device names what computed, and whether its durations can be taken for speed.
func device(s *record.Summary, c *record.CaseSummary) string {
	what := s.Device
	if c.Dtype != "fp8" {
		what += ", " + c.Dtype + " dispatch" // two dtypes never look alike
	}
	ranks := plural(c.Ranks, "rank")
	if s.Threads > 1 {
		ranks += fmt.Sprintf(" of %d threads", s.Threads)
	}
	switch {
	case s.Device != "cpu":
		return what + gpus(s, ranks)
	case s.CPUs == 0:
		return fmt.Sprintf("%s (%s)", what, ranks)
	}
	on := plural(s.CPUs, "core") + ofHosts(s)
	if s.Oversubscribed {
		return fmt.Sprintf("%s (%s on %s: checks correctness, not speed)", what, ranks, on)
	}
	return fmt.Sprintf("%s (%s on %s)", what, ranks, on)
}

// gpus says on which GPUs ranks compute; "" if the record does not.
func gpus(s *record.Summary, ranks string) string {
	count := s.GPUCount()
	switch {
	case s.SharedGPU && count > 0:
		return fmt.Sprintf(" (%s on %s%s: checks correctness, not speed)", ranks, plural(count, "GPU"), ofHosts(s))
	case s.SharedGPU:
		return fmt.Sprintf(" (%s on shared GPUs: checks correctness, not speed)", ranks)
	case count == 0:
		return ""
	}
	var kinds []string
	for _, kind := range s.GPUs {
		kinds = append(kinds, fmt.Sprintf("%d x %s", kind.Count, printable(kind.Name)))
	}
	return fmt.Sprintf(" (%s%s)", strings.Join(kinds, ", "), ofHosts(s))
}

// sms says how many multiprocessors operations may use, of how many.
func sms(s *record.Summary, c *record.CaseSummary) string {
	switch {
	case s.MaxSMs == 0: // the record does not say
		return fmt.Sprint(c.SMs)
	case s.MinSMs == s.MaxSMs:
		return fmt.Sprintf("%d of %d", c.SMs, s.MaxSMs)
	default:
		return fmt.Sprintf("%d of %d-%d", c.SMs, s.MinSMs, s.MaxSMs)
	}
}

// ofHosts names the number of hosts where it is not one.
func ofHosts(s *record.Summary) string {
	if s.Hosts > 1 {
		return fmt.Sprintf(" of %d hosts", s.Hosts)
	}
	return ""
}

// noFigures says why a case has no bandwidth or no latency.
func noFigures(c *record.CaseSummary) string {
	if unfinished := c.Ranks - c.Finished; unfinished > 0 {
		return fmt.Sprintf("n/a (%s did not finish)", plural(unfinished, "rank"))
	}
	if c.SharedGPU {
		return "n/a (ranks share GPUs)"
	}
	return "n/a"
}

func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

func microseconds(ns float64) string { return fmt.Sprintf("%.1f", ns/1e3) }
