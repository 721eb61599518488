package report

import (
	"io"

	"github.com/epperf/epperf/go/internal/model"
	"github.com/epperf/epperf/go/internal/table"
)

// A Simulation is what a model made of a routing.
type Simulation struct {
	Machine model.Machine
	// Case names what was simulated, and RowBytes are those of one row.
	Case     string
	RowBytes float64
	Result   model.Simulated
	// Hot is how many links are listed.
	Hot int
}

// WriteText writes the simulation as people read it.
func (s *Simulation) WriteText(w io.Writer) error {
	_, err := w.Write(text(s.Tables()))
	return err
}

// Tables returns "simulation", then "hot_links".
func (s *Simulation) Tables() []table.Table {
	m := &s.Machine
	head := table.Table{Name: "simulation", Title: "EP Simulation", Rows: []table.Row{
		{Name: "machine", Label: "Machine", Cells: []table.Cell{
			table.IntCell("nodes", m.Nodes), table.IntCell("each", m.RanksPerNode), table.IntCell("ranks", m.Ranks()),
		}},
		{Name: "case", Label: "Case", Cells: []table.Cell{table.TextCell("case", s.Case)}},
		{Name: "rates", Label: "Links", Unit: table.BytesPerNanosecond, Cells: []table.Cell{
			table.FloatCell("mapped", m.MappedRate), table.FloatCell("network", m.NetworkRate),
			table.FloatCell("mapped_first", m.MappedNS).In(table.Nanoseconds), table.FloatCell("network_first", m.NetworkNS).In(table.Nanoseconds),
		}},
		{Name: "modelled", Label: "Modelled", Cells: []table.Cell{table.EnumCell("modelled", "links")}},
		{Name: "time", Label: "Time", Unit: table.Nanoseconds, Cells: []table.Cell{
			table.FloatCell("all", s.Result.NS), table.FloatCell("mean", s.Result.MeanNS),
		}},
	}}
	hot := table.Table{Name: "hot_links"}
	for _, link := range s.Result.Links[:min(s.Hot, len(s.Result.Links))] {
		hot.Rows = append(hot.Rows, table.Row{Name: "link", Cells: []table.Cell{
			table.TextCell("hot link", string(link.Kind)), table.IntCell("rank", link.Rank), table.IntCell("node", link.Rank/m.RanksPerNode),
			table.FloatCell("carries", link.Bytes).In(table.Bytes),
			table.FloatCell("to the mean", link.Bytes/s.Result.Mean(link.Kind, m.Ranks())).In(table.Ratio),
			table.FloatCell("busy", link.BusyNS).In(table.Nanoseconds), table.FloatCell("done", link.FinishedNS).In(table.Nanoseconds),
		}})
	}
	return []table.Table{head, hot}
}
