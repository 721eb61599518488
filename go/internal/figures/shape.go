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
	// Choices are the case's, among them some that figures depend on: Layout, Combine, Quantize, Routing and SMs.
	Choices              []epperfv1.Choice
	Mode                 string
	Ranks                int
	MinTokens, MaxTokens int // over ranks
	Hidden               int
	ExpertsPerRank, Topk int
	Dtype, Layout        string
	RowsOnce             bool // the layout keeps a row once, and not once an expert
	Combine, Quantize    string
	Routing              string // a file by its hash
	SMs                  int    // multiprocessors of each GPU that operations may use; 0 is all
	Seed                 uint64
	Warmup, Iterations   int
	Operates             bool // else nothing is sent: tokens and experts say nothing
}

// Experts returns the experts of all ranks together.
func (s Shape) Experts() int { return s.Ranks * s.ExpertsPerRank }

// RoutesUniformly reports whether tokens choose experts as they do where nobody says how.
func (s Shape) RoutesUniformly() bool {
	return s.Routing == epperfv1.Name(epperfv1.Routing_KIND_UNIFORM)
}

// ShapeOf returns the shape of a case.
func ShapeOf(c *epperfv1.Case) Shape {
	s := Shape{
		Choices:        c.Choices(),
		Mode:           c.ModeName(),
		Ranks:          int(c.GetRanks()),
		MinTokens:      int(slices.Min(c.GetTokensOfRank())),
		MaxTokens:      int(slices.Max(c.GetTokensOfRank())),
		Hidden:         int(c.GetHidden()),
		ExpertsPerRank: int(c.GetExpertsPerRank()),
		Topk:           int(c.GetTopk()),
		Dtype:          epperfv1.Name(c.GetDtype()),
		Layout:         epperfv1.Name(epperfv1.LayoutOf(c)),
		RowsOnce:       !epperfv1.FansOut(epperfv1.LayoutOf(c)),
		Combine:        epperfv1.Name(epperfv1.CombineSumOf(c)),
		Quantize:       epperfv1.Name(epperfv1.QuantizeOf(c)),
		SMs:            int(c.GetSms()),
		Seed:           c.GetSeed(),
		Warmup:         int(c.GetWarmup()),
		Iterations:     c.Iterations(),
		Operates:       c.Operates(),
	}
	for _, choice := range s.Choices {
		if choice.Name == "routing" {
			s.Routing = choice.Value
		}
	}
	return s
}

// Name tells the cases of a machine apart, as dispatch/ranks=8/tokens=128/hidden=7168: what every case
// has, then what is not the default. It has no blanks.
func (s Shape) Name() string {
	if !s.Operates {
		return fmt.Sprintf("%s/ranks=%d/hidden=%d", s.Mode, s.Ranks, s.Hidden)
	}
	tokens := fmt.Sprint(s.MaxTokens)
	if s.MinTokens != s.MaxTokens {
		tokens = fmt.Sprintf("%d-%d", s.MinTokens, s.MaxTokens)
	}
	name := fmt.Sprintf("%s/ranks=%d/tokens=%s/hidden=%d/experts=%d/topk=%d/dtype=%s",
		s.Mode, s.Ranks, tokens, s.Hidden, s.ExpertsPerRank, s.Topk, s.Dtype)
	for _, choice := range s.Choices {
		if !choice.Usual {
			name += "/" + choice.Name + "=" + choice.Value
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
