package report

import (
	"slices"
	"time"

	"github.com/epperf/epperf/go/internal/figures"
	"github.com/epperf/epperf/go/internal/plan"
	"github.com/epperf/epperf/go/internal/table"
	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

// An Explanation is what can be said of a run before it is made.
type Explanation struct {
	// Summary is of a record without ranks.
	Summary *figures.Summary
	Routing string
	Dtype   string
	Seed    uint64
	// Region is what all ranks reach of each other, part by part.
	Region []Part
	// Private is what a rank has besides, at most, part by part.
	Private []Part
	// Output is rows that a rank has room for.
	Output OutputRows
	// Places are where each of this host's ranks runs; none where nothing is bound.
	Places []*epperfv1.Place
	// RanksHere are the ranks of this host, and NeededBytes is what they take together.
	RanksHere   int
	NeededBytes uint64
	// GPU is what ranks take of a GPU's memory, where the region and Private then are; nil on CPUs.
	GPU *GPUMemory
	// AvailableBytes is what AvailableBy leaves them; "" if the machine tells no limit.
	AvailableBytes uint64
	AvailableBy    string
	// Traffic is the mean over ranks.
	Traffic              *figures.Bytes
	Timeout, WaitTimeout time.Duration
}

// A GPUMemory is what the ranks of one GPU, of those with most, need of it.
type GPUMemory struct {
	Name                  string
	Ranks                 int
	NeededBytes, HasBytes uint64
}

// OutputRows are the rows of a rank's outputs, and of what its experts make of them, three sets.
type OutputRows struct {
	// Reserved rows are what any routing could fill, and take Bytes; of the run's own routing Received
	// are filled at most.
	Reserved, Bytes, Received uint64
}

// A Part is a piece of memory.
type Part struct {
	Name  string
	Bytes uint64
}

// Text returns what perf --explain prints.
func (e *Explanation) Text() []byte { return text(e.Tables()) }

// Tables returns what is said of the run: what it is to be, what it takes, and how long it may.
func (e *Explanation) Tables() []table.Table {
	return []table.Table{
		planned(e.Summary, &e.Summary.Cases[0]),
		{Name: "input", Rows: []table.Row{{Name: "routing", Label: "Routing", Cells: []table.Cell{
			table.EnumCell("routing", e.Routing), table.CountCell("seed", e.Seed), table.EnumCell("dtype", e.Dtype),
		}}}},
		e.rankMemory(),
		{Name: "needed", Rows: append(slices.Concat(placed(e.Places), e.needed()),
			traffic(e.Traffic),
			shapes(),
			table.Row{Name: "limits", Label: "Limits", Unit: table.Nanoseconds, Cells: []table.Cell{
				table.IntCell("wait", e.WaitTimeout), table.IntCell("run", e.Timeout),
			}},
		)},
	}
}

// shapes are what a run may have at most, whatever this one has.
func shapes() table.Row {
	most := plan.ShapeLimits()
	return table.Row{Name: "shapes", Label: "Shapes", Cells: []table.Cell{
		table.IntCell("topk", most.TopK),
		table.IntCell("experts", most.Experts),
		table.IntCell("experts_on_gpus", most.ExpertsOnGPUs),
		table.IntCell("hidden_multiple", most.HiddenMultiple),
	}}
}

// rankMemory is the memory of one rank, part by part.
func (e *Explanation) rankMemory() table.Table {
	title, where := "Memory per rank", "lazy"
	if e.GPU != nil {
		title, where = "Memory per rank on its GPU", "on_gpu"
	}
	region := "region, mapped by every rank"
	if !plan.BackendNamed(e.Summary.Backend).OneHost {
		region = "region, written by every rank"
	}
	rows := append(sum("region", region, e.Region), sum("private", "of its own, at most", e.Private)...)
	return table.Table{Name: "memory", Title: title, Rows: append(rows, table.Row{
		Name: "output_rows", Label: "Rows of outputs",
		Cells: []table.Cell{
			table.CountCell("reserved", e.Output.Reserved),
			table.CountCell("bytes", e.Output.Bytes).In(table.Bytes),
			table.CountCell("received", e.Output.Received),
		},
		Notes: []table.Note{{Name: where}}, // where rows are kept that may never come
	})}
}

// sum returns parts below their sum.
func sum(name, label string, parts []Part) []table.Row {
	row := func(name, label string, bytes uint64) table.Row {
		return table.Row{Name: name, Label: label, Unit: table.Bytes, Cells: []table.Cell{table.CountCell("bytes", bytes)}}
	}
	var rows []table.Row
	var total uint64
	for _, part := range parts {
		rows = append(rows, row(name+"_part", part.Name, part.Bytes))
		total += part.Bytes
	}
	return append([]table.Row{row(name, label, total)}, rows...)
}

// needed is the memory of all ranks of this host, and what there is.
func (e *Explanation) needed() []table.Row {
	host := table.Row{Name: "host", Label: "Memory", Cells: []table.Cell{
		table.IntCell("ranks", e.RanksHere),
		table.CountCell("needed", e.NeededBytes).In(table.Bytes),
	}}
	if e.AvailableBy != "" {
		host.Cells = append(host.Cells,
			table.CountCell("available", e.AvailableBytes).In(table.Bytes), table.TextCell("by", e.AvailableBy))
		host.Notes = fits(e.NeededBytes, e.AvailableBytes)
	}
	gpu := e.GPU
	if gpu == nil {
		return []table.Row{host}
	}
	host.Label = "Host memory"
	return []table.Row{{Name: "gpu", Label: "Memory of a GPU", Notes: fits(gpu.NeededBytes, gpu.HasBytes), Cells: []table.Cell{
		table.IntCell("ranks", gpu.Ranks),
		table.CountCell("needed", gpu.NeededBytes).In(table.Bytes),
		table.CountCell("available", gpu.HasBytes).In(table.Bytes),
		table.TextCell("name", gpu.Name),
	}}, host}
}

func fits(needed, available uint64) []table.Note {
	if needed > available {
		return []table.Note{{Name: "too_much"}}
	}
	return []table.Note{{Name: "fits"}}
}
