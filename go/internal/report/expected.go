package report

import (
	"io"

	"github.com/epperf/epperf/go/internal/expect"
	"github.com/epperf/epperf/go/internal/table"
)

// An Expectation is records beside what is expected of them.
type Expectation struct {
	Table   *expect.Table
	Results []expect.Result
}

// Comparable reports whether any case could be compared.
func (e *Expectation) Comparable() bool {
	for i := range e.Results {
		if len(e.Results[i].Differs) == 0 {
			return true
		}
	}
	return false
}

// Worse reports whether any figure is worse than the tolerance allows.
func (e *Expectation) Worse() bool {
	for i := range e.Results {
		for _, figure := range e.Results[i].Figures {
			if figure.Verdict == expect.Worse {
				return true
			}
		}
	}
	return false
}

// WriteText writes it as people read it.
func (e *Expectation) WriteText(w io.Writer) error {
	_, err := w.Write(text(e.Tables()))
	return err
}

// Tables returns a table "expectation", then a table "expected" for each case.
func (e *Expectation) Tables() []table.Table {
	tables := []table.Table{{Name: "expectation", Title: "Measured beside Expected", Rows: []table.Row{
		{Name: "source", Label: "Source", Cells: []table.Cell{table.TextCell("source", e.Table.Source)}},
	}}}
	if !e.Table.Example {
		tables[0].Rows = append(tables[0].Rows,
			table.Row{Name: "tolerance", Label: "Tolerance", Unit: table.Ratio, Cells: []table.Cell{table.FloatCell("tolerance", e.Table.Tolerance)}})
	}
	for i := range e.Results {
		tables = append(tables, expected(&e.Results[i]))
	}
	return tables
}

func expected(r *expect.Result) table.Table {
	t := table.Table{Name: "expected", Title: r.Name}
	for _, difference := range r.Differs {
		t.Rows = append(t.Rows, table.Row{
			Name: "not_comparable", Label: "not comparable", Cells: []table.Cell{table.TextCell("differs", difference)},
		})
	}
	for _, figure := range r.Figures {
		row := table.Row{Name: "expected", Label: figure.Name, Unit: table.Nanoseconds, Better: table.Lower}
		if figure.Name == "bandwidth" {
			row.Unit, row.Better = table.BytesPerNanosecond, table.Higher
		}
		if figure.Verdict == expect.Example {
			row.Name, row.Better = "example", table.Neither
			row.Cells = []table.Cell{table.FloatCell("measured", figure.Measured), table.FloatCell("example", figure.Expected)}
			t.Rows = append(t.Rows, row)
			continue
		}
		row.Cells = []table.Cell{table.FloatCell("expected", figure.Expected), table.EnumCell("verdict", string(figure.Verdict))}
		if figure.Verdict != expect.NotMeasured {
			row.Cells = append(row.Cells,
				table.FloatCell("measured", figure.Measured), table.FloatCell("change", figure.Change).In(table.Ratio))
		}
		t.Rows = append(t.Rows, row)
	}
	return t
}
