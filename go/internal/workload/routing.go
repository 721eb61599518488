// Package workload computes which experts every token of a case selects, and with which weights.
// It is pure: every rank computes the routing of all ranks from the case alone.
package workload

import (
	"fmt"
	"math/bits"
	"math/rand/v2"
	"slices"

	"github.com/epperf/epperf/go/internal/plan"
	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

// Sets is the number of weight sets. The n-th operation of a kind uses set n % Sets, so a row left
// over from one or two operations ago is wrong.
const Sets = 3

// unselected is the id that selects nothing.
const unselected = -1

// A Routing is what the tokens of one case select. It does not change.
type Routing struct {
	seed                    uint64
	ranks, tokens, topk     int // tokens: at most, on any rank
	ids                     []int32
	receivedSelections      []uint64 // by rank
	expertsPerRank, experts int
}

// New computes the routing of a case that plan.Validate accepts.
func New(c *epperfv1.Case) (*Routing, error) {
	if kind := c.GetRouting().GetKind(); kind != epperfv1.Routing_KIND_UNIFORM {
		return nil, fmt.Errorf("route %s: no routing %q", plan.CaseName(c), epperfv1.Name(kind))
	}
	r := &Routing{
		seed:           c.GetSeed(),
		ranks:          int(c.GetRanks()),
		tokens:         plan.MaxTokens(c),
		topk:           int(c.GetTopk()),
		expertsPerRank: int(c.GetExpertsPerRank()),
		experts:        plan.Experts(c),
	}
	if len(c.GetTokensOfRank()) != r.ranks {
		return nil, fmt.Errorf("route %s: tokens of %d ranks for %d ranks", plan.CaseName(c), len(c.GetTokensOfRank()), r.ranks)
	}
	if r.topk > r.experts {
		return nil, fmt.Errorf("route %s: %d distinct experts of %d", plan.CaseName(c), r.topk, r.experts)
	}
	r.ids = slices.Repeat([]int32{unselected}, r.ranks*r.tokens*r.topk)
	r.receivedSelections = make([]uint64, r.ranks)
	for rank, tokens := range c.GetTokensOfRank() {
		r.routeUniform(rank, int(tokens))
	}
	return r, nil
}

// routeUniform gives each token of a rank topk distinct experts, in the order in which they were
// drawn. Rank r draws from PCG-DXSM with the state (seed, r); a draw x of 64 bits names expert
// floor(x * experts / 2^64), and an expert that the token already has is drawn again. So every
// expert is equally likely to within experts / 2^64, in every position.
//
// Note: rand.IntN would do, but its algorithm is not part of its promise, and other programs
// should be able to compute the same ids.
func (r *Routing) routeUniform(rank, tokens int) {
	random := rand.NewPCG(r.seed, uint64(rank))
	first := rank * r.tokens * r.topk
	ids := r.ids[first : first+tokens*r.topk]
	for i := range ids {
		earlier := ids[i-i%r.topk : i]
		for {
			expert, _ := bits.Mul64(random.Uint64(), uint64(r.experts))
			if !slices.Contains(earlier, int32(expert)) {
				ids[i] = int32(expert)
				r.receivedSelections[int(expert)/r.expertsPerRank]++
				break
			}
		}
	}
}

// IDs returns the selected experts as [ranks, tokens, topk] in one row-major slice, tokens being
// the most of any rank. It holds -1 where nothing is selected: in the rows beyond a rank's own
// tokens. The slice is the Routing's own and must not be written to.
func (r *Routing) IDs() []int32 { return r.ids }

// ReceivedSelections returns the number of (token, expert) pairs whose expert is on rank.
func (r *Routing) ReceivedSelections(rank int) uint64 { return r.receivedSelections[rank] }
