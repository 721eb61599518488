package export

import (
	"bufio"
	"encoding/csv"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/epperf/epperf/go/internal/record"
	"github.com/epperf/epperf/go/internal/report"
	"github.com/epperf/epperf/go/internal/table"
)

// columns of the short form: a line for each cell.
var columns = []string{
	"record", "run", "case", "name", "table", "row", "item", "cell", "value", "unit", "better", "notes",
}

// writeCSV writes one line for each value of each case: its row, its cell, the value and its unit. Rows
// that say of what run a record is have no case.
func writeCSV(w io.Writer, records []*record.Record) error {
	out := csv.NewWriter(w)
	if err := out.Write(columns); err != nil {
		return err
	}
	err := describe(records, func(i int, document *report.Document) error {
		begin := []string{text(document.Path), text(records[i].Header.GetPlan().GetRunId())}
		if err := writeTable(out, append(begin, "", ""), &document.Run); err != nil {
			return err
		}
		for index := range document.Cases {
			c := &document.Cases[index]
			of := append(begin[:2:2], strconv.Itoa(index), text(c.Name))
			shape := table.Table{Name: "shape", Rows: []table.Row{c.Shape}}
			for _, t := range append([]table.Table{shape}, c.Tables...) {
				if err := writeTable(out, of, &t); err != nil {
					return err
				}
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	out.Flush()
	return out.Error()
}

func writeTable(out *csv.Writer, begin []string, t *table.Table) error {
	item := 0 // of the rows that share a name
	for i := range t.Rows {
		row := &t.Rows[i]
		item++
		if i == 0 || t.Rows[i-1].Name != row.Name {
			item = 0
		}
		cells := row.Cells
		if len(cells) == 0 { // a figure that there is not, and why
			cells = []table.Cell{table.NoCell("")}
		}
		for _, cell := range cells {
			better := ""
			if row.Better != table.Neither {
				better = row.Better.String()
			}
			err := out.Write(append(begin[:4:4], t.Name, row.Name, strconv.Itoa(item), cellName(cell),
				value(cell), string(row.UnitOf(cell)), better, notes(row.Notes)))
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// value is a cell with all its digits; nothing if it is missing.
func value(cell table.Cell) string {
	switch of := cell.Value().(type) {
	case nil:
		return ""
	case float64:
		if _, ok := number(cell); !ok {
			return ""
		}
		return strconv.FormatFloat(of, 'g', -1, 64)
	case string:
		return text(of)
	case []string:
		return text(strings.Join(of, "; "))
	default:
		return fmt.Sprint(of)
	}
}

// text is harmless for spreadsheets, too: they would take some for formulas.
func text(of string) string {
	of = table.Printable(of)
	if strings.ContainsAny(of[:min(1, len(of))], "=+-@") {
		return "'" + of
	}
	return of
}

// notes are written as samples(samples=99).
func notes(of []table.Note) string {
	var all []string
	for _, note := range of {
		var cells []string
		for _, cell := range note.Cells {
			cells = append(cells, cellName(cell)+"="+value(cell))
		}
		all = append(all, note.Name+"("+strings.Join(cells, " ")+")")
	}
	return strings.Join(all, " ")
}

// writeLong writes one line for each sample.
func writeLong(w io.Writer, records []*record.Record) error {
	out := bufio.NewWriterSize(w, 1<<16)
	out.WriteString("run,case,pass,kind,rank,iteration,ns\n")
	for _, r := range records {
		run := text(r.Header.GetPlan().GetRunId())
		if strings.ContainsAny(run, "\",") {
			run = `"` + strings.ReplaceAll(run, `"`, `""`) + `"`
		}
		var line []byte
		eachPass(r, func(at passAt, durationsNS []int64) {
			begin := fmt.Sprintf("%s,%d,%d,%s,%d,", run, at.caseIndex, at.pass, at.kind, at.rank)
			for i, ns := range durationsNS {
				line = append(line[:0], begin...)
				line = strconv.AppendInt(line, int64(i), 10)
				line = append(line, ',')
				line = strconv.AppendInt(line, ns, 10)
				out.Write(append(line, '\n'))
			}
		})
	}
	return out.Flush()
}
