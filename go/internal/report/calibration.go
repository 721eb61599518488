package report

import (
	"bytes"
	"fmt"

	"github.com/epperf/epperf/go/internal/record"
)

// writeCalibration writes what the machine can do.
func writeCalibration(text *bytes.Buffer, s *record.Summary, c *record.CaseSummary) {
	of := c.Calibration
	for _, line := range []string{
		rule,
		"EP Data Plane Calibration",
		rule,
		fmt.Sprintf("Ranks: %d, Row: %s bytes", c.Ranks, thousands(of.RowBytes)),
		"Backend: " + backend(s.Backend),
		"Device: " + calibratedDevice(s, c),
		fmt.Sprintf("Copy: %s rows, Cached: %s rows, Measure: %d iterations",
			thousands(uint64(of.Rows)), thousands(uint64(of.CachedRows)), c.Iterations),
		rule,
		"",
		rule,
		fmt.Sprintf("Calibration: %d/%d ranks passed", c.PassedRanks, c.Ranks),
		rule,
	} {
		fmt.Fprintln(text, line)
	}
	rate := func(spread *record.Spread) string {
		if spread == nil {
			return noFigures(c)
		}
		return fmt.Sprintf("avg=%.2f, min=%.2f, max=%.2f", spread.Avg, spread.Min, spread.Max)
	}
	duration := func(q *record.Quantiles) string {
		if q == nil {
			return noFigures(c)
		}
		return quantiles(q, func(ns float64) string { return fmt.Sprintf("%.2f", ns/1e3) })
	}
	type line struct{ name, figure string }
	lines := []line{
		{"Copy, one rank alone (GB/s):", rate(of.Alone)},
		{"Copy, all ranks at once (GB/s):", rate(of.All)},
		{"Cached copy, one rank alone (GB/s):", rate(of.CachedAlone)},
		{"Cached copy, all ranks at once (GB/s):", rate(of.CachedAll)},
	}
	if of.OnGPUs {
		lines = append(lines,
			line{"Copy back, one rank alone (GB/s):", rate(of.GetAlone)},
			line{"Copy back, all ranks at once (GB/s):", rate(of.GetAll)},
			line{"Copy within a GPU, all at once (GB/s):", rate(of.Local)},
		)
	}
	lines = append(lines,
		line{"Flag round trip (μs):", duration(of.RoundTrip)},
		line{"Flags-only epoch (μs):", duration(of.Epoch)},
	)
	for _, line := range lines {
		fmt.Fprintf(text, "%-38s %s\n", line.name, line.figure)
	}
	fmt.Fprintln(text)
	if how := ended(s); how != "" {
		fmt.Fprintln(text, how)
	}
	writeChecked(text, c)
}

// calibratedDevice is device without a dtype: copies have none that matters.
func calibratedDevice(s *record.Summary, c *record.CaseSummary) string {
	plain := *c
	plain.Dtype = "fp8"
	return device(s, &plain)
}
