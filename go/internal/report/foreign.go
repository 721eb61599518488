package report

import (
	"io"

	"github.com/epperf/epperf/go/internal/foreign"
	"github.com/epperf/epperf/go/internal/table"
)

// WriteForeign writes figures of several tools as people read them: a block for each boundary, and an
// order only where it means something.
func WriteForeign(w io.Writer, groups []foreign.Group) error {
	_, err := w.Write(text(ForeignTables(groups)))
	return err
}

// ForeignTables returns a table "foreign" for each group of comparable figures.
func ForeignTables(groups []foreign.Group) []table.Table {
	tables := []table.Table{{Name: "tools", Title: "Figures of Several Tools", Rows: []table.Row{{
		Name: "rule", Label: "Blocks", Cells: []table.Cell{table.IntCell("blocks", len(groups))},
	}}}}
	for i := range groups {
		tables = append(tables, foreignGroup(&groups[i]))
	}
	return tables
}

func foreignGroup(group *foreign.Group) table.Table {
	first := &group.Figures[0]
	of := table.Row{Name: "of", Label: "of", Cells: []table.Cell{
		table.TextCell("operation", first.Operation), table.EnumCell("boundary", string(first.Boundary)),
	}}
	for _, cell := range []table.Cell{
		told("dtype", first.Dtype), told("layout", first.Layout), told("combine", first.Combine), told("quantize", first.Quantize),
		told("bytes", string(first.Bytes)), told("shape", first.Shape), counted("sms", uint64(first.SMs)),
	} {
		if cell.Kind() != table.Missing {
			of.Cells = append(of.Cells, cell)
		}
	}
	t := table.Table{Name: "foreign", Rows: []table.Row{of}}
	for place := range group.Figures {
		figure := &group.Figures[place]
		row := table.Row{Name: "figure", Label: figure.Tool, Unit: table.Nanoseconds, Better: table.Lower, Cells: []table.Cell{
			table.TextCell("tool", figure.Tool), table.TextCell("file", figure.File),
		}}
		if group.Ranked && figure.LatencyNS != nil {
			row.Cells = append(row.Cells, table.IntCell("place", place+1).In("place"))
		}
		row.Cells = append(row.Cells, figureCell("latency", figure.LatencyNS), figureCell("bandwidth", figure.Bandwidth).In(table.BytesPerNanosecond))
		t.Rows = append(t.Rows, row)
	}
	if !group.Ranked && len(group.Figures) > 1 {
		t.Rows = append(t.Rows, table.Row{Name: "unranked", Label: "not ranked", Cells: []table.Cell{table.EnumCell("why", "unknown")}})
	}
	return t
}

func figureCell(name string, value *float64) table.Cell {
	if value == nil {
		return table.NoCell(name)
	}
	return table.FloatCell(name, *value)
}
