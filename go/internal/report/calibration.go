package report

import (
	"github.com/epperf/epperf/go/internal/figures"
	"github.com/epperf/epperf/go/internal/table"
)

// calibration is all that is said of a case that calibrates.
func calibration(s *figures.Summary, c *figures.CaseSummary) []table.Table {
	return []table.Table{
		calibrationPlan(s, c),
		{Name: "verdict", Rows: []table.Row{{Name: "calibrated", Label: "Calibration", Cells: []table.Cell{
			table.IntCell("passed", c.PassedRanks), table.IntCell("ranks", c.Ranks),
		}}}},
		limits(c),
		{Name: "run", Rows: ending(s)},
		checked(c),
	}
}

func calibrationPlan(s *figures.Summary, c *figures.CaseSummary) table.Table {
	of := c.Calibration
	rows := []table.Row{
		count("ranks", "Ranks", c.Ranks),
		{Name: "row", Label: "Row", Unit: table.Bytes, Cells: []table.Cell{table.CountCell("row", of.RowBytes)}},
		backend(s, c),
		enum("device", "Device", s.Device), // copies have no dtype that matters
	}
	rows = append(rows, placement(s, c)...)
	return table.Table{Name: "plan", Title: "EP Data Plane Calibration", Rows: append(rows,
		count("copied", "Copy", of.Rows),
		count("cached", "Cached", of.CachedRows),
		count("iterations", "Measure", c.Iterations),
	)}
}

// limits are what the machine can do.
func limits(c *figures.CaseSummary) table.Table {
	of := c.Calibration
	rate := func(name, label string, of *figures.Spread) table.Row {
		return spread(table.Row{Name: name, Label: label, Unit: table.BytesPerNanosecond, Better: table.Higher}, of, c)
	}
	rows := []table.Row{
		rate("copy_alone", "Copy, one rank alone", of.Alone),
		rate("copy_all", "Copy, all ranks at once", of.All),
		rate("cached_alone", "Cached copy, one rank alone", of.CachedAlone),
		rate("cached_all", "Cached copy, all ranks at once", of.CachedAll),
	}
	if of.OnGPUs {
		rows = append(rows,
			rate("get_alone", "Copy back, one rank alone", of.GetAlone),
			rate("get_all", "Copy back, all ranks at once", of.GetAll),
			rate("local", "Copy within a GPU, all at once", of.Local))
	}
	return table.Table{Name: "limits", Rows: append(rows,
		quantiles(table.Row{Name: "round_trip", Label: "Flag round trip"}, of.RoundTrip, c),
		quantiles(table.Row{Name: "epoch", Label: "Flags-only epoch"}, of.Epoch, c),
	)}
}
