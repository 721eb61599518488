package report

import (
	"io"
	"math"
	"slices"
	"strings"

	"github.com/epperf/epperf/go/internal/compare"
	"github.com/epperf/epperf/go/internal/table"
)

// A Comparison is what two sides' records came to.
type Comparison struct {
	Options compare.Options
	Results []compare.Result
	// Alone are the names of cases that one side alone has.
	Alone []string
}

// Regressed reports whether any case did.
func (c *Comparison) Regressed() bool {
	for i := range c.Results {
		if c.Results[i].Regression {
			return true
		}
	}
	return false
}

// WriteText writes the comparison as people read it.
func (c *Comparison) WriteText(w io.Writer) error {
	_, err := w.Write(text(c.Tables()))
	return err
}

var figureNames = map[compare.Figure]string{
	compare.Slowest: "p50 of the slowest rank",
	compare.Latency: "mean latency",
	compare.Kernels: "p50 of the slowest rank's kernels",
	compare.Step:    "p50 of a step over ranks and rounds",
	compare.Phase:   "a time of a phase",
}

// figures names what is compared, each once.
func (c *Comparison) figures() string {
	var names []string
	for i := range c.Results {
		if name := figureNames[c.Results[i].Figure]; !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return strings.Join(names, "; ")
}

// Tables returns one table "comparison", then a table "compared" for each case.
func (c *Comparison) Tables() []table.Table {
	tables := []table.Table{{Name: "comparison", Title: "EP Comparison of Launches", Rows: []table.Row{
		enum("figure", "Figure", c.figures()),
		{Name: "threshold", Label: "Threshold", Unit: table.Ratio, Cells: []table.Cell{
			table.FloatCell("threshold", c.Options.Threshold),
		}},
	}}}
	for i := range c.Results {
		tables = append(tables, compared(&c.Results[i], c.Options.Threshold))
	}
	var alone []table.Row
	for _, name := range c.Alone {
		alone = append(alone, table.Row{Name: "alone", Cells: []table.Cell{table.TextCell("name", name)}})
	}
	if alone != nil {
		tables = append(tables, table.Table{Name: "alone", Rows: alone})
	}
	return tables
}

func compared(r *compare.Result, threshold float64) table.Table {
	rows := []table.Row{sideRow("old", &r.Old), sideRow("new", &r.New)}
	rows = append(rows, table.Row{
		Name: "change", Label: "change", Unit: table.Ratio, Better: table.Lower,
		Cells: append([]table.Cell{table.FloatCell("estimate", r.Change())},
			append(bounds(r.Shift.Low-1, r.Shift.High-1), table.FloatCell("p", r.P).In("probability"))...),
	})
	verdict := table.Row{Name: "verdict", Label: "verdict", Cells: []table.Cell{table.EnumCell("verdict", string(r.Verdict))}}
	rows = append(rows, verdict)
	if r.Regression {
		rows = append(rows, table.Row{Name: "regression", Label: "Regression", Cells: []table.Cell{
			table.FloatCell("threshold", threshold).In(table.Ratio),
		}})
	}
	for _, reason := range r.Reasons {
		row := table.Row{Name: "reason", Label: "Reason", Cells: []table.Cell{table.EnumCell(kind, string(reason.Kind))}}
		if reason.Launches > 0 {
			row.Cells = append(row.Cells, table.IntCell("launches", reason.Launches))
		}
		if reason.What != "" {
			row.Cells = append(row.Cells, table.TextCell("what", reason.What))
		}
		rows = append(rows, row)
	}
	return table.Table{Name: "compared", Title: r.Name, Rows: rows}
}

func sideRow(name string, of *compare.Side) table.Row {
	row := table.Row{Name: "side", Unit: table.Nanoseconds, Better: table.Lower, Cells: []table.Cell{
		table.EnumCell("side", name), table.IntCell("launches", len(of.NS)).In("launches"),
	}}
	if len(of.NS) > 0 {
		row.Cells = append(row.Cells, table.FloatCell("median", of.Median))
		row.Cells = append(row.Cells, bounds(of.Low, of.High)...)
	}
	return row
}

// bounds are no cells where there are too few launches for any.
func bounds(low, high float64) []table.Cell {
	if math.IsInf(high, 0) {
		return nil
	}
	return []table.Cell{table.FloatCell("low", low), table.FloatCell("high", high)}
}
