package workload_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/testing/protocmp"

	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

// The ids are those of TestUniformIDsOfSeed1: three experts a rank, three choices a token.
func TestTrafficCountsRowsOnceARank(t *testing.T) {
	routing := route(t, uniform(func(c *epperfv1.Case) { c.TokensOfRank = []uint32{4, 2} }))
	for rank, want := range []*epperfv1.Traffic{
		{
			Selections: 12, RankRows: 8, RemoteRows: 4,
			RowsToRank: []uint64{4, 4}, SelectionsOfExpert: []uint64{5, 2, 1},
		},
		{
			Selections: 6, RankRows: 4, RemoteRows: 2,
			RowsToRank: []uint64{2, 2}, SelectionsOfExpert: []uint64{3, 4, 3},
		},
	} {
		if diff := cmp.Diff(want, routing.Traffic(rank), protocmp.Transform()); diff != "" {
			t.Errorf("rank %d (-want +got):\n%s", rank, diff)
		}
	}
}
