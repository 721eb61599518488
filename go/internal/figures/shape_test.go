package figures_test

import (
	"slices"
	"testing"

	"github.com/epperf/epperf/go/internal/figures"
	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

func TestInOrderPutsLaddersOfTokensTogether(t *testing.T) {
	var cases []*epperfv1.Case
	for _, of := range []struct {
		dtype  epperfv1.Dtype
		tokens uint32
	}{
		{epperfv1.Dtype_DTYPE_FP8, 1024},
		{epperfv1.Dtype_DTYPE_BF16, 8},
		{epperfv1.Dtype_DTYPE_FP8, 8},
		{epperfv1.Dtype_DTYPE_FP8, 128},
		{epperfv1.Dtype_DTYPE_FP8, 8},
	} {
		cases = append(cases, &epperfv1.Case{Dtype: of.dtype, TokensOfRank: []uint32{of.tokens, 1}})
	}
	if got, want := figures.InOrder(cases), []int{1, 2, 4, 3, 0}; !slices.Equal(got, want) {
		t.Errorf("InOrder: %v, want %v", got, want)
	}
}
