package report_test

import (
	"testing"
	"time"

	"github.com/epperf/epperf/go/internal/figures"
	"github.com/epperf/epperf/go/internal/record"
	"github.com/epperf/epperf/go/internal/record/recordtest"
	"github.com/epperf/epperf/go/internal/report"
	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

func TestExplanations(t *testing.T) {
	for name, change := range map[string]func(*report.Explanation){
		"explain_fits":     func(*report.Explanation) {},
		"explain_too_much": func(e *report.Explanation) { e.AvailableBytes = 1_000_000 },
		"explain_unknown":  func(e *report.Explanation) { e.AvailableBytes, e.AvailableBy = 0, "" },
		"explain_gpus": func(e *report.Explanation) {
			onGPUs(e, 8)
			e.Places = []*epperfv1.Place{
				{NumaNode: new(uint32(0)), Cpus: "0-47,96-143", Memory: true},
				{NumaNode: new(uint32(1)), Cpus: "48-95"},
				{Cpus: "0-143"},
				{NumaNode: new(uint32(0)), Cpus: "0-47,96-143", Memory: true},
			}
			e.GPU = &report.GPUMemory{Name: "NVIDIA H200", Ranks: 1, NeededBytes: 436_174_848, HasBytes: 150_000_000_000}
		},
		"explain_gpu_too_small": func(e *report.Explanation) {
			onGPUs(e, 1)
			e.GPU = &report.GPUMemory{Name: "NVIDIA H200", Ranks: 8, NeededBytes: 436_174_848_000, HasBytes: 150_000_000_000}
		},
	} {
		t.Run(name, func(t *testing.T) {
			header := recordtest.Passed(epperfv1.Mode_MODE_E2E).Header
			e := &report.Explanation{
				Summary:   figures.Summarize(&record.Record{Header: header}),
				Routing:   "uniform",
				Dtype:     "fp8",
				Seed:      7,
				Region:    []report.Part{{Name: "header", Bytes: 4096}, {Name: "rows", Bytes: 14_680_064}},
				Private:   []report.Part{{Name: "process", Bytes: 33_554_432}},
				Output:    report.OutputRows{Reserved: 36_900, Bytes: 1_860_000_000, Received: 1_100},
				RanksHere: 8, NeededBytes: 385_908_736, AvailableBytes: 1_000_000_000, AvailableBy: "MemAvailable",
				Traffic: &figures.Bytes{Selections: 22_265_856, Ranks: 14_747_868, Remote: 12_913_218},
				Timeout: 5 * time.Minute, WaitTimeout: 10 * time.Second,
			}
			change(e)
			compareGolden(t, name+".txt", string(e.Text()))
		})
	}
}

func onGPUs(e *report.Explanation, gpus int) {
	run := recordtest.Passed(epperfv1.Mode_MODE_E2E)
	run.OnGPUs(gpus)
	e.Summary = figures.Summarize(&record.Record{Header: run.Header})
	e.Private = []report.Part{{Name: "inputs, outputs, handle", Bytes: 180_174_848}}
}
