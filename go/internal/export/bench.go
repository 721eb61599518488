package export

import (
	"io"
	"strings"

	"golang.org/x/perf/benchfmt"

	"github.com/epperf/epperf/go/internal/record"
	"github.com/epperf/epperf/go/internal/report"
	"github.com/epperf/epperf/go/internal/table"
)

// writeBench writes a line for each case of each record in the format of Go's benchmarks: a record is
// one launch, and so one sample of benchstat.
func writeBench(w io.Writer, records []*record.Record) error {
	out := benchfmt.NewWriter(w)
	for _, unit := range []string{"B/s", "ratio"} { // more of them is better; of all else less is
		higher := &benchfmt.UnitMetadata{
			UnitMetadataKey: benchfmt.UnitMetadataKey{Unit: unit, Key: "better"}, OrigUnit: unit, Value: "higher",
		}
		if err := out.Write(higher); err != nil {
			return err
		}
	}
	return describe(records, func(_ int, document *report.Document) error {
		config := benchConfig(document)
		for i := range document.Cases {
			c := &document.Cases[i]
			values := benchValues(c.Tables)
			if len(values) == 0 {
				continue // no figures, so no sample
			}
			iterations, _ := c.Shape.Cell("iterations")
			count, _ := number(iterations)
			err := out.Write(&benchfmt.Result{
				Config: config, Name: benchfmt.Name(benchName(c.Name)), Iters: int(count), Values: values,
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// benchName begins with a capital, as names of benchmarks do.
func benchName(name string) string { return strings.ToUpper(name[:1]) + name[1:] }

// benchConfig is what tells whether two runs are of the same machine. It leaves out what differs in
// every run, as benchstat would not put them together.
func benchConfig(document *report.Document) []benchfmt.Config {
	var config []benchfmt.Config
	add := func(key string, cell table.Cell, ok bool) {
		if written := table.Printable(value(cell)); ok && strings.TrimSpace(written) != "" {
			config = append(config, benchfmt.Config{Key: key, Value: []byte(strings.TrimSpace(written)), File: true})
		}
	}
	named := map[string]bool{}
	for i := range document.Run.Rows {
		row := &document.Run.Rows[i]
		if named[row.Name] { // of several hosts or GPUs the first
			continue
		}
		named[row.Name] = true
		keys := map[string][][2]string{
			"run":  {{"device", "device"}, {"backend", "backend"}, {"threads", "threads"}, {"hosts", "hosts"}},
			"host": {{"cpu", "cpu"}},
			"gpu":  {{"gpu", "name"}},
		}
		for _, of := range keys[row.Name] {
			cell, ok := row.Cell(of[1])
			add(of[0], cell, ok)
		}
	}
	return config
}

// benchValues are the figures of which one value is better than another. A mean over ranks is that of
// the benchmark itself; all others are named by row and cell.
func benchValues(tables []table.Table) []benchfmt.Value {
	var values []benchfmt.Value
	for _, t := range tables {
		for i := range t.Rows {
			row := &t.Rows[i]
			if row.Better == table.Neither {
				continue
			}
			for _, cell := range row.Cells {
				of, ok := number(cell)
				unit, factor := benchUnit(row, cell)
				if ok && unit != "" {
					values = append(values, benchfmt.Value{Value: of * factor, Unit: unit})
				}
			}
		}
	}
	return values
}

// benchUnit returns the unit of a cell in the format's words, and what makes it of the table's; "" of
// one that is left out: least and largest of a mean say what its spread is, and are no figures of merit.
func benchUnit(row *table.Row, cell table.Cell) (unit string, factor float64) {
	if cell.Name == "min" || cell.Name == "max" {
		return "", 0
	}
	name := strings.Trim(row.Name+"-"+cell.Name, "-")
	switch row.UnitOf(cell) {
	case table.Nanoseconds:
		if name == "latency-avg" {
			return "sec/op", 1e-9
		}
		return name + "-sec", 1e-9
	case table.BytesPerNanosecond:
		if name == "bandwidth-avg" {
			return "B/s", 1e9
		}
		return name + "-B/s", 1e9
	case table.FlopPerNanosecond:
		return name + "-flop/s", 1e9
	case table.Ratio:
		return "ratio", 1
	default:
		return "", 0
	}
}
