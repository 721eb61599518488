package report

import (
	"github.com/epperf/epperf/go/internal/figures"
	"github.com/epperf/epperf/go/internal/table"
)

// control is all that is said of a case that times the control plane.
func control(s *figures.Summary, c *figures.CaseSummary) []table.Table {
	plan := planned(s, c)
	plan.Title = "EP Control Plane Performance Test"
	return []table.Table{
		plan,
		verdict("Control Plane", c),
		steps(c),
		{Name: "run", Rows: ending(s)},
		checked(c),
	}
}

// steps has what each step took, over ranks and rounds.
func steps(c *figures.CaseSummary) table.Table {
	var rows []table.Row
	for _, step := range c.Control.Steps {
		row := quantiles(table.Row{Name: step.Name, Label: titled(step.Name)}, step.Each, c)
		first := table.NoCell("first")
		if step.FirstNS != nil {
			first = table.IntCell("first", *step.FirstNS)
		}
		row.Cells = append(row.Cells, first)
		rows = append(rows, row)
	}
	if left := c.Control.Left; left != nil {
		rows = append(rows, table.Row{Name: "left", Label: "Left", Cells: []table.Cell{
			table.IntCell("descriptors", left.Descriptors), table.IntCell("mappings", left.Mappings),
			table.IntCell("threads", left.Threads), table.IntCell("memory", left.ResidentBytes).In(table.Bytes),
		}})
	}
	return table.Table{Name: "steps", Rows: rows}
}
