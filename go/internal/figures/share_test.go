package figures_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/epperf/epperf/go/internal/figures"
	"github.com/epperf/epperf/go/internal/record"
	"github.com/epperf/epperf/go/internal/record/recordtest"
	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

func TestShareOfTheLimit(t *testing.T) {
	kept, err := record.Read(recordtest.Calibrated().Write(t))
	if err != nil {
		t.Fatal(err)
	}
	limit, ok := figures.LimitOf(kept)
	if !ok {
		t.Fatal("no limit")
	}
	for mode, leastBytes := range map[epperfv1.Mode]float64{
		epperfv1.Mode_MODE_DISPATCH: (678.25 + 1024) * 7408,
		epperfv1.Mode_MODE_COMBINE:  (1024 + 2*678.25 + 128) / 2 * 14336,
		epperfv1.Mode_MODE_E2E:      (678.25+1024)*7408 + (1024+2*678.25+128)/2*14336,
	} {
		run := recordtest.Detailed(mode)
		run.Header.Limit = limit
		rate := (2.62144 + 5.24288/3) / 2
		const meanNS = 1_503_500 // of iterations 1 to 99 and ranks 0 to 7
		want := &figures.Share{
			OfTime: leastBytes / rate / meanNS,
			Parts:  []figures.SharePart{{By: figures.Copies, Bytes: leastBytes, Rate: rate}},
			RunID:  "0a1b2c3d",
		}
		if diff := cmp.Diff(want, summarize(t, run).Cases[0].Detail.Share, nearly); diff != "" {
			t.Errorf("%v (-want +got):\n%s", mode, diff)
		}
	}
}

func TestOnlyCalibrationsAreLimits(t *testing.T) {
	kept, err := record.Read(recordtest.Passed(epperfv1.Mode_MODE_E2E).Write(t))
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := figures.LimitOf(kept); ok {
		t.Error("a measurement was taken for a calibration")
	}
}

// Memory copies at 52.4288 bytes a nanosecond; the link as slow as CPUs' copies, or as fast as memory.
func TestShareOfTheLimitOfGPUs(t *testing.T) {
	const row, token = 7408.0, 14336.0
	const meanNS = 1_503_500 // of iterations 1 to 99 and ranks 0 to 7
	const memory = 52.4288
	const put = (2.62144 + 5.24288/3) / 2
	bound := map[string]figures.SharePart{
		"dispatch by the link": {Op: "dispatch", By: figures.Link, Bytes: 593.875 * row, Rate: put},
		"combine by the link":  {Op: "combine", By: figures.Link, Bytes: 593.875 * token, Rate: put},
		"dispatch by memory":   {Op: "dispatch", By: figures.GPUMemory, Bytes: (128*token + (2*593.875+1024)*row) / 2, Rate: memory},
		"combine by memory":    {Op: "combine", By: figures.GPUMemory, Bytes: (1024 + 2*593.875 + 128) / 2 * token, Rate: memory},
	}
	for name, test := range map[string]struct {
		mode   epperfv1.Mode
		change func(*recordtest.Run)
		want   []string
	}{
		"dispatch": {epperfv1.Mode_MODE_DISPATCH, func(*recordtest.Run) {}, []string{"dispatch by the link"}},
		"e2e":      {epperfv1.Mode_MODE_E2E, func(*recordtest.Run) {}, []string{"dispatch by the link", "combine by the link"}},
		"a fast link": {epperfv1.Mode_MODE_COMBINE, func(r *recordtest.Run) {
			fasten(r, "copy put")
		}, []string{"combine by memory"}},
		"a fast link, both": {epperfv1.Mode_MODE_E2E, func(r *recordtest.Run) {
			fasten(r, "copy put")
		}, []string{"dispatch by memory", "combine by memory"}},
		"fast gets, which nothing uses": {epperfv1.Mode_MODE_COMBINE, func(r *recordtest.Run) {
			fasten(r, "copy get")
		}, []string{"combine by the link"}},
		"of CPUs": {epperfv1.Mode_MODE_E2E, func(r *recordtest.Run) { *r = *recordtest.Calibrated() }, nil},
	} {
		t.Run(name, func(t *testing.T) {
			calibration := recordtest.CalibratedGPUs()
			test.change(calibration)
			kept, err := record.Read(calibration.Write(t))
			if err != nil {
				t.Fatal(err)
			}
			run := recordtest.DetailedOnGPUs(test.mode, 8)
			run.Header.Limit, _ = figures.LimitOf(kept)
			got := summarize(t, run).Cases[0].Detail.Share
			if test.want == nil {
				if got != nil {
					t.Errorf("a share %+v of what CPUs do", got)
				}
				return
			}
			want := &figures.Share{RunID: "0a1b2c3d"}
			for _, part := range test.want {
				want.Parts = append(want.Parts, bound[part])
				want.OfTime += bound[part].Bytes / bound[part].Rate / meanNS
			}
			if diff := cmp.Diff(want, got, nearly); diff != "" {
				t.Errorf("share (-want +got):\n%s", diff)
			}
			run.Case().Combine = epperfv1.CombineSum_COMBINE_SUM_EXPERT
			by := summarize(t, run).Cases[0].Detail.Share
			if known := test.mode == epperfv1.Mode_MODE_DISPATCH; known != (by != nil) {
				t.Errorf("with a row a selection, the share is %+v", by)
			}
		})
	}
}

// fasten makes copies of one pass as fast as those within a GPU.
func fasten(r *recordtest.Run, label string) {
	for _, samples := range r.Samples {
		if r.Case().Pass(int(samples.GetPass())).Label() == label {
			samples.DurationNs = []uint64{9e9, 10_000, 10_000}
		}
	}
}
