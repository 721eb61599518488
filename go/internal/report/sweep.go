package report

import (
	"fmt"
	"slices"
	"strings"

	"github.com/epperf/epperf/go/internal/figures"
	"github.com/epperf/epperf/go/internal/table"
)

// Swept returns what is printed of a record of several cases: what they have in common, a row for each
// case in the order of who reads them, and all that there is of those that did not pass.
func Swept(s *figures.Summary) []table.Table {
	shapes := make([]table.Row, len(s.Shapes))
	for i := range s.Shapes {
		shapes[i] = shaped(s.Shapes[i])
	}
	same, differ := split(shapes)
	tables := []table.Table{sweep(s, same), {Name: "run", Rows: ending(s)}, cases(s, shapes, differ)}
	for _, index := range s.Order {
		if c := &s.Cases[index]; begun(c) && c.PassedRanks < c.Ranks {
			tables = append(tables, tablesOfCase(s, c)...)
		}
	}
	return append(tables, recordTable(s))
}

// begun reports whether any rank said anything of a case.
func begun(c *figures.CaseSummary) bool {
	return c.PassedRanks > 0 || slices.ContainsFunc(c.Failures, func(f figures.Failure) bool {
		return f.Verdict.Reason != figures.NoResult || f.Verdict.Have > 0
	})
}

// split returns the cells that all shapes have alike, and the names of those in which they differ.
func split(shapes []table.Row) (same []table.Cell, differ []string) {
	for _, cell := range shapes[0].Cells {
		alike := !slices.ContainsFunc(shapes, func(other table.Row) bool {
			its, _ := other.Cell(cell.Name)
			return its.Value() != cell.Value()
		})
		if alike {
			same = append(same, cell)
		} else {
			differ = append(differ, cell.Name)
		}
	}
	return same, differ
}

func sweep(s *figures.Summary, same []table.Cell) table.Table {
	ended := 0
	for i := range s.Cases {
		if s.Cases[i].Finished == s.Cases[i].Ranks {
			ended++
		}
	}
	rows := []table.Row{{Name: "cases", Label: "Cases", Cells: []table.Cell{
		table.IntCell("ended", ended), table.IntCell("cases", len(s.Cases)),
	}}}
	if s.Resumed > 0 {
		rows[0].Cells = append(rows[0].Cells, table.IntCell("resumed", s.Resumed))
	}
	var words []string
	for _, cell := range same {
		if value := fmt.Sprint(cell.Value()); cell.Name != "min_tokens" && value != ofGPUs[cell.Name] {
			words = append(words, fmt.Sprintf("%s=%v", strings.TrimPrefix(cell.Name, "max_"), cell.Value()))
		}
	}
	rows = append(rows, table.Row{Name: "same", Label: "All", Cells: []table.Cell{table.TextCell("same", strings.Join(words, " "))}})
	rows = append(rows, backend(s, &s.Cases[0]), enum("device", "Device", s.Device))
	return table.Table{Name: "sweep", Title: "EP Data Plane Sweep", Rows: append(rows, placement(s, &s.Cases[0])...)}
}

// ofGPUs are choices that CPUs have not, and what they are where nobody asks: then nothing is said.
var ofGPUs = map[string]string{"sms": "0", "kernel": "auto"}

// sweptCells are what a case comes to, by where they are in its tables.
var sweptCells = []struct{ name, table, row, cell string }{
	{"mean", "figures", "latency", "avg"},
	{"p50", "run", "slowest", "p50"},
	{"p99", "run", "slowest", "p99"},
	{"rate", "figures", "bandwidth", "avg"},
	{"fresh", "detail", "fresh", "p50"},
	{"graph", "detail", "graph", "median"},
	{"kernels", "detail", "kernels", "p50"},
	{"pair", "detail", "pair", "median"},
	{"share", "detail", "share", ""},
}

// cases is a row for each case: in what it differs, how many ranks passed, and figures that some case has.
func cases(s *figures.Summary, shapes []table.Row, differ []string) table.Table {
	of := make([][]table.Table, len(s.Cases))
	for i := range s.Cases {
		of[i] = tablesOfCase(s, &s.Cases[i])
	}
	t := table.Table{Name: "cases"}
	for _, index := range s.Order {
		row := table.Row{Name: "case"}
		for _, name := range differ {
			if cell, _ := shapes[index].Cell(name); name != "min_tokens" || slices.Contains(differ, "max_tokens") && unevenTokens(shapes) {
				cell.Name = strings.TrimPrefix(name, "max_")
				row.Cells = append(row.Cells, cell)
			}
		}
		c := &s.Cases[index]
		row.Cells = append(row.Cells, table.TextCell("passed", fmt.Sprint(c.PassedRanks, "/", c.Ranks)))
		for _, column := range sweptCells {
			there := slices.ContainsFunc(of, func(tables []table.Table) bool {
				_, ok := cellOf(tables, column.table, column.row, column.cell)
				return ok
			})
			if there {
				cell, _ := cellOf(of[index], column.table, column.row, column.cell)
				cell.Name = column.name
				row.Cells = append(row.Cells, cell)
			}
		}
		row.Notes = warnings(s, c)
		t.Rows = append(t.Rows, row)
	}
	return t
}

func unevenTokens(shapes []table.Row) bool {
	return slices.ContainsFunc(shapes, func(row table.Row) bool {
		least, _ := row.Cell("min_tokens")
		most, _ := row.Cell("max_tokens")
		return least.Value() != most.Value()
	})
}

// cellOf finds a cell and gives it its row's unit.
func cellOf(tables []table.Table, name, row, cell string) (table.Cell, bool) {
	for _, t := range tables {
		for i := range t.Rows {
			if t.Name != name || t.Rows[i].Name != row {
				continue
			}
			if found, ok := t.Rows[i].Cell(cell); ok && found.Kind() != table.Missing {
				return found.In(t.Rows[i].UnitOf(found)), true
			}
		}
	}
	return table.NoCell(cell), false
}

// warnings are why a case's durations have to be taken with care.
func warnings(s *figures.Summary, c *figures.CaseSummary) (all []table.Note) {
	if len(c.Throttled) > 0 {
		all = append(all, table.Note{Name: "lowered_clocks"})
	}
	if c.Groups != nil && !s.Oversubscribed {
		all = append(all, table.Note{Name: "two_groups"})
	}
	return all
}

func recordTable(s *figures.Summary) table.Table {
	return table.Table{Name: "record", Rows: []table.Row{
		{Name: "record", Label: "Record", Cells: []table.Cell{table.TextCell("", s.Path)}},
	}}
}
