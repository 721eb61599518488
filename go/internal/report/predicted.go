package report

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/epperf/epperf/go/internal/figures"
	"github.com/epperf/epperf/go/internal/model"
	"github.com/epperf/epperf/go/internal/record"
	"github.com/epperf/epperf/go/internal/table"
	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

// A Prediction is what records' cases would take on a machine that nobody measured.
type Prediction struct {
	Nodes, RanksPerNode int
	// NetworkRate, in bytes per nanosecond, is what a rank's network carries where no record tells; 0 if nobody said.
	NetworkRate float64
	groups      []predicted
	left        int // cases that are of no use
}

// predicted are the cases of one operation on one shape, whatever their tokens and ranks.
type predicted struct {
	name   string
	shape  figures.Shape
	case0  *epperfv1.Case
	points []model.Point
	tokens []int
	fit    *model.Fit
	err    error
}

// Add takes the cases of a record that passed and were timed by themselves.
func (p *Prediction) Add(r *record.Record) {
	summary := figures.Summarize(r)
	for index, c := range r.Header.GetPlan().GetCases() {
		of := &summary.Cases[index]
		shape := summary.Shapes[index]
		if of.Slowest == nil || of.Slowest.P50 == nil || *of.Slowest.P50 <= 0 || of.PassedRanks < of.Ranks || shape.MinTokens != shape.MaxTokens || shape.Routing != "uniform" {
			p.left++
			continue
		}
		name := fmt.Sprintf("%s/hidden=%d/experts=%d/topk=%d/dtype=%s/layout=%s/combine=%s/sms=%d/%s",
			shape.Mode, shape.Hidden, of.Experts(), shape.Topk, shape.Dtype, shape.Layout, shape.Combine, shape.SMs, summary.Device)
		at := slices.IndexFunc(p.groups, func(g predicted) bool { return g.name == name })
		if at < 0 {
			at, p.groups = len(p.groups), append(p.groups, predicted{name: name, shape: shape, case0: c})
		}
		g := &p.groups[at]
		g.points = append(g.points, model.Point{Name: shape.Name(), Terms: termsOf(r, index, c), NS: float64(*of.Slowest.P50)})
		if !slices.Contains(g.tokens, shape.MaxTokens) {
			g.tokens = append(g.tokens, shape.MaxTokens)
		}
	}
}

// termsOf are the bytes of the rank that sends most.
func termsOf(r *record.Record, index int, c *epperfv1.Case) (most model.Terms) {
	row := float64(figures.RowBytes(c))
	for rank := range int(c.GetRanks()) {
		result := r.Rank(index, rank).Result
		var of model.Terms
		for to, rows := range result.GetTraffic().GetRowsToRank() {
			if paths := result.GetPathToRank(); to < len(paths) && paths[to] == epperfv1.Path_PATH_NETWORK {
				of.NetworkBytes += float64(rows) * row
			} else {
				of.MappedBytes += float64(rows) * row
			}
		}
		if of.MappedBytes+of.NetworkBytes > most.MappedBytes+most.NetworkBytes {
			most = of
		}
	}
	return most
}

// Fit fits a line through the cases of each operation. It is an error if there is none to which one fits.
func (p *Prediction) Fit() error {
	fitted := 0
	ranks := p.Nodes * p.RanksPerNode
	for i := range p.groups {
		g := &p.groups[i]
		g.fit, g.err = model.FitPoints(g.points)
		experts := g.shape.ExpertsPerRank * g.shape.Ranks
		switch {
		case g.err != nil:
		case experts%ranks != 0:
			g.err = fmt.Errorf("%d experts are not the same number on each of %d ranks", experts, ranks)
		case p.Nodes > 1 && !g.fit.Network && p.NetworkRate <= 0:
			g.err = fmt.Errorf("no record went over a network: --network=GB/S says what one would carry for each rank")
		default:
			fitted++
		}
		slices.Sort(g.tokens)
	}
	if fitted > 0 {
		return nil
	}
	if len(p.groups) == 0 {
		return fmt.Errorf("no case is of use: it has to be timed, right, of uniform routing and as many tokens on each rank")
	}
	return p.groups[0].err
}

// WriteText writes what is measured, and what is modelled.
func (p *Prediction) WriteText(w io.Writer) error {
	_, err := w.Write(text(p.Tables()))
	return err
}

// Tables returns "prediction", then "fits" and "predictions", a row for each operation, and for each of its tokens.
func (p *Prediction) Tables() []table.Table {
	points := 0
	for i := range p.groups {
		points += len(p.groups[i].points)
	}
	head := table.Table{Name: "prediction", Title: "EP Prediction", Rows: []table.Row{
		{Name: "machine", Label: "Machine", Cells: []table.Cell{
			table.IntCell("nodes", p.Nodes), table.IntCell("each", p.RanksPerNode), table.IntCell("ranks", p.Nodes*p.RanksPerNode),
		}},
		{Name: "measured", Label: "Measured", Cells: []table.Cell{table.IntCell("cases", points), table.IntCell("left", p.left)}},
		{Name: "modelled", Label: "Modelled", Cells: []table.Cell{table.EnumCell("modelled", "line")}},
	}}
	if p.NetworkRate > 0 {
		head.Rows = append(head.Rows, table.Row{Name: "network", Label: "Network", Unit: table.BytesPerNanosecond, Cells: []table.Cell{
			table.FloatCell("rate", p.NetworkRate),
		}})
	}
	fits, predictions, without := table.Table{Name: "fits"}, table.Table{Name: "predictions"}, table.Table{Name: "no_line"}
	for i := range p.groups {
		g := &p.groups[i]
		if g.err != nil {
			without.Rows = append(without.Rows, table.Row{Name: "no_line", Label: g.name, Cells: []table.Cell{table.TextCell("why", g.err.Error())}})
			continue
		}
		fits.Rows = append(fits.Rows, p.fitRow(g))
		for _, tokens := range g.tokens {
			predictions.Rows = append(predictions.Rows, p.predictedRow(g, tokens))
		}
	}
	return []table.Table{head, fits, predictions, without}
}

func (p *Prediction) fitRow(g *predicted) table.Row {
	median, most := g.fit.Errors()
	rate := func(name string, nsPerByte float64) table.Cell {
		if nsPerByte <= 0 {
			return table.NoCell(name)
		}
		return table.FloatCell(name, 1/nsPerByte).In(table.BytesPerNanosecond)
	}
	return table.Row{Name: "fit", Cells: []table.Cell{
		table.TextCell("line through", strings.ReplaceAll(g.name, "/", " ")), table.IntCell("cases", g.fit.Points),
		table.FloatCell("alpha", g.fit.AlphaNS).In(table.Nanoseconds), rate("mapped", g.fit.MappedNS), rate("network", g.fit.NetworkNS),
		table.FloatCell("held-out error", median).In(table.Ratio), table.FloatCell("at most", most).In(table.Ratio),
	}}
}

func (p *Prediction) predictedRow(g *predicted, tokens int) table.Row {
	experts := g.shape.ExpertsPerRank * g.shape.Ranks
	of := model.ExpectedTerms(p.Nodes, p.RanksPerNode, tokens, experts, g.shape.Topk, float64(figures.RowBytes(g.case0)))
	line := *g.fit
	if !line.Network && p.NetworkRate > 0 {
		line.NetworkNS = 1 / p.NetworkRate
	}
	return table.Row{Name: "prediction", Cells: []table.Cell{
		table.EnumCell("mode", g.shape.Mode), table.EnumCell("dtype", g.shape.Dtype), table.EnumCell("layout", cmp.Or(g.shape.Layout, "expert")),
		table.IntCell("tokens", tokens),
		table.FloatCell("mapped per rank", of.MappedBytes).In(table.Bytes), table.FloatCell("network per rank", of.NetworkBytes).In(table.Bytes),
		table.FloatCell("predicted", line.NS(of)).In(table.Nanoseconds),
	}}
}
