package samples_test

import (
	"math"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/testing/protocmp"

	"github.com/epperf/epperf/go/internal/samples"
	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

func TestParts(t *testing.T) {
	block := func(firstIteration uint64, firstEpoch uint32, durations ...uint64) *epperfv1.Samples {
		return &epperfv1.Samples{
			CaseIndex: 1, Rank: 2, Pass: 4,
			FirstIteration: firstIteration, FirstEpoch: firstEpoch, DurationNs: durations,
		}
	}
	for name, test := range map[string]struct {
		block *epperfv1.Samples
		want  []*epperfv1.Samples
	}{
		"empty":           {block(0, 9), []*epperfv1.Samples{block(0, 9)}},
		"exactly one":     {block(0, 9, 1, 2), []*epperfv1.Samples{block(0, 9, 1, 2)}},
		"one over":        {block(0, 9, 1, 2, 3), []*epperfv1.Samples{block(0, 9, 1, 2), block(2, 11, 3)}},
		"a later one":     {block(50, 9, 1, 2, 3), []*epperfv1.Samples{block(50, 9, 1, 2), block(52, 11, 3)}},
		"across the wrap": {block(0, math.MaxUint32, 1, 2, 3), []*epperfv1.Samples{block(0, math.MaxUint32, 1, 2), block(2, 3, 3)}},
	} {
		t.Run(name, func(t *testing.T) {
			got := slices.Collect(samples.Split(test.block, 2))
			if diff := cmp.Diff(test.want, got, protocmp.Transform()); diff != "" {
				t.Errorf("parts (-want +got):\n%s", diff)
			}
		})
	}
}

func TestEpochAfterTheLastIsTwo(t *testing.T) {
	for name, test := range map[string]struct {
		epoch uint32
		count uint64
		want  uint32
	}{
		"none":               {0, 3, 0},
		"itself":             {5, 0, 5},
		"the last":           {1, math.MaxUint32 - 1, math.MaxUint32},
		"after the last":     {math.MaxUint32, 1, 2},
		"from 1, all around": {1, math.MaxUint32, 2},
		"from 2, all around": {2, 1<<32 - 2, 2},
	} {
		t.Run(name, func(t *testing.T) {
			if got := samples.Advance(test.epoch, test.count); got != test.want {
				t.Errorf("advance(%d, %d) = %d; want %d", test.epoch, test.count, got, test.want)
			}
		})
	}
}
