package workload

import (
	"slices"

	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

// Traffic counts the rows that one dispatch moves from a rank, as the rank itself counts them when
// it has run one.
func (r *Routing) Traffic(rank int) *epperfv1.Traffic {
	traffic := &epperfv1.Traffic{
		RowsToRank:         make([]uint64, r.ranks),
		SelectionsOfExpert: make([]uint64, r.expertsPerRank),
	}
	for token := range slices.Chunk(r.ids[rank*r.tokens*r.topk:(rank+1)*r.tokens*r.topk], r.topk) {
		reached := make([]bool, r.ranks)
		for _, expert := range token {
			if expert == unselected {
				continue
			}
			traffic.Selections++
			if to := int(expert) / r.expertsPerRank; !reached[to] {
				reached[to] = true
				traffic.RowsToRank[to]++
			}
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
