// Package export writes what a record says in the formats of other programs. docs/output.md is the
// contract: names of tables, rows and cells never change, and no value is rounded.
package export

import (
	"fmt"
	"io"
	"maps"
	"math"
	"slices"

	"github.com/epperf/epperf/go/internal/figures"
	"github.com/epperf/epperf/go/internal/record"
	"github.com/epperf/epperf/go/internal/report"
	"github.com/epperf/epperf/go/internal/table"
)

// A Format is one that Write knows.
type Format string

// The formats.
const (
	JSON  Format = "json"
	CSV   Format = "csv"
	Bench Format = "bench"
	Prom  Format = "prom"
)

// Formats are all of them, as a user types them.
var Formats = []Format{JSON, CSV, Bench, Prom}

// HoldsSamples reports whether a format has a place for all samples.
func (f Format) HoldsSamples() bool { return f == JSON || f == CSV }

// Write writes what records say. With samples, JSON holds them besides, and CSV instead: one line for
// each. It is an error to give the same run twice: readers could not tell its figures apart.
func Write(w io.Writer, format Format, records []*record.Record, samples bool) error {
	known := map[string]string{}
	for _, r := range records {
		run := fmt.Sprint(r.Header.GetPlan().GetRunId(), " ", r.Header.PartOfNode)
		if first, twice := known[run]; twice {
			return fmt.Errorf("%s and %s are of the same run, %s: give one of them", first, r.Path, r.Header.GetPlan().GetRunId())
		}
		known[run] = r.Path
	}
	writers := map[Format]func(io.Writer, []*record.Record) error{
		JSON: writeJSON(samples), CSV: writeCSV, Bench: writeBench, Prom: writeProm,
	}
	if samples && format == CSV {
		writers[CSV] = writeLong
	}
	write, ok := writers[format]
	if !ok {
		return fmt.Errorf("no format %q", format)
	}
	return write(w, records)
}

// describe calls do with the document of each record.
func describe(records []*record.Record, do func(int, *report.Document) error) error {
	for i, r := range records {
		document := report.Describe(r, figures.Summarize(r))
		if err := do(i, &document); err != nil {
			return err
		}
	}
	return nil
}

// number returns the value of a cell that is a number; false if it is none, or none that is finite.
func number(cell table.Cell) (float64, bool) {
	switch value := cell.Value().(type) {
	case int64:
		return float64(value), true
	case uint64:
		return float64(value), true
	case float64:
		return value, !math.IsNaN(value) && !math.IsInf(value, 0)
	default:
		return 0, false
	}
}

// cellName is the name of a cell; a row's only one may have none.
func cellName(cell table.Cell) string {
	if cell.Name == "" {
		return "value"
	}
	return cell.Name
}

// inOrder returns the keys of a map.
func inOrder[V any](of map[string]V) []string { return slices.Sorted(maps.Keys(of)) }
