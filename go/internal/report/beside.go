package report

import (
	"github.com/epperf/epperf/go/internal/figures"
	"github.com/epperf/epperf/go/internal/table"
)

// beside is what --beside adds: what a meter and operations cost each other.
func beside(c *figures.CaseSummary) table.Table {
	of := c.Beside
	work := table.BytesPerNanosecond
	if of.Meter == "gemm" {
		work = table.FlopPerNanosecond
	}
	meter := table.Row{Name: "meter", Label: "Meter", Cells: []table.Cell{table.EnumCell("meter", of.Meter)}}
	if of.MinSMs > 0 {
		meter.Cells = append(meter.Cells, table.IntCell("min", of.MinSMs), table.IntCell("max", of.MaxSMs))
	}
	rows := []table.Row{
		meter,
		spread(table.Row{Name: "meter_alone", Label: "Meter alone", Unit: work, Better: table.Higher}, of.MeterAlone, c),
		spread(table.Row{Name: "meter_beside", Label: "Meter beside", Unit: work, Better: table.Higher}, of.MeterBeside, c),
		spread(table.Row{Name: "latency_beside", Label: "Latency beside", Unit: table.Nanoseconds, Better: table.Lower}, of.LatencyNS, c),
		ratio("meter_kept", "Meter beside / alone", of.MeterKept),
		ratio("latency_grown", "Latency beside / alone", of.LatencyGrown),
	}
	for i := range rows {
		switch {
		case len(rows[i].Cells) > 0 || len(rows[i].Notes) > 0:
		case !of.Apart:
			rows[i].Notes = []table.Note{{Name: "shared_sms"}}
		case of.MinSMs == 0:
			rows[i].Notes = []table.Note{{Name: "unknown_sms"}}
		}
	}
	return table.Table{Name: "beside", Rows: rows}
}

// ratio is of two figures, and none itself.
func ratio(name, label string, value *float64) table.Row {
	row := table.Row{Name: name, Label: label, Unit: table.Ratio}
	if value != nil {
		row.Cells = []table.Cell{table.FloatCell("", *value)}
	}
	return row
}
