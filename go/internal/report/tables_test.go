package report_test

import (
	"testing"

	"github.com/epperf/epperf/go/internal/figures"
	"github.com/epperf/epperf/go/internal/record/recordtest"
	"github.com/epperf/epperf/go/internal/report"
	"github.com/epperf/epperf/go/internal/table"
	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

// tablesOf returns the tables of a run.
func tablesOf(t *testing.T, run *recordtest.Run) []table.Table {
	t.Helper()
	return report.Tables(figures.Summarize(run.Read(t)))
}

// What other programs read is not what the text rounds, scales and words.
func TestTablesHoldRawValues(t *testing.T) {
	got := map[string]any{}
	for _, part := range tablesOf(t, recordtest.Passed(epperfv1.Mode_MODE_E2E)) {
		for _, row := range part.Rows {
			for _, cell := range row.Cells {
				got[part.Name+"."+row.Name+"."+cell.Name+" "+string(row.UnitOf(cell))+" "+row.Better.String()] = cell.Value()
			}
		}
	}
	for name, want := range map[string]any{
		"plan.mode.mode  neither":              "e2e",
		"plan.tokens.max  neither":             int64(128),
		"figures.latency.avg ns lower":         1_503_500.0,
		"run.slowest.p95 ns lower":             int64(1_957_000),
		"run.slowest.p99 ns lower":             nil,
		"moved.bytes.selections bytes neither": uint64(22_265_856),
		"checked.checked.rows  neither":        uint64(119_808),
	} {
		if value, there := got[name]; !there || value != want {
			t.Errorf("%s = %v, %t; want %v", name, value, there, want)
		}
	}
	if rate, ok := got["figures.bandwidth.max bytes/ns higher"].(float64); !ok || rate < 14.8 || rate > 14.9 {
		t.Errorf("bandwidth %v", rate)
	}
}

// A figure that there is not says so in its notes, by a name.
func TestAMissingFigureHasANote(t *testing.T) {
	run := recordtest.Passed(epperfv1.Mode_MODE_E2E)
	died(run)
	for _, part := range tablesOf(t, run) {
		for _, row := range part.Rows {
			if row.Name != "latency" {
				continue
			}
			if len(row.Cells) > 0 || len(row.Notes) != 1 || row.Notes[0].Name != "unfinished" {
				t.Errorf("latency has cells %v and notes %v", row.Cells, row.Notes)
			}
			if ranks, ok := row.Notes[0].Cell("ranks"); !ok || ranks.Value() != int64(2) {
				t.Errorf("%v ranks did not finish; want 2", ranks.Value())
			}
		}
	}
}
