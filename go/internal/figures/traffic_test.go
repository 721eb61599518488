package figures_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/epperf/epperf/go/internal/figures"
	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

// The wanted numbers are those that the known system prints for these widths.
func TestRowBytes(t *testing.T) {
	const (
		dispatch = epperfv1.Mode_MODE_DISPATCH
		combine  = epperfv1.Mode_MODE_COMBINE
		e2e      = epperfv1.Mode_MODE_E2E
		fp8      = epperfv1.Dtype_DTYPE_FP8
		bf16     = epperfv1.Dtype_DTYPE_BF16
	)
	for name, test := range map[string]struct {
		mode   epperfv1.Mode
		dtype  epperfv1.Dtype
		hidden uint32
		want   uint64
	}{
		"dispatch fp8 7168":     {dispatch, fp8, 7168, 7408},
		"dispatch fp8 2880":     {dispatch, fp8, 2880, 2880 + 23*4 + 16},
		"dispatch fp8 8":        {dispatch, fp8, 8, 8 + 4 + 16},
		"dispatch fp8 4096":     {dispatch, fp8, 4096, 4240},
		"dispatch bf16 7168":    {dispatch, bf16, 7168, 14352},
		"combine fp8 7168":      {combine, fp8, 7168, 14336},
		"combine bf16 the same": {combine, bf16, 7168, 14336},
		"combine 4096":          {combine, fp8, 4096, 8192},
		"e2e fp8 both":          {e2e, fp8, 7168, 7408 + 14336},
		"e2e bf16 both":         {e2e, bf16, 7168, 14352 + 14336},
	} {
		t.Run(name, func(t *testing.T) {
			c := &epperfv1.Case{Mode: test.mode, Dtype: test.dtype, Hidden: test.hidden}
			if got := figures.RowBytes(c); got != test.want {
				t.Errorf("RowBytes = %d; want %d", got, test.want)
			}
		})
	}
}

func TestBytesOfCountsThreeWays(t *testing.T) {
	c := &epperfv1.Case{Mode: epperfv1.Mode_MODE_DISPATCH, Dtype: epperfv1.Dtype_DTYPE_FP8, Hidden: 7168}
	got := figures.BytesOf(c, &epperfv1.Traffic{Selections: 1024, RankRows: 681, RemoteRows: 599})
	want := figures.Bytes{Selections: 7_585_792, Ranks: 681 * 7408, Remote: 599 * 7408}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("BytesOf (-want +got):\n%s", diff)
	}
}

// 10 selections in 6 rank rows of 4 tokens. A dispatched row has 148 bytes, a combined one 256.
func TestLeastCopiedBytesFollowTheLayout(t *testing.T) {
	const byExpert = epperfv1.CombineSum_COMBINE_SUM_EXPERT
	for name, test := range map[string]struct {
		layout         epperfv1.Layout
		combine        epperfv1.CombineSum
		dispatch, back float64
	}{
		"from before":       {0, 0, 16 * 148, 13 * 256},
		"expert":            {epperfv1.Layout_LAYOUT_EXPERT, 0, 16 * 148, 13 * 256},
		"contig":            {epperfv1.Layout_LAYOUT_CONTIG, 0, 16 * 148, 13 * 256},
		"flat":              {epperfv1.Layout_LAYOUT_FLAT, 0, 12 * 148, 11 * 256},
		"rank":              {epperfv1.Layout_LAYOUT_RANK, 0, 12 * 148, 11 * 256},
		"expert, by expert": {epperfv1.Layout_LAYOUT_EXPERT, byExpert, 16 * 148, 17 * 256},
	} {
		c := &epperfv1.Case{Hidden: 128, Dtype: epperfv1.Dtype_DTYPE_FP8, Layout: test.layout, Combine: test.combine}
		for mode, want := range map[epperfv1.Mode]float64{
			epperfv1.Mode_MODE_DISPATCH: test.dispatch,
			epperfv1.Mode_MODE_COMBINE:  test.back,
			epperfv1.Mode_MODE_E2E:      test.dispatch + test.back,
		} {
			c.Mode = mode
			if got := figures.LeastCopiedBytes(c, figures.MeanRows{Selections: 10, Rank: 6, Tokens: 4}); got != want {
				t.Errorf("%s, %s: %g bytes; want %g", name, epperfv1.Name(mode), got, want)
			}
		}
	}
}

// As above, with 5 of the rank rows remote; a token has 256 bytes, or as codes with a scale 132.
func TestLeastGPUBytesFollowTheLayout(t *testing.T) {
	const byExpert = epperfv1.CombineSum_COMBINE_SUM_EXPERT
	rows := figures.MeanRows{Selections: 10, Rank: 6, Remote: 5, Tokens: 4}
	for name, test := range map[string]struct {
		layout   epperfv1.Layout
		combine  epperfv1.CombineSum
		quantize epperfv1.Quantize
		dispatch float64
		back     float64 // 0: nobody knows what crosses
	}{
		"expert":            {epperfv1.Layout_LAYOUT_EXPERT, 0, 0, (4*256 + 20*148) / 2, 12 * 256},
		"flat":              {epperfv1.Layout_LAYOUT_FLAT, 0, 0, (4*256 + 16*148) / 2, 10 * 256},
		"expert, by expert": {epperfv1.Layout_LAYOUT_EXPERT, byExpert, 0, (4*256 + 20*148) / 2, 0},
		"quantised before":  {epperfv1.Layout_LAYOUT_EXPERT, 0, epperfv1.Quantize_QUANTIZE_OUTSIDE, (4*132 + 20*148) / 2, 12 * 256},
	} {
		c := &epperfv1.Case{
			Hidden: 128, Dtype: epperfv1.Dtype_DTYPE_FP8,
			Layout: test.layout, Combine: test.combine, Quantize: test.quantize,
		}
		got, ok := figures.LeastGPUBytes(c, epperfv1.Mode_MODE_DISPATCH, rows)
		if want := (figures.GPUBytes{Copied: test.dispatch, Crossing: 5 * 148}); got != want || !ok {
			t.Errorf("%s: a dispatch moves %+v, %t; want %+v", name, got, ok, want)
		}
		got, ok = figures.LeastGPUBytes(c, epperfv1.Mode_MODE_COMBINE, rows)
		if want := (figures.GPUBytes{Copied: test.back, Crossing: 5 * 256}); ok != (test.back != 0) || ok && got != want {
			t.Errorf("%s: a combine moves %+v, %t; want %+v", name, got, ok, want)
		}
	}
}
