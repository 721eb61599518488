package picture

import (
	"math"
	"slices"

	"github.com/epperf/epperf/go/internal/figures"
	"github.com/epperf/epperf/go/internal/record"
	"github.com/epperf/epperf/go/internal/stats"
	"github.com/epperf/epperf/go/internal/table"
	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

// caseOf is one case of a record.
type caseOf struct {
	record *record.Record
	index  int
	of     *figures.CaseSummary
}

func (c caseOf) pictures() []Picture {
	if c.of.Calibration != nil {
		return nil
	}
	if c.of.Control != nil {
		return present(c.rounds(), c.pairs(), c.experts(), c.reach())
	}
	return present(c.heat(), c.distribution(), c.pairs(), c.experts(), c.reach())
}

func (c caseOf) rank(rank int) record.RankRecord { return c.record.Rank(c.index, rank) }

// What is drawn at most: more would be smaller than a dot.
const (
	mostRows    = 128
	mostColumns = 240
	mostSteps   = 240
	mostBars    = 256
	// mostListed rows have a table beside a picture; the first are the slowest.
	mostListed = 32
)

// heat shows each rank's durations, iteration by iteration. A rank that is slow is a line across.
func (c caseOf) heat() *Picture {
	ranks := make([][]int64, c.of.Ranks)
	iterations := 0
	for rank := range ranks {
		if durations := c.rank(rank).Pass(0); len(durations) > 1 {
			ranks[rank] = durations[1:] // as figures do
		}
		iterations = max(iterations, len(ranks[rank]))
	}
	if iterations == 0 || c.of.SharedGPU {
		return nil
	}
	m := &Matrix{
		Rows: Axis{Label: "rank"}, Columns: Axis{Label: "iteration"}, Value: Axis{Label: "duration", Unit: table.Nanoseconds},
		EachRow: ceilDiv(len(ranks), mostRows), EachColumn: ceilDiv(iterations, mostColumns),
	}
	m.Values = blank(ceilDiv(len(ranks), m.EachRow), ceilDiv(iterations, m.EachColumn))
	for rank, durations := range ranks {
		for i, ns := range durations {
			cell := &m.Values[rank/m.EachRow][i/m.EachColumn]
			if !(*cell >= float64(ns)) {
				*cell = float64(ns)
			}
		}
	}
	return &Picture{
		Name: "heat", Title: "Ranks and iterations", Matrix: m, Table: slowRanks(ranks),
		About: "How long each iteration took on each rank. A slow rank is a light line across, a disturbance of all a light line down.",
	}
}

// slowRanks lists ranks, the one with the longest median first.
func slowRanks(ranks [][]int64) table.Table {
	type ranked struct {
		rank     int
		p50, p95 int64
		has95    bool
	}
	var all []ranked
	for rank, durations := range ranks {
		d := stats.NewDistribution(durations)
		if median, ok := d.MedianNS(); ok {
			p95, has := d.QuantileNS(stats.P95)
			all = append(all, ranked{rank, median, p95, has})
		}
	}
	slices.SortStableFunc(all, func(a, b ranked) int { return int(b.p50 - a.p50) })
	t := table.Table{Name: "ranks", Title: "Slowest ranks first"}
	if len(all) == 0 {
		return t
	}
	typical := all[len(all)/2].p50
	for _, each := range all[:min(len(all), mostListed)] {
		row := table.Row{Name: "rank", Unit: table.Nanoseconds, Cells: []table.Cell{
			table.IntCell("rank", each.rank).In("count"), table.IntCell("p50", each.p50), table.NoCell("p95"),
			table.NoCell("to the middle rank"),
		}}
		if each.has95 {
			row.Cells[2] = table.IntCell("p95", each.p95)
		}
		if typical > 0 {
			row.Cells[3] = table.FloatCell("to the middle rank", float64(each.p50)/float64(typical)).In(table.Ratio)
		}
		t.Rows = append(t.Rows, row)
	}
	return t
}

// distribution shows what share of iterations took at most so long.
func (c caseOf) distribution() *Picture {
	if c.of.Slowest == nil {
		return nil
	}
	slowest := slices.Clone(c.rank(0).Pass(0))
	for rank := 1; rank < c.of.Ranks; rank++ {
		for i, ns := range c.rank(rank).Pass(0)[:len(slowest)] {
			slowest[i] = max(slowest[i], ns)
		}
	}
	slowest = slowest[1:]
	slices.Sort(slowest)
	steps := Series{Name: "slowest rank", Kind: Steps}
	for k := range min(len(slowest), mostSteps) {
		at := (k+1)*len(slowest)/min(len(slowest), mostSteps) - 1
		steps.X, steps.Y = append(steps.X, float64(slowest[at])), append(steps.Y, float64(at+1)/float64(len(slowest)))
	}
	t := table.Table{Name: "distribution", Title: "Quantiles of the slowest rank"}
	row := table.Row{Name: "quantiles", Unit: table.Nanoseconds}
	for _, quantile := range []struct {
		name string
		ns   *int64
	}{{"p50", c.of.Slowest.P50}, {"p95", c.of.Slowest.P95}, {"p99", c.of.Slowest.P99}, {"max", &c.of.Slowest.Max}} {
		cell := table.NoCell(quantile.name)
		if quantile.ns != nil {
			cell = table.IntCell(quantile.name, *quantile.ns)
		}
		row.Cells = append(row.Cells, cell)
	}
	t.Rows = []table.Row{row}
	return &Picture{
		Name: "distribution", Title: "Distribution", Table: t,
		About: "The share of iterations that took at most so long, on the rank that took longest. Two steep parts are two states of the machine.",
		Lines: &Lines{
			X: Axis{Label: "duration of the slowest rank", Unit: table.Nanoseconds}, Y: Axis{Label: "share of iterations", Unit: table.Ratio},
			Series: []Series{steps},
		},
	}
}

// pairs shows how many rows go from each rank to each.
func (c caseOf) pairs() *Picture {
	each := ceilDiv(c.of.Ranks, mostRows)
	m := &Matrix{
		Rows: Axis{Label: "from rank"}, Columns: Axis{Label: "to rank"}, Value: Axis{Label: "rows of an iteration"},
		EachRow: each, EachColumn: each, Values: blank(ceilDiv(c.of.Ranks, each), ceilDiv(c.of.Ranks, each)),
	}
	t := table.Table{Name: "pairs", Title: "Rows that a rank sends and receives"}
	received, sent, known := make([]uint64, c.of.Ranks), make([]uint64, c.of.Ranks), false
	for from := range c.of.Ranks {
		for to, rows := range c.rank(from).Result.GetTraffic().GetRowsToRank() {
			if to >= c.of.Ranks {
				break // a hostile record's
			}
			known = true
			sent[from] += rows
			received[to] += rows
			if cell := &m.Values[from/each][to/each]; !(*cell >= float64(rows)) {
				*cell = float64(rows)
			}
		}
	}
	if !known {
		return nil
	}
	for rank := range min(c.of.Ranks, mostListed) {
		t.Rows = append(t.Rows, table.Row{Name: "rank", Cells: []table.Cell{
			table.IntCell("rank", rank), table.CountCell("sends", sent[rank]), table.CountCell("receives", received[rank]),
		}})
	}
	return &Picture{
		Name: "pairs", Title: "Traffic of pairs", Matrix: m, Table: t,
		About: "Rows that one dispatch moves from each rank to each, its own included. A light column is a rank that all send to.",
	}
}

// experts shows how many selections each expert receives.
func (c caseOf) experts() *Picture {
	var load []float64
	for rank := range c.of.Ranks {
		for _, selections := range c.rank(rank).Result.GetTraffic().GetSelectionsOfExpert() {
			load = append(load, float64(selections))
		}
	}
	if len(load) == 0 {
		return nil
	}
	bars := &Bars{
		X: Axis{Label: "expert"}, Y: Axis{Label: "selections"}, Each: ceilDiv(len(load), mostBars), Mean: mean(load),
	}
	for begin := 0; begin < len(load); begin += bars.Each {
		bars.Values = append(bars.Values, mean(load[begin:min(begin+bars.Each, len(load))]))
	}
	row := table.Row{Name: "load", Cells: []table.Cell{
		table.IntCell("experts", len(load)), table.FloatCell("mean", bars.Mean), table.FloatCell("least", slices.Min(load)),
		table.FloatCell("most", slices.Max(load)),
	}}
	if bars.Mean > 0 {
		row.Cells = append(row.Cells, table.FloatCell("most to mean", slices.Max(load)/bars.Mean).In(table.Ratio))
	}
	return &Picture{
		Name: "experts", Title: "Load of experts", Bars: bars,
		Table: table.Table{Name: "experts", Title: "Selections of an expert", Rows: []table.Row{row}},
		About: "Selections that each expert receives in one dispatch; the line across is their mean.",
	}
}

// reach shows how rows get from each rank to each.
func (c caseOf) reach() *Picture {
	words := []string{"unknown", "own", "mapped", "network"}
	each := ceilDiv(c.of.Ranks, mostRows)
	m := &Matrix{
		Rows: Axis{Label: "from rank"}, Columns: Axis{Label: "to rank"}, Value: Axis{Label: "path"}, EachRow: each, EachColumn: each,
		Values: blank(ceilDiv(c.of.Ranks, each), ceilDiv(c.of.Ranks, each)), Words: words,
	}
	counts := make([]int, len(words))
	for from := range c.of.Ranks {
		for to, path := range c.rank(from).Result.GetPathToRank() {
			if to >= c.of.Ranks {
				break
			}
			value := max(0, slices.Index(words, epperfv1.Name(path)))
			counts[value]++
			if cell := &m.Values[from/each][to/each]; !(*cell >= float64(value)) {
				*cell = float64(value)
			}
		}
	}
	if slices.Max(counts) == 0 {
		return nil
	}
	return &Picture{
		Name: "reach", Title: "How ranks reach each other", Matrix: m, Table: c.placement(),
		About: "Own memory, memory that is mapped, or a network; beside it the GPU and the NICs of each rank.",
	}
}

// placement lists the host, GPU and NICs of each rank.
func (c caseOf) placement() table.Table {
	t := table.Table{Name: "placement", Title: "Where ranks are"}
	perHost := int(c.record.Header.GetPlan().GetRanksPerHost())
	hosts := c.record.Header.GetHosts()
	for rank := range min(c.of.Ranks, mostListed) {
		row := table.Row{Name: "rank", Cells: []table.Cell{table.IntCell("rank", rank)}}
		if perHost > 0 && rank/perHost < len(hosts) {
			host, local := hosts[rank/perHost], rank%perHost
			row.Cells = append(row.Cells, table.TextCell("host", host.GetName()))
			if gpus := host.GetGpus(); len(gpus) > 0 {
				gpu := gpus[local%len(gpus)]
				row.Cells = append(row.Cells, table.TextCell("GPU", gpu.GetName()+" "+gpu.GetPci()))
			}
			if devices := host.GetNetDevicesOfRank(); local < len(devices) {
				row.Cells = append(row.Cells, table.TextCell("NICs", devices[local]))
			}
		}
		t.Rows = append(t.Rows, row)
	}
	return t
}

// blank has no value anywhere.
func blank(rows, columns int) [][]float64 {
	values := make([][]float64, rows)
	for i := range values {
		values[i] = slices.Repeat([]float64{math.NaN()}, columns)
	}
	return values
}

func mean(values []float64) float64 {
	var sum float64
	for _, value := range values {
		sum += value
	}
	return sum / float64(len(values))
}

func ceilDiv(n, by int) int { return max(1, (n+by-1)/by) }
