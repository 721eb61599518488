package report

import (
	"slices"
	"strings"

	"github.com/epperf/epperf/go/internal/figures"
	"github.com/epperf/epperf/go/internal/plan"
	"github.com/epperf/epperf/go/internal/table"
	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

// planned is what was to be measured, and on what.
func planned(s *figures.Summary, c *figures.CaseSummary) table.Table {
	rows := []table.Row{
		enum("mode", "Mode", c.Mode),
		count("ranks", "Ranks", c.Ranks),
		{Name: "tokens", Label: "Tokens", Cells: []table.Cell{
			table.IntCell("min", c.MinTokens), table.IntCell("max", c.MaxTokens),
		}},
		count("hidden", "Hidden", c.Hidden),
		{Name: "experts", Label: "Experts", Cells: []table.Cell{
			table.IntCell("per_rank", c.ExpertsPerRank), table.IntCell("total", c.Experts()),
		}},
		count("topk", "TopK", c.Topk),
	}
	for _, choice := range c.Choices {
		if choice.Told && choice.Number == nil {
			rows = append(rows, enum(choice.Name, titled(choice.Name), choice.Value))
		}
	}
	rows = append(rows, backend(s, c))
	rows = append(rows, table.Row{Name: "device", Label: "Device", Cells: []table.Cell{
		table.EnumCell("device", s.Device), table.EnumCell("dtype", c.Dtype),
	}})
	rows = append(rows, placement(s, c)...)
	for _, choice := range c.Choices {
		switch {
		case !choice.Told || choice.Number == nil:
		case choice.Name == "sms":
			rows = append(rows, sms(s, c))
		default:
			rows = append(rows, count(choice.Name, titled(choice.Name), int(*choice.Number)))
		}
	}
	switch {
	case c.Soak != nil:
		rows = append(rows, plannedSoak(c.Soak))
	case c.Control != nil:
		rows = append(rows, count("rounds", "Measure", c.Control.Rounds))
	default:
		rows = append(rows, count("warmup", "Warmup", c.Warmup), count("iterations", "Measure", c.Iterations))
	}
	return table.Table{Name: "plan", Title: "EP Data Plane Performance Test", Rows: rows}
}

// titled is the label of a choice.
func titled(name string) string { return strings.ToUpper(name[:1]) + name[1:] }

// backend names how ranks were to reach each other, and says what brought rows where that is not the
// same.
func backend(s *figures.Summary, c *figures.CaseSummary) table.Row {
	row := enum("backend", "Backend", s.Backend)
	of := plan.BackendNamed(s.Backend)
	if !of.NIXL || len(c.CarriedBy) == 0 {
		return row
	}
	mapped := c.CarriedBy[0] == figures.Mapped
	var by []string
	for _, carrier := range c.CarriedBy {
		if carrier != figures.Mapped {
			by = append(by, carrierWords[carrier])
		}
	}
	note := table.Note{Name: "carried", Cells: []table.Cell{table.TextCell("by", strings.Join(by, " and "))}}
	device, _ := epperfv1.Parse[epperfv1.Device](s.Device)
	switch maps := of.On(device).Mapped; {
	case len(by) == 0:
		if s.Device == "cpu" {
			row.Notes = []table.Note{{Name: "mapped"}}
		}
	case maps && mapped:
		note.Name = "carried_between_hosts"
		row.Notes = []table.Note{{Name: "mapped"}, note}
	case maps:
		note.Name = "carried_between_hosts"
		row.Notes = []table.Note{note}
	case slices.Equal(c.CarriedBy, []figures.Carrier{figures.RDMA}):
		row.Notes = []table.Note{{Name: "rdma_forced"}}
	default:
		row.Notes = []table.Note{note}
	}
	for _, staging := range c.StagedIn {
		row.Notes = append(row.Notes, table.Note{Name: string(staging)})
	}
	return row
}

// carrierWords are what a header calls carriers.
var carrierWords = map[figures.Carrier]string{
	figures.RDMA:            "RDMA",
	figures.TCP:             "tcp",
	figures.SharedMemory:    "shared memory",
	figures.CUDAIPC:         "cuda_ipc",
	figures.OtherTransports: "other transports",
	figures.Unknown:         "transports unknown",
}

// placement says what ranks compute on, and whether their durations can be taken for speed. No rows
// where the record does not tell.
func placement(s *figures.Summary, c *figures.CaseSummary) []table.Row {
	hosts := table.IntCell("hosts", s.Hosts)
	ranks := []table.Cell{table.IntCell("ranks", c.Ranks), table.IntCell("threads", max(1, s.Threads)), hosts}
	notSpeed := []table.Note{{Name: "not_speed"}}
	switch gpus := s.GPUCount(); {
	case s.Device == "cpu":
		row := table.Row{Name: "cpus", Label: "CPUs", Cells: ranks}
		if s.CPUs > 0 {
			row.Cells = append(row.Cells, table.IntCell("cores", s.CPUs))
		}
		if s.Oversubscribed {
			row.Notes = notSpeed
		}
		return append([]table.Row{row}, noGPUs(s.NoGPUs, c)...)
	case s.SharedGPU:
		row := table.Row{Name: "shared_gpus", Label: "GPUs", Cells: ranks, Notes: notSpeed}
		if gpus > 0 {
			row.Cells = append(row.Cells, table.IntCell("gpus", gpus))
		}
		return []table.Row{row}
	case gpus == 0:
		return nil
	}
	var rows []table.Row
	for _, kind := range s.GPUs {
		rows = append(rows, table.Row{Name: "gpu", Label: "GPU", Cells: []table.Cell{
			table.IntCell("count", kind.Count), table.TextCell("name", kind.Name),
		}})
	}
	return append(rows, table.Row{Name: "hosts", Label: "Hosts", Cells: []table.Cell{hosts}})
}

// noGPUs says why ranks are not on GPUs; no row where nobody asks.
func noGPUs(why *figures.NoGPUs, c *figures.CaseSummary) []table.Row {
	if why == nil {
		return nil
	}
	row := table.Row{Name: "no_gpus", Label: "GPUs", Cells: []table.Cell{table.EnumCell(kind, "unusable"), table.TextCell("reason", why.Reason)}}
	if why.Alone {
		row.Cells = []table.Cell{table.EnumCell(kind, "alone")}
		if c.Calibration == nil {
			row.Notes = []table.Note{{Name: "may_share"}}
		}
		return []table.Row{row}
	}
	if why.InSys > 0 {
		row.Cells = append(row.Cells, table.IntCell("in_sys", why.InSys))
	}
	if why.VisibleDevices != nil {
		row.Cells = append(row.Cells, table.TextCell("visible", *why.VisibleDevices))
	}
	return []table.Row{row}
}

// sms says how many multiprocessors operations may use, and how many GPUs have where that is known.
func sms(s *figures.Summary, c *figures.CaseSummary) table.Row {
	row := count("sms", "SMs", c.SMs)
	if s.MaxSMs > 0 {
		row.Cells = append(row.Cells, table.IntCell("gpu_min", s.MinSMs), table.IntCell("gpu_max", s.MaxSMs))
	}
	return row
}

// plannedSoak says how long a soak was to be, and how much of it was to be checked.
func plannedSoak(s *figures.SoakSummary) table.Row {
	row := table.Row{Name: "soak", Label: "Measure"}
	if s.PlannedEpochs > 0 {
		row.Cells = append(row.Cells, table.CountCell("epochs", s.PlannedEpochs))
	} else {
		row.Cells = append(row.Cells, table.IntCell("duration", s.Planned).In(table.Nanoseconds))
	}
	if s.CheckEvery > 0 {
		row.Cells = append(row.Cells, table.CountCell("check_every", s.CheckEvery))
	} else {
		row.Notes = []table.Note{{Name: "half_of_time"}}
	}
	return row
}
