package plan

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"

	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

// A Sweep is ladders: each of its fields is values with commas between, as of the flag of its name. A
// field that is empty takes the value of the base.
type Sweep struct {
	Base Options
	// Models are names of Models, whose shape replaces that of the base.
	Models                                        string
	Modes, Tokens, Dtypes, Layouts, SMs, Routings string
}

// NewSweep returns the plan of all combinations, which one launch of the ranks runs. Their order is
// shuffled by the base's seed: what changes on a machine meanwhile then looks like noise, and not like a
// slope of the ladder. The error is as New's, with the case that it is of.
func NewSweep(s Sweep) (*epperfv1.Plan, error) {
	combinations := []Options{s.Base}
	for _, ladder := range []struct {
		values string
		set    func(Options, string) (Options, error)
	}{
		{s.Models, Options.shapedAs},
		{s.Modes, func(o Options, value string) (Options, error) { o.Mode = value; return o, nil }},
		{s.Layouts, func(o Options, value string) (Options, error) { o.Layout = value; return o, nil }},
		{s.Dtypes, func(o Options, value string) (Options, error) { o.Dtype = value; return o, nil }},
		{s.Routings, func(o Options, value string) (Options, error) { o.Routing = value; return o, nil }},
		{s.SMs, func(o Options, value string) (Options, error) {
			sms, err := strconv.Atoi(value)
			if err != nil {
				return o, &UsageError{"sms", strconv.Quote(value), "no number", "--sms=24,0"}
			}
			o.SMs = sms
			return o, nil
		}},
		{s.Tokens, func(o Options, value string) (Options, error) { o.Tokens = value; return o, nil }},
	} {
		if ladder.values == "" {
			continue
		}
		var more []Options
		for _, o := range combinations {
			for _, value := range strings.Split(ladder.values, ",") {
				with, err := ladder.set(o, strings.TrimSpace(value))
				if err != nil {
					return nil, err
				}
				more = append(more, with)
			}
			if len(more) > maxCases {
				return nil, &UsageError{"cases", fmt.Sprint("more than ", maxCases), "too many combinations", ""}
			}
		}
		combinations = more
	}
	var whole *epperfv1.Plan
	for _, o := range combinations {
		if o.Soak != "" {
			return nil, &UsageError{"soak", strconv.Quote(o.Soak), "a sweep times its cases", ""}
		}
		one, err := New(o)
		if err != nil {
			var usage *UsageError
			if errors.As(err, &usage) && len(combinations) > 1 {
				return nil, fmt.Errorf("case %s, %s tokens, layout %s, %s: %w", o.Mode, o.Tokens, o.Layout, o.Dtype, err)
			}
			return nil, err
		}
		if whole == nil {
			whole = one
		} else {
			whole.Cases = append(whole.Cases, one.GetCases()...)
		}
	}
	random := rand.New(rand.NewPCG(s.Base.Seed, 0))
	random.Shuffle(len(whole.Cases), func(i, j int) { whole.Cases[i], whole.Cases[j] = whole.Cases[j], whole.Cases[i] })
	return whole, Validate(whole)
}
