package report

import (
	"github.com/epperf/epperf/go/internal/figures"
	"github.com/epperf/epperf/go/internal/table"
	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

func enum(name, label, value string) table.Row {
	return table.Row{Name: name, Label: label, Cells: []table.Cell{table.EnumCell(name, value)}}
}

func count(name, label string, value int) table.Row {
	return table.Row{Name: name, Label: label, Cells: []table.Cell{table.IntCell(name, value)}}
}

// chosen is the cell of a choice.
func chosen(choice epperfv1.Choice) table.Cell {
	if choice.Number != nil {
		return table.CountCell(choice.Name, *choice.Number)
	}
	return table.EnumCell(choice.Name, choice.Value)
}

// spread puts the figures of a rate or a duration into a row; there may be none.
func spread(row table.Row, values *figures.Spread, c *figures.CaseSummary) table.Row {
	if values == nil {
		row.Notes = noFigures(c)
		return row
	}
	row.Cells = []table.Cell{
		table.FloatCell("avg", values.Avg), table.FloatCell("min", values.Min), table.FloatCell("max", values.Max),
	}
	return row
}

// quantiles is as spread. Where samples are too few for a quantile, its cell is missing.
func quantiles(row table.Row, values *figures.Quantiles, c *figures.CaseSummary) table.Row {
	row.Unit, row.Better = table.Nanoseconds, table.Lower
	if values == nil {
		row.Notes = noFigures(c)
		return row
	}
	for _, quantile := range []struct {
		name string
		ns   *int64
	}{{"p50", values.P50}, {"p95", values.P95}, {"p99", values.P99}, {"max", &values.Max}} {
		cell := table.NoCell(quantile.name)
		if quantile.ns != nil {
			cell = table.IntCell(quantile.name, *quantile.ns)
		}
		row.Cells = append(row.Cells, cell)
	}
	row.Notes = []table.Note{{Name: "samples", Cells: []table.Cell{table.IntCell("samples", values.Samples)}}}
	return row
}

// traffic says what one iteration moves, counted in three ways.
func traffic(mean *figures.Bytes) table.Row {
	row := table.Row{Name: "bytes", Label: "Bytes per rank", Unit: table.Bytes}
	if mean != nil {
		row.Cells = []table.Cell{
			table.CountCell("selections", mean.Selections),
			table.CountCell("ranks", mean.Ranks),
			table.CountCell("remote", mean.Remote),
		}
	}
	return row
}

// noFigures says why a case has no bandwidth or no latency.
func noFigures(c *figures.CaseSummary) []table.Note {
	if unfinished := c.Ranks - c.Finished; unfinished > 0 {
		return []table.Note{{Name: "unfinished", Cells: []table.Cell{table.IntCell("ranks", unfinished)}}}
	}
	if c.SharedGPU {
		return []table.Note{{Name: "shared_gpus"}}
	}
	return nil
}
