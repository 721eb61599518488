package workload_test

import (
	"slices"
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

// What 256 ranks select is what their experts count, and what they send goes to some rank.
func TestTrafficOfManyRanksAddsUp(t *testing.T) {
	const ranks, tokens, experts, topk = 256, 3, 2, 4
	for kind, routing := range map[string]*epperfv1.Routing{
		"uniform":  {Kind: epperfv1.Routing_KIND_UNIFORM},
		"balanced": {Kind: epperfv1.Routing_KIND_BALANCED},
	} {
		t.Run(kind, func(t *testing.T) {
			made := route(t, uniform(func(c *epperfv1.Case) {
				c.Ranks, c.ExpertsPerRank, c.Topk, c.Routing = ranks, experts, topk, routing
				c.TokensOfRank = slices.Repeat([]uint32{tokens}, ranks)
			}))
			var selections, counted, rows, sent uint64
			for rank := range ranks {
				traffic := made.Traffic(rank)
				selections += traffic.GetSelections()
				rows += traffic.GetRankRows()
				for to, of := range traffic.GetRowsToRank() {
					if sent += of; of > tokens {
						t.Errorf("rank %d sends rank %d %d rows of %d tokens", rank, to, of, tokens)
					}
				}
				for _, of := range traffic.GetSelectionsOfExpert() {
					counted += of
				}
				if got := len(traffic.GetRowsToRank()); got != ranks {
					t.Fatalf("rank %d knows %d ranks", rank, got)
				}
			}
			if want := uint64(ranks * tokens * topk); selections != want || counted != want {
				t.Errorf("%d selections, and experts count %d, want %d", selections, counted, want)
			}
			if rows != sent || rows > selections || rows < ranks*tokens {
				t.Errorf("%d rows, %d sent", rows, sent)
			}
		})
	}
}
