// Package report turns the summary of a record into what perf and report show print: first tables
// of raw values, then their text.
package report

import (
	"fmt"
	"io"

	"github.com/epperf/epperf/go/internal/figures"
	"github.com/epperf/epperf/go/internal/record"
	"github.com/epperf/epperf/go/internal/table"
)

// Show reads the record at path and writes its text to w, of several cases a row for each. It reports
// whether the run passed. After an error nothing was written, or w failed.
func Show(w io.Writer, path string) (passed bool, err error) {
	kept, err := record.Read(path)
	if err != nil {
		return false, err
	}
	return Print(w, kept, false)
}

// Print writes a record's text to w. Of several cases that is a row for each, or with inFull all there is.
// It reports whether the run passed.
func Print(w io.Writer, r *record.Record, inFull bool) (passed bool, err error) {
	summary := figures.Summarize(r)
	tables := Tables
	switch {
	case summary.Phases != nil && !inFull:
		tables = Phased
	case len(summary.Cases) > 1 && !inFull:
		tables = Swept
	}
	if _, err := w.Write(text(tables(summary))); err != nil {
		return false, fmt.Errorf("print %s: %w", r.Path, err)
	}
	return summary.Passed(), nil
}

// Text returns the whole text of a summary.
func Text(s *figures.Summary) []byte { return text(Tables(s)) }

// Tables returns all that is printed of a summary: for each case a table "plan", which begins it,
// and those that follow from it; at the end where the record is.
func Tables(s *figures.Summary) []table.Table {
	var tables []table.Table
	for _, i := range s.Order {
		tables = append(tables, tablesOfCase(s, &s.Cases[i])...)
	}
	return append(tables, recordTable(s))
}

// tablesOfCase returns those of one case.
func tablesOfCase(s *figures.Summary, c *figures.CaseSummary) []table.Table {
	if c.Calibration != nil {
		return calibration(s, c)
	}
	if c.Control != nil {
		return control(s, c)
	}
	tables := []table.Table{planned(s, c), verdict("Data Plane", c)}
	if c.Phase != nil {
		return append(tables, phases([]figures.PhaseSummary{*c.Phase}), table.Table{Name: "run", Rows: ending(s)}, moved(c), checked(c))
	}
	if c.Soak == nil { // there nothing was timed
		tables = append(tables, throughput(c))
	}
	tables = append(tables, run(s, c))
	if c.Detail != nil {
		tables = append(tables, detail(s, c))
	}
	if c.Beside != nil {
		tables = append(tables, beside(c))
	}
	tables = append(tables, moved(c), checked(c))
	if c.Soak != nil {
		tables = append(tables, soaked(s, c.Soak))
	}
	return tables
}
