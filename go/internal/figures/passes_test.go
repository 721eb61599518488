package figures_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/epperf/epperf/go/internal/figures"
	"github.com/epperf/epperf/go/internal/record"
	"github.com/epperf/epperf/go/internal/record/recordtest"
	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

var nearly = cmpopts.EquateApprox(1e-12, 0)

func TestCalibrationFiguresLeaveOutTheFirst(t *testing.T) {
	s := summarize(t, recordtest.Calibrated())
	if !s.Passed() {
		t.Errorf("did not pass: %v", s.Cases[0].Failures)
	}
	// 524,288 bytes in 100 µs; in 200 and 300 µs at once.
	one := func(rate float64) *figures.Spread { return &figures.Spread{Avg: rate, Min: rate, Max: rate} }
	all := &figures.Spread{Avg: (2.62144 + 5.24288/3) / 2, Min: 5.24288 / 3, Max: 2.62144}
	at := func(ns int64) *int64 { return &ns }
	want := &figures.CalibrationSummary{
		Rows: 256, CachedRows: 64, RowBytes: 2048,
		Alone: one(5.24288), All: all, CachedAlone: one(10.48576),
		CachedAll: &figures.Spread{Avg: 2 * all.Avg, Min: 2 * all.Min, Max: 2 * all.Max},
		RoundTrip: &figures.Quantiles{Samples: 200, P50: at(300), P95: at(390), P99: at(398), Max: 400},
		Epoch:     &figures.Quantiles{Samples: 200, P50: at(2100), P95: at(2190), P99: at(2198), Max: 2200},
	}
	if diff := cmp.Diff(want, s.Cases[0].Calibration, nearly); diff != "" {
		t.Errorf("calibration (-want +got):\n%s", diff)
	}
}

func TestACalibrationThatIsNotWhole(t *testing.T) {
	for name, change := range map[string]func(*recordtest.Run){
		"a block is missing":    func(r *recordtest.Run) { r.Samples = r.Samples[1:] },
		"a duration is missing": func(r *recordtest.Run) { r.Samples[3].DurationNs = r.Samples[3].DurationNs[:2] },
		"nothing was checked":   func(r *recordtest.Run) { r.Results[1].Check = &epperfv1.Check{} },
		"a row is wrong":        func(r *recordtest.Run) { r.Results[1].Check.Wrong = 1 },
	} {
		t.Run(name, func(t *testing.T) {
			run := recordtest.Calibrated()
			change(run)
			if summarize(t, run).Passed() {
				t.Error("it passed")
			}
			kept, err := record.Read(run.Write(t))
			if err != nil {
				t.Fatal(err)
			}
			if limit, ok := figures.LimitOf(kept); ok {
				t.Errorf("a run would be held against it: %v", limit)
			}
		})
	}
}

func TestDetailFigures(t *testing.T) {
	run := recordtest.Detailed(epperfv1.Mode_MODE_E2E)
	detail := summarize(t, run).Cases[0].Detail
	// The slowest rank is the last one, the lower middle of eight ranks is rank 3.
	if *detail.Fresh.P50 != 2_497_000 || detail.Fresh.Samples != 100 || detail.Fresh.Max != 2_997_000 {
		t.Errorf("fresh entry %+v", detail.Fresh)
	}
	if *detail.PairNS != 3_030_000 || detail.Pairs != 100 {
		t.Errorf("pair %v of %d", *detail.PairNS, detail.Pairs)
	}
	if detail.Share != nil {
		t.Errorf("a share %+v of no limit", detail.Share)
	}
	if summarize(t, recordtest.Passed(epperfv1.Mode_MODE_E2E)).Cases[0].Detail != nil {
		t.Error("a run without details has some")
	}
}

func TestDetailFiguresOfGPUs(t *testing.T) {
	run := recordtest.DetailedOnGPUs(epperfv1.Mode_MODE_DISPATCH, 8)
	run.Header.Limit = &epperfv1.Limit{RunId: "of CPUs"}
	summary := summarize(t, run)
	gpu := summary.Cases[0].Detail.GPU
	// Of replays 1 to 7 the middle one, the slowest rank being the last: (1,600 + 4 * 16 + 7) / 16.
	if !summary.Passed() || *gpu.GraphNS != 104_437.5 || gpu.Replays != 7 || gpu.GraphOperations != 16 {
		t.Errorf("graph: %v ns, %d of %d; passed %t", *gpu.GraphNS, gpu.Replays, gpu.GraphOperations, summary.Passed())
	}
	if kernels := gpu.Kernels; kernels.Samples != 99 || *kernels.P50 != 147_000 || kernels.Max != 196_000 {
		t.Errorf("kernels %+v", gpu.Kernels)
	}
	if share := summary.Cases[0].Detail.Share; share != nil {
		t.Errorf("a share %+v of what CPUs do", share)
	}
	run.Samples = run.Samples[:len(run.Samples)-1]
	if summary := summarize(t, run); summary.Passed() || summary.Cases[0].Detail.GPU.GraphNS != nil {
		t.Error("a rank without its kernels finished")
	}
	if summarize(t, recordtest.Detailed(epperfv1.Mode_MODE_E2E)).Cases[0].Detail.GPU != nil {
		t.Error("a run on CPUs has details of GPUs")
	}
}
