// Package recordtest makes records of runs that never happened, for tests.
package recordtest

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/epperf/epperf/go/internal/record"
	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

// A Run is what a record is to hold. Tests change it and then write it.
type Run struct {
	Header  *epperfv1.Header
	Samples []*epperfv1.Samples
	Results []*epperfv1.RankResult
	Moments []*epperfv1.Moment
	Status  epperfv1.Trailer_Status
	Error   string
}

// Rows that rank r moves, as seed 1 routes 128 tokens of 8 choices to 8 ranks of 36 experts.
var (
	rankRows   = [8]uint64{681, 679, 682, 678, 680, 668, 661, 697}
	remoteRows = [8]uint64{599, 591, 605, 595, 584, 586, 579, 612}
)

// Selections of one rank in one iteration, and what its checks compare in all: 13 dispatches or
// 12, of 1,024 rows, and 13 combines or 12, of 128.
const selections = 1024

var checkedRows = map[epperfv1.Mode]uint64{
	epperfv1.Mode_MODE_DISPATCH: 13*1024 + 12*128,
	epperfv1.Mode_MODE_COMBINE:  12*1024 + 13*128,
	epperfv1.Mode_MODE_E2E:      13*1024 + 13*128,
}

// Passed returns a run of one case, 8 ranks on one host of 2 CPUs, in which everything went well.
// Iteration i of rank r took 1,000 + 10 i + r microseconds.
func Passed(mode epperfv1.Mode) *Run {
	const ranks, iterations = 8, 100
	run := &Run{
		Header: &epperfv1.Header{
			Plan: &epperfv1.Plan{
				RunId: "0a1b2c3d",
				Cases: []*epperfv1.Case{{
					Mode:           mode,
					Ranks:          ranks,
					TokensOfRank:   []uint32{128, 128, 128, 128, 128, 128, 128, 128},
					Hidden:         7168,
					ExpertsPerRank: 36,
					Topk:           8,
					Dtype:          epperfv1.Dtype_DTYPE_FP8,
					Routing:        &epperfv1.Routing{Kind: epperfv1.Routing_KIND_UNIFORM},
					Seed:           1,
					Warmup:         10,
					Passes:         []*epperfv1.Pass{epperfv1.Operations(mode, iterations)},
				}},
				Device:        epperfv1.Device_DEVICE_CPU,
				NvlinkBackend: epperfv1.NvlinkBackend_NVLINK_BACKEND_IPC,
				RanksPerHost:  ranks,
			},
			StartedUnixNs: 1_800_000_000_000_000_000, // 2027-01-15 08:00:00 UTC
			Hosts:         []*epperfv1.Host{{Name: "node-a", UsableCpus: 2}},
		},
		Status: epperfv1.Trailer_STATUS_PASSED,
	}
	for rank := range uint32(ranks) {
		durations := make([]uint64, iterations)
		for i := range durations {
			durations[i] = 1e6 + 1e4*uint64(i) + 1e3*uint64(rank)
		}
		run.Samples = append(run.Samples, &epperfv1.Samples{Rank: rank, FirstEpoch: 20, DurationNs: durations})
		run.Results = append(run.Results, &epperfv1.RankResult{
			Rank:   rank,
			Passed: true,
			Traffic: &epperfv1.Traffic{
				Selections: selections,
				RankRows:   rankRows[rank],
				RemoteRows: remoteRows[rank],
			},
			Check: &epperfv1.Check{Rows: checkedRows[mode]},
		})
	}
	return run
}

// Small returns Passed in mode e2e of two ranks and three iterations.
func Small() *Run {
	run := Passed(epperfv1.Mode_MODE_E2E)
	run.Case().Ranks, run.Case().TokensOfRank, run.Case().Passes[0].Count = 2, []uint32{128, 128}, 3
	run.Samples, run.Results = run.Samples[:2], run.Results[:2]
	for _, samples := range run.Samples {
		samples.DurationNs = samples.DurationNs[:3]
	}
	return run
}

// OnGPUs puts the run on a number of GPUs that are all alike. With fewer than ranks they are shared.
func (r *Run) OnGPUs(count int) {
	r.Header.Plan.Device = epperfv1.Device_DEVICE_CUDA
	r.Header.Plan.SharedGpu = count < int(r.Header.GetPlan().GetRanksPerHost())
	for number := range count {
		r.Header.Hosts[0].Gpus = append(r.Header.Hosts[0].Gpus, &epperfv1.Gpu{
			Name:            "NVIDIA H200",
			Uuid:            fmt.Sprintf("GPU-00000000-0000-0000-0000-%012d", number),
			Pci:             fmt.Sprintf("0000:%02x:00.0", number+1),
			MemoryBytes:     150_000_000_000,
			Multiprocessors: 132,
			ComputeMajor:    9,
			DriverVersion:   13000,
		})
	}
}

// Case returns the plan's first case.
func (r *Run) Case() *epperfv1.Case { return r.Header.GetPlan().GetCases()[0] }

// Write writes the run as a closed record in a folder of the test's own and returns its path.
func (r *Run) Write(t testing.TB) string {
	t.Helper()
	path, err := r.create(t).Close(r.Status, r.Error)
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// Read returns the run as whoever reads its closed record has it.
func (r *Run) Read(t testing.TB) *record.Record {
	t.Helper()
	kept, err := record.Read(r.Write(t))
	if err != nil {
		t.Fatal(err)
	}
	return kept
}

// WritePartial leaves the record as a run does that ends all at once.
func (r *Run) WritePartial(t testing.TB) string {
	t.Helper()
	written := r.create(t).Path()
	content, err := os.ReadFile(written)
	if err != nil {
		t.Fatal(err)
	}
	left := filepath.Join(t.TempDir(), filepath.Base(written)) // which no process has open
	if err := os.WriteFile(left, content, 0o644); err != nil {
		t.Fatal(err)
	}
	return left
}

func (r *Run) create(t testing.TB) *record.Writer {
	t.Helper()
	w, err := record.Create(t.TempDir(), r.Header)
	if err != nil {
		t.Fatal(err)
	}
	for _, samples := range r.Samples {
		if err := w.WriteSamples(samples); err != nil {
			t.Fatal(err)
		}
	}
	for _, result := range r.Results {
		if err := w.WriteResult(result); err != nil {
			t.Fatal(err)
		}
	}
	for _, moment := range r.Moments {
		w.Note(moment)
	}
	return w
}
