package figures

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

// A Shape is what a case is asked to do, all of it named as on the command line, defaults included.
type Shape struct {
	Mode                 string
	Ranks                int
	MinTokens, MaxTokens int // over ranks
	Hidden               int
	ExpertsPerRank, Topk int
	Dtype, Layout        string
	Combine, Quantize    string
	Routing              string
	SMs                  int // 0 is all
	Seed                 uint64
	Warmup, Iterations   int
	Calibrates           bool // nothing is sent: tokens and experts say nothing
}

// ShapeOf returns the shape of a case.
func ShapeOf(c *epperfv1.Case) Shape {
	s := Shape{
		Mode:           c.ModeName(),
		Ranks:          int(c.GetRanks()),
		MinTokens:      int(slices.Min(c.GetTokensOfRank())),
		MaxTokens:      int(slices.Max(c.GetTokensOfRank())),
		Hidden:         int(c.GetHidden()),
		ExpertsPerRank: int(c.GetExpertsPerRank()),
		Topk:           int(c.GetTopk()),
		Dtype:          epperfv1.Name(c.GetDtype()),
		Layout:         epperfv1.Name(epperfv1.LayoutOf(c)),
		Combine:        epperfv1.Name(epperfv1.CombineSumOf(c)),
		Quantize:       epperfv1.Name(epperfv1.QuantizeOf(c)),
		Routing:        epperfv1.Name(epperfv1.Routing_KIND_UNIFORM),
		SMs:            int(c.GetSms()),
		Seed:           c.GetSeed(),
		Warmup:         int(c.GetWarmup()),
		Iterations:     c.Iterations(),
		Calibrates:     c.Calibrates(),
	}
	if c.GetRouting() != nil {
		s.Routing = epperfv1.RoutingName(c.GetRouting())
	}
	return s
}

// Name tells the cases of a machine apart, as dispatch/ranks=8/tokens=128/hidden=7168: what every case
// has, then what is not the default. It has no blanks.
func (s Shape) Name() string {
	if s.Calibrates {
		return fmt.Sprintf("%s/ranks=%d/hidden=%d", s.Mode, s.Ranks, s.Hidden)
	}
	tokens := fmt.Sprint(s.MaxTokens)
	if s.MinTokens != s.MaxTokens {
		tokens = fmt.Sprintf("%d-%d", s.MinTokens, s.MaxTokens)
	}
	name := fmt.Sprintf("%s/ranks=%d/tokens=%s/hidden=%d/experts=%d/topk=%d/dtype=%s",
		s.Mode, s.Ranks, tokens, s.Hidden, s.ExpertsPerRank, s.Topk, s.Dtype)
	for _, choice := range []struct{ key, value, usual string }{
		{"layout", s.Layout, "expert"},
		{"combine", s.Combine, "rank"},
		{"quantize", s.Quantize, "inside"},
		{"routing", s.Routing, "uniform"},
		{"sms", fmt.Sprint(s.SMs), "0"},
	} {
		if choice.value != choice.usual {
			name += "/" + choice.key + "=" + choice.value
		}
	}
	return strings.Join(strings.Fields(name), "_")
}

// InOrder returns the indices of cases in the order of who reads them: a sweep measures them shuffled.
// Those that differ in tokens alone stand together, and tokens rise.
func InOrder(cases []*epperfv1.Case) []int {
	shapes := make([]Shape, len(cases))
	order := make([]int, len(cases))
	for i, c := range cases {
		shapes[i], order[i] = ShapeOf(c), i
	}
	slices.SortStableFunc(order, func(i, j int) int {
		a, b := &shapes[i], &shapes[j]
		return cmp.Or(
			cmp.Compare(a.Mode, b.Mode), cmp.Compare(a.Hidden, b.Hidden), cmp.Compare(a.ExpertsPerRank, b.ExpertsPerRank),
			cmp.Compare(a.Topk, b.Topk), cmp.Compare(a.Layout, b.Layout), cmp.Compare(a.Combine, b.Combine),
			cmp.Compare(a.Dtype, b.Dtype), cmp.Compare(a.Quantize, b.Quantize), cmp.Compare(a.Routing, b.Routing),
			cmp.Compare(a.SMs, b.SMs), cmp.Compare(a.MaxTokens, b.MaxTokens))
	})
	return order
}
