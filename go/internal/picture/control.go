package picture

import (
	"github.com/epperf/epperf/go/internal/table"
)

// rounds shows what each step of a control plane took on the slowest rank, round by round. A step that grows
// leaves something behind.
func (c caseOf) rounds() *Picture {
	p := &Picture{
		Name: "rounds", Title: "Steps of rounds",
		About: "How long each step took on the rank that took longest, round by round. A line that rises is a step that leaves something behind.",
		Lines: &Lines{X: Axis{Label: "round"}, Y: Axis{Label: "duration of the slowest rank", Unit: table.Nanoseconds, Log: true}},
		Table: table.Table{Name: "steps", Title: "Quantiles over ranks and rounds"},
	}
	for pass, step := range c.of.Control.Steps {
		series := Series{Name: step.Name, Group: pass}
		for rank := range c.of.Ranks {
			for round, ns := range c.rank(rank).Pass(pass) {
				if round == len(series.X) {
					series.X, series.Y = append(series.X, float64(round+1)), append(series.Y, float64(ns))
				}
				series.Y[round] = max(series.Y[round], float64(ns))
			}
		}
		if len(series.X) == 0 {
			continue
		}
		p.Lines.Series = append(p.Lines.Series, series.thinned(mostSteps))
		row := table.Row{Name: step.Name, Label: step.Name, Unit: table.Nanoseconds}
		for _, name := range []string{"p50", "p95", "p99", "max"} {
			row.Cells = append(row.Cells, table.NoCell(name))
		}
		if each := step.Each; each != nil {
			for i, ns := range []*int64{each.P50, each.P95, each.P99, &each.Max} {
				if ns != nil {
					row.Cells[i] = table.IntCell(row.Cells[i].Name, *ns)
				}
			}
		}
		p.Table.Rows = append(p.Table.Rows, row)
	}
	if len(p.Lines.Series) == 0 {
		return nil
	}
	return p
}

// thinned keeps so many points at most, each the largest of those it stands for.
func (s Series) thinned(most int) Series {
	each := ceilDiv(len(s.X), most)
	thin := s
	thin.X, thin.Y = nil, nil
	for i := range s.X {
		if i%each == 0 {
			thin.X, thin.Y = append(thin.X, s.X[i]), append(thin.Y, s.Y[i])
			continue
		}
		last := len(thin.Y) - 1
		thin.Y[last] = max(thin.Y[last], s.Y[i])
	}
	return thin
}
