package report

import (
	"github.com/epperf/epperf/go/internal/figures"
	"github.com/epperf/epperf/go/internal/plan"
	"github.com/epperf/epperf/go/internal/table"
)

// detail is what --detail adds.
func detail(s *figures.Summary, c *figures.CaseSummary) table.Table {
	rows := []table.Row{
		quantiles(table.Row{Name: "fresh", Label: "Fresh entry"}, c.Detail.Fresh, c),
		median(table.Row{
			Name: "pair", Label: "Chained pair",
			Notes: []table.Note{{Name: "pairs", Cells: []table.Cell{table.IntCell("pairs", c.Detail.Pairs)}}},
		}, c.Detail.PairNS, c),
	}
	if gpu := c.Detail.GPU; gpu != nil { // what is timed on GPUs alone
		rows = append(rows,
			median(table.Row{
				Name: "graph", Label: "Graph replay",
				Notes: []table.Note{{Name: "graph", Cells: []table.Cell{
					table.IntCell("replays", gpu.Replays), table.IntCell("operations", gpu.GraphOperations),
				}}},
			}, gpu.GraphNS, c),
			quantiles(table.Row{Name: "kernels", Label: "Kernels only"}, gpu.Kernels, c))
	}
	if c.Network != nil && c.Network.Sent != nil {
		rows = append(rows, sent(c.Network.Sent)...)
	}
	if c.Network != nil {
		rows = append(rows, groups("proxy", "Proxies of ranks", c.Network.Proxies)...)
	}
	return table.Table{Name: "detail", Rows: append(rows, share(s, c)...)}
}

// sent says what went over a network, and what one message takes there.
func sent(s *figures.SentSummary) []table.Row {
	rows := []table.Row{{Name: "sent", Label: "Sent", Cells: []table.Cell{
		table.CountCell("messages", s.Messages),
		table.CountCell("bytes", s.Bytes).In(table.Bytes),
		table.CountCell("slowest", s.SlowestNS).In(table.Nanoseconds),
	}}}
	if s.ProbeNS > 0 {
		rows = append(rows, table.Row{Name: "probe", Label: "Probe", Unit: table.Nanoseconds, Better: table.Lower, Cells: []table.Cell{
			table.CountCell("small", s.ProbeSmallNS),
			table.CountCell("large", s.ProbeNS),
			table.CountCell("bytes", s.ProbeBytes).In(table.Bytes),
		}})
	}
	return rows
}

// median is as quantiles; the row's notes are those of a figure that there is.
func median(row table.Row, ns *float64, c *figures.CaseSummary) table.Row {
	row.Unit, row.Better = table.Nanoseconds, table.Lower
	if ns == nil {
		row.Notes = noFigures(c)
		return row
	}
	row.Cells = []table.Cell{table.FloatCell("median", *ns)}
	return row
}

// share says how much of its time a case could not but take, and what bounds it.
func share(s *figures.Summary, c *figures.CaseSummary) []table.Row {
	row := table.Row{Name: "share", Label: "Share of the limit", Unit: table.Ratio, Better: table.Higher}
	of := c.Detail.Share
	if of == nil {
		row.Notes = noShare(s, c)
		return []table.Row{row}
	}
	row.Cells = []table.Cell{table.FloatCell("", of.OfTime)}
	rows := []table.Row{row}
	for _, part := range of.Parts {
		bound := table.Row{Name: "bound", Label: "Bound"}
		switch part.By {
		case figures.Link:
			bound.Cells = []table.Cell{table.EnumCell("operation", part.Op), table.EnumCell("by", "link")}
		case figures.GPUMemory:
			bound.Cells = []table.Cell{table.EnumCell("operation", part.Op), table.EnumCell("by", "memory")}
		}
		bound.Cells = append(bound.Cells,
			table.FloatCell("bytes", part.Bytes).In(table.Bytes),
			table.FloatCell("rate", part.Rate).In(table.BytesPerNanosecond))
		rows = append(rows, bound)
	}
	return append(rows, table.Row{
		Name: "calibration", Label: "Calibration", Cells: []table.Cell{table.TextCell("run", of.RunID)},
	})
}

// noShare says why there is none.
func noShare(s *figures.Summary, c *figures.CaseSummary) []table.Note {
	switch {
	case s.SharedGPU:
		return noFigures(c)
	case s.Device != "cpu" && c.Combine == "expert":
		return []table.Note{{Name: "remote_not_counted"}}
	case !plan.BackendNamed(s.Backend).Calibrated:
		return []table.Note{{Name: "not_mapped"}}
	case s.Hosts > 1:
		return []table.Note{{Name: "several_hosts"}}
	case s.Threads > 1:
		return []table.Note{{Name: "several_threads"}}
	case c.Finished < c.Ranks:
		return noFigures(c)
	default:
		return []table.Note{{Name: "no_calibration", Cells: []table.Cell{table.IntCell("ranks", c.Ranks)}}}
	}
}
