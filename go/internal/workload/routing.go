// Package workload computes which experts every token of a case selects, and with which weights.
// Every rank computes the routing of all ranks from the case alone, or reads it from the file whose
// content the case names.
package workload

import (
	"fmt"
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

// New computes the routing of a case that plan.Validate accepts. The error is a *plan.UsageError
// where the case's file is no routing of it.
func New(c *epperfv1.Case) (*Routing, error) {
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
	if err := r.route(c); err != nil {
		return nil, err
	}
	r.receivedSelections = make([]uint64, r.ranks)
	for _, id := range r.ids {
		if id != unselected {
			r.receivedSelections[int(id)/r.expertsPerRank]++
		}
	}
	return r, nil
}

// route fills ids.
func (r *Routing) route(c *epperfv1.Case) error {
	var choose func(rank int, ids []int32)
	switch routing := c.GetRouting(); routing.GetKind() {
	case epperfv1.Routing_KIND_UNIFORM:
		choose = r.chooseUniform
	case epperfv1.Routing_KIND_BALANCED:
		choose = r.chooseBalanced
	case epperfv1.Routing_KIND_ZIPF:
		choose = newZipf(routing.GetZipfExponent(), r.experts).chooser(r)
	case epperfv1.Routing_KIND_HOT:
		choose = r.hotChooser(int(routing.GetHotExperts()))
	case epperfv1.Routing_KIND_FILE:
		return r.readFile(routing.GetFile(), c.GetTokensOfRank())
	default:
		return fmt.Errorf("route %s: no routing %q", plan.CaseName(c), epperfv1.Name(routing.GetKind()))
	}
	for rank, tokens := range c.GetTokensOfRank() {
		first := rank * r.tokens * r.topk
		choose(rank, r.ids[first:first+int(tokens)*r.topk])
	}
	return nil
}

// IDs returns the selected experts as [ranks, tokens, topk] in one row-major slice, tokens being
// the most of any rank. It holds -1 where nothing is selected, as in the rows beyond a rank's own
// tokens. The slice is the Routing's own and must not be written to.
func (r *Routing) IDs() []int32 { return r.ids }

// ReceivedSelections returns the number of (token, expert) pairs whose expert is on rank.
func (r *Routing) ReceivedSelections(rank int) uint64 { return r.receivedSelections[rank] }
