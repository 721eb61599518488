package report

import (
	"github.com/epperf/epperf/go/internal/figures"
	"github.com/epperf/epperf/go/internal/table"
)

// verdict says how many ranks passed what.
func verdict(label string, c *figures.CaseSummary) table.Table {
	cells := []table.Cell{
		table.IntCell("passed", c.PassedRanks), table.IntCell("ranks", c.Ranks), table.EnumCell("mode", c.Mode),
	}
	for _, choice := range c.Choices {
		if choice.Told {
			cells = append(cells, chosen(choice))
		}
	}
	return table.Table{Name: "verdict", Rows: []table.Row{{Name: "passed", Label: label, Cells: cells}}}
}

// throughput has the figures of the known block.
func throughput(c *figures.CaseSummary) table.Table {
	return table.Table{Name: "figures", Rows: []table.Row{
		spread(table.Row{
			Name: "bandwidth", Label: "Bandwidth", Unit: table.BytesPerNanosecond, Better: table.Higher,
		}, c.Bandwidth, c),
		spread(table.Row{Name: "latency", Label: "Latency", Unit: table.Nanoseconds, Better: table.Lower}, c.LatencyNS, c),
	}}
}

// run says how the run ended if not well, and what its durations have to be taken with.
func run(s *figures.Summary, c *figures.CaseSummary) table.Table {
	var rows []table.Row
	if s.PartOfNode != nil {
		rows = append(rows, table.Row{Name: "part", Label: "Part", Cells: []table.Cell{table.IntCell("node", *s.PartOfNode)}})
	}
	rows = append(rows, ending(s)...)
	if !c.RoutesUniformly() { // two routings never look alike
		rows = append(rows, enum("routing", "Routing", c.Routing))
	}
	for _, of := range c.Throttled {
		rows = append(rows, table.Row{Name: "throttled", Label: "Warning", Cells: []table.Cell{
			table.IntCell("rank", of.Rank), table.ListCell("reasons", of.Reasons),
		}})
	}
	rows = append(rows, contended(c.Contention)...)
	// Ranks that outnumber CPUs take turns, and that is said already.
	if of := c.Groups; of != nil && !s.Oversubscribed {
		rows = append(rows, table.Row{Name: "groups", Label: "Warning", Unit: table.Nanoseconds, Cells: []table.Cell{
			table.IntCell("lower_p50", of.Lower.P50NS), table.FloatCell("lower_share", of.Lower.Share).In(table.Ratio),
			table.IntCell("upper_p50", of.Upper.P50NS), table.FloatCell("upper_share", of.Upper.Share).In(table.Ratio),
		}})
	}
	if c.Soak == nil {
		rows = append(rows, quantiles(table.Row{Name: "slowest", Label: "Slowest rank"}, c.Slowest, c))
	}
	return table.Table{Name: "run", Rows: rows}
}

// contended says what others took, and who; no rows if nobody did.
func contended(c *figures.Contention) []table.Row {
	if c == nil {
		return nil
	}
	warning := func(name string, cells ...table.Cell) table.Row {
		return table.Row{Name: name, Label: "Warning", Cells: cells}
	}
	other := func(name string, of figures.Other) table.Row {
		row := warning(name, table.IntCell("rank", of.Rank), table.IntCell("pid", of.PID), table.FloatCell("share", of.Share).In(table.Ratio))
		if of.Name != "" {
			row.Cells = append(row.Cells, table.TextCell("process", of.Name))
		}
		return row
	}
	var rows []table.Row
	if c.WaitedShare > 0 {
		rows = append(rows, warning("waited", table.IntCell("rank", c.Rank), table.FloatCell("share", c.WaitedShare).In(table.Ratio)))
		for _, of := range c.Others {
			rows = append(rows, other("others", of))
		}
	}
	if c.StolenShare > 0 {
		rows = append(rows, warning("stolen", table.FloatCell("share", c.StolenShare).In(table.Ratio)))
	}
	if c.ThrottledNS > 0 {
		rows = append(rows, warning("held_back", table.IntCell("held", c.ThrottledNS).In(table.Nanoseconds)))
	}
	for _, of := range c.OnGPUs {
		rows = append(rows, other("others_on_gpus", of))
	}
	return rows
}

// ending says how the run came to its end; no row if it passed.
func ending(s *figures.Summary) []table.Row {
	row := table.Row{Name: "ending"}
	note, name := "", ""
	switch s.Ending {
	case figures.Passed:
		return nil
	case figures.Incomplete:
		row.Label, name, note = "Incomplete", "incomplete", "not_closed"
	case figures.Interrupted:
		row.Label, name, note = "Interrupted", "interrupted", "signal"
	default:
		row.Label, name, note = "Failed", "failed", "no_reason"
	}
	row.Cells = []table.Cell{table.EnumCell("ending", name)}
	if s.Error != "" {
		row.Cells = append(row.Cells, table.TextCell("error", s.Error))
	} else {
		row.Notes = []table.Note{{Name: note}}
	}
	return []table.Row{row}
}

// moved says what crossed, and by which network.
func moved(c *figures.CaseSummary) table.Table {
	rows := []table.Row{traffic(c.BytesPerRank)}
	if n := c.Network; n != nil {
		rows = append(rows, table.Row{Name: "network", Label: "Network", Cells: []table.Cell{
			table.ListCell("ucx", n.UCXVersions), table.ListCell("modules", n.Modules),
		}})
		for _, transport := range n.Transports {
			rows = append(rows, table.Row{Name: "transport", Label: "Transport", Cells: []table.Cell{table.TextCell("", transport)}})
		}
		for _, of := range c.Overrides {
			row := table.Row{Name: "overridden", Label: "Warning", Cells: []table.Cell{table.TextCell("variable", of.Variable)}}
			if of.By != "" {
				row.Cells = append(row.Cells, table.TextCell("by", carrierWords[of.By]))
			}
			rows = append(rows, row)
		}
		for _, rank := range n.Slower {
			rows = append(rows, table.Row{Name: "without_cma", Label: "Warning", Cells: []table.Cell{table.IntCell("rank", rank)}})
		}
	}
	return table.Table{Name: "moved", Rows: rows}
}

// soaked says how far a soak came, and how to ask for the round in which something went wrong.
func soaked(s *figures.Summary, of *figures.SoakSummary) table.Table {
	rows := []table.Row{{Name: "soak", Label: "Soak", Cells: []table.Cell{
		table.CountCell("epochs", of.Epochs),
		table.CountCell("checked", of.Checked),
		table.CountCell("rows", of.Rows),
		table.CountCell("wrong", of.Wrong),
	}}}
	if of.Rounds > 0 {
		rows = append(rows, table.Row{Name: "rounds", Label: "Rounds", Cells: []table.Cell{
			table.IntCell("rounds", of.Rounds), table.CountCell("bytes", of.Bytes).In(table.Bytes),
		}})
	}
	if of.Repeat != nil && (of.Wrong > 0 || s.Ending == figures.Failed) {
		rows = append(rows, table.Row{Name: "repeat", Label: "Repeat", Cells: []table.Cell{
			table.CountCell("seed", of.Repeat.Seed), table.TextCell("routing", of.Repeat.Routing),
		}})
	}
	return table.Table{Name: "soaked", Rows: rows}
}
