package record_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/epperf/epperf/go/internal/record"
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
			if got := record.RowBytes(c); got != test.want {
				t.Errorf("RowBytes = %d; want %d", got, test.want)
			}
		})
	}
}

func TestBytesOfCountsThreeWays(t *testing.T) {
	c := &epperfv1.Case{Mode: epperfv1.Mode_MODE_DISPATCH, Dtype: epperfv1.Dtype_DTYPE_FP8, Hidden: 7168}
	got := record.BytesOf(c, &epperfv1.Traffic{Selections: 1024, RankRows: 681, RemoteRows: 599})
	want := record.Bytes{Selections: 7_585_792, Ranks: 681 * 7408, Remote: 599 * 7408}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("BytesOf (-want +got):\n%s", diff)
	}
}
