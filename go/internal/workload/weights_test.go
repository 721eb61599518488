package workload_test

import (
	"math"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/epperf/epperf/go/internal/workload"
	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

// As with the ids of seed 1: these never change.
func TestWeightsOfSeed1(t *testing.T) {
	routing := route(t, uniform(func(c *epperfv1.Case) { c.TokensOfRank = []uint32{1, 2} }))
	want := []float32{0.3725845, 0.44976315, 0.17765236, 0, 0, 0}
	if diff := cmp.Diff(want, routing.Weights(0, 0)); diff != "" {
		t.Errorf("weights of rank 0, set 0 (-want +got):\n%s", diff)
	}
}

func TestWeightsOfATokenAddUpToOne(t *testing.T) {
	routing := route(t, uniform(func(c *epperfv1.Case) { c.TokensOfRank = []uint32{16, 5} }))
	for rank, tokens := range []int{16, 5} {
		for set := range workload.Sets {
			weights := routing.Weights(rank, set)
			if len(weights) != 16*3 {
				t.Fatalf("rank %d has %d weights; want %d", rank, len(weights), 16*3)
			}
			for token := range 16 {
				var sum float64
				for _, weight := range weights[token*3 : token*3+3] {
					if weight < 0 || weight > 1 || token < tokens && weight == 0 {
						t.Errorf("rank %d, set %d, token %d: weight %g", rank, set, token, weight)
					}
					sum += float64(weight)
				}
				if want := map[bool]float64{true: 1}[token < tokens]; math.Abs(sum-want) > 1e-6 {
					t.Errorf("rank %d, set %d, token %d: weights add up to %g; want %g", rank, set, token, sum, want)
				}
			}
		}
	}
}

func TestSetsAndRanksHaveWeightsOfTheirOwn(t *testing.T) {
	routing := route(t, uniform())
	var all [][]float32
	for rank := range 2 {
		for set := range workload.Sets {
			weights := routing.Weights(rank, set)
			if slices.ContainsFunc(all, func(other []float32) bool { return slices.Equal(other[:3], weights[:3]) }) {
				t.Errorf("rank %d, set %d begins like another", rank, set)
			}
			all = append(all, weights)
		}
	}
}
