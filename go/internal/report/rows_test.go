package report_test

import (
	"strings"
	"testing"

	"github.com/epperf/epperf/go/internal/figures"
	"github.com/epperf/epperf/go/internal/report"
)

// Goldens do not say which of their many digits a formula made.
func TestFiguresAreThoseOfTheSummary(t *testing.T) {
	text := string(report.Text(&figures.Summary{
		Path:  "x.epperf",
		Order: []int{0},
		Cases: []figures.CaseSummary{{
			Shape: figures.Shape{Ranks: 8}, Finished: 8,
			Bandwidth: &figures.Spread{Avg: 42.884, Min: 42.856, Max: 42.895},
			LatencyNS: &figures.Spread{Avg: 519_349, Min: 519_051, Max: 519_549},
		}},
	}))
	for _, line := range []string{
		"Bandwidth (GB/s): avg=42.88, min=42.86, max=42.90\n",
		"Latency (μs):     avg=519.3, min=519.1, max=519.5\n",
	} {
		if !strings.Contains(text, line) {
			t.Errorf("no line %q in:\n%s", line, text)
		}
	}
}
