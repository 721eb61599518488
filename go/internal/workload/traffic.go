package workload

import (
	"slices"

	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

// of returns the ids of a rank's tokens.
func (r *Routing) of(rank int) []int32 { return r.ids[rank*r.tokens*r.topk : (rank+1)*r.tokens*r.topk] }

// RowsTo counts the (token, rank) pairs of a rank's tokens, by the rank that they go to.
func (r *Routing) RowsTo(rank int) []uint64 {
	rows, last := make([]uint64, r.ranks), make([]int, r.ranks) // last: the token, from 1, that reached a rank
	number := 0
	for token := range slices.Chunk(r.of(rank), r.topk) {
		number++
		for _, expert := range token {
			if expert == unselected {
				continue
			}
			if to := int(expert) / r.expertsPerRank; last[to] != number {
				last[to] = number
				rows[to]++
			}
		}
	}
	return rows
}

// Traffic counts the rows that one dispatch moves from a rank, as the rank itself counts them when
// it has run one.
func (r *Routing) Traffic(rank int) *epperfv1.Traffic {
	traffic := &epperfv1.Traffic{
		RowsToRank:         r.RowsTo(rank),
		SelectionsOfExpert: make([]uint64, r.expertsPerRank),
	}
	for _, expert := range r.of(rank) {
		if expert != unselected {
			traffic.Selections++
		}
	}
	for to, rows := range traffic.RowsToRank {
		traffic.RankRows += rows
		if to != rank {
			traffic.RemoteRows += rows
		}
	}
	first := rank * r.expertsPerRank
	for _, expert := range r.ids {
		if own := int(expert) - first; expert != unselected && own >= 0 && own < r.expertsPerRank {
			traffic.SelectionsOfExpert[own]++
		}
	}
	return traffic
}
