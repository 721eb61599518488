package report

import (
	"time"

	"github.com/epperf/epperf/go/internal/figures"
	"github.com/epperf/epperf/go/internal/record"
	"github.com/epperf/epperf/go/internal/table"
)

// A Document is all that other programs are told of a record: that which is printed of it, and what a
// reader of the screen knows anyway or does not ask.
type Document struct {
	Path string
	// Run says where the record comes from.
	Run table.Table
	// Cases are in the plan's order.
	Cases []Case
}

// A Case is one case of a record.
type Case struct {
	// Name tells a machine's cases apart; two records with the same name measured the same.
	Name string
	// Shape is one row: what was asked for, defaults included.
	Shape table.Row
	// Tables are those that are printed of it.
	Tables []table.Table
}

// Describe returns what other programs are told of a record with this summary.
func Describe(r *record.Record, summary *figures.Summary) Document {
	document := Document{Path: r.Path, Run: origin(figures.OriginOf(r), summary.Passed())}
	for index, c := range r.Header.GetPlan().GetCases() {
		shape := figures.ShapeOf(c)
		document.Cases = append(document.Cases, Case{
			Name: shape.Name(), Shape: shaped(shape), Tables: tablesOfCase(summary, &summary.Cases[index]),
		})
	}
	return document
}

func shaped(s figures.Shape) table.Row {
	cells := []table.Cell{
		table.EnumCell("mode", s.Mode),
		table.IntCell("ranks", s.Ranks),
		table.IntCell("min_tokens", s.MinTokens), table.IntCell("max_tokens", s.MaxTokens),
		table.IntCell("hidden", s.Hidden),
		table.IntCell("experts_per_rank", s.ExpertsPerRank), table.IntCell("topk", s.Topk),
		table.EnumCell("dtype", s.Dtype),
	}
	for _, choice := range s.Choices {
		cells = append(cells, chosen(choice))
	}
	return table.Row{Name: "shape", Label: "Shape", Cells: append(cells,
		table.CountCell("seed", s.Seed),
		table.IntCell("warmup", s.Warmup), table.IntCell("iterations", s.Iterations),
	)}
}

var endings = map[figures.Ending]string{
	figures.Failed: "failed", figures.Passed: "passed", figures.Interrupted: "interrupted", figures.Incomplete: "incomplete",
}

// origin says which run a record is of. A run passed if it says so and its results bear it out.
func origin(o figures.Origin, passed bool) table.Table {
	var yes int64
	if passed {
		yes = 1
	}
	run := table.Row{Name: "run", Label: "Run", Cells: []table.Cell{
		table.TextCell("id", o.RunID),
		table.TextCell("started", o.Started.Format(time.RFC3339Nano)),
		table.EnumCell("ending", endings[o.Ending]),
		table.IntCell("passed", yes),
		table.EnumCell("device", o.Device), table.EnumCell("backend", o.Backend),
		table.IntCell("threads", o.Threads), table.IntCell("hosts", len(o.Hosts)),
		told("build", o.BuildID), told("plan", o.PlanSHA256),
	}}
	if o.Error != "" {
		run.Cells = append(run.Cells, table.TextCell("error", o.Error))
	}
	rows := []table.Row{run}
	for number, host := range o.Hosts {
		rows = append(rows, table.Row{Name: "host", Label: "Host", Cells: []table.Cell{
			table.IntCell("host", number), told("name", host.Name), told("cpu", host.CPU),
			counted("usable_cpus", uint64(host.UsableCPUs)), told("kernel", host.Kernel),
			told("clocksource", host.Clocksource),
			counted("memory", host.MemoryBytes).In(table.Bytes), table.ListCell("ucx", host.UCX),
		}})
		for _, gpu := range host.GPUs {
			rows = append(rows, table.Row{Name: "gpu", Label: "GPU", Cells: []table.Cell{
				table.IntCell("host", number), told("name", gpu.GetName()), told("pci", gpu.GetPci()),
				counted("memory", gpu.GetMemoryBytes()).In(table.Bytes),
				counted("sms", uint64(gpu.GetMultiprocessors())),
				counted("driver", uint64(gpu.GetDriverVersion())),
			}})
		}
	}
	return table.Table{Name: "origin", Title: "Where it comes from", Rows: rows}
}

// told is a text that a record need not have.
func told(name, value string) table.Cell {
	if value == "" {
		return table.NoCell(name)
	}
	return table.TextCell(name, value)
}

// counted is a number that a record need not have, and that is not 0.
func counted(name string, value uint64) table.Cell {
	if value == 0 {
		return table.NoCell(name)
	}
	return table.CountCell(name, value)
}
