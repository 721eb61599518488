package report

import (
	"strconv"
	"strings"

	"github.com/epperf/epperf/go/internal/figures"
	"github.com/epperf/epperf/go/internal/table"
)

// Phased returns what is printed of an elastic run: what was asked for, a row for each time that ranks connected,
// and all that there is of cases in which something went wrong.
func Phased(s *figures.Summary) []table.Table {
	c := &s.Cases[0]
	plan := planned(s, c)
	plan.Title = "EP Elastic Test"
	kept := plan.Rows[:0]
	for _, row := range plan.Rows {
		switch row.Name {
		case "ranks":
			row = table.Row{Name: "phases", Label: "Phases", Cells: []table.Cell{table.IntCell("phases", s.Phases[len(s.Phases)-1].Index+1)}}
		case "experts", "cpus", "warmup":
			continue
		}
		kept = append(kept, row)
	}
	plan.Rows = kept
	tables := []table.Table{plan, phases(s.Phases), {Name: "run", Rows: ending(s)}, work(s)}
	for i := range s.Cases {
		if of := &s.Cases[i]; begun(of) && of.PassedRanks < of.Ranks {
			tables = append(tables, checked(of))
		}
	}
	return append(tables, recordTable(s))
}

// phases is the grid of all cases.
func phases(of []figures.PhaseSummary) table.Table {
	t := table.Table{Name: "phases"}
	for i := range of {
		phase := &of[i]
		name := strconv.Itoa(phase.Index)
		if phase.Recovers {
			name += " after"
		}
		t.Rows = append(t.Rows, table.Row{Name: "phase", Label: name, Better: table.Lower, Cells: []table.Cell{
			table.TextCell("phase", name), numbered("ranks", phase.Ranks), numbered("join", phase.Joined), numbered("leave", phase.Left),
			numbered("killed", phase.Killed),
			known("ready", phase.ReadyNS), known("good", phase.GoodNS), known("detect", phase.DetectNS), known("stop", phase.StopNS),
			known("recover", phase.RecoverNS), known("good after", phase.GoodAfterNS),
		}})
	}
	return t
}

func numbered(name string, ranks []int) table.Cell {
	if len(ranks) == 0 {
		return table.TextCell(name, "-")
	}
	words := make([]string, len(ranks))
	for i, rank := range ranks {
		words[i] = strconv.Itoa(rank)
	}
	return table.TextCell(name, strings.Join(words, ","))
}

func known(name string, ns *int64) table.Cell {
	if ns == nil {
		return table.NoCell(name)
	}
	return table.IntCell(name, *ns).In(table.Nanoseconds)
}

// work says how much was checked in all phases together, and how many processes ranks had.
func work(s *figures.Summary) table.Table {
	var rows, wrong, iterations uint64
	processes := map[int]bool{}
	for i := range s.Phases {
		phase := &s.Phases[i]
		rows, wrong, iterations = rows+phase.Rows, wrong+phase.Wrong, iterations+phase.Iterations
		for _, pid := range phase.PIDs {
			if pid > 0 {
				processes[pid] = true
			}
		}
	}
	return table.Table{Name: "elastic", Rows: []table.Row{{Name: "work", Label: "Checked", Cells: []table.Cell{
		table.CountCell("iterations", iterations), table.CountCell("rows", rows), table.CountCell("wrong", wrong), table.IntCell("processes", len(processes)),
	}}}}
}
