package plan

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"

	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/proto"

	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

// ParseSweep reads a plan file's text. Errors name line and column.
func ParseSweep(text []byte) (*epperfv1.Sweep, error) {
	sweep := &epperfv1.Sweep{}
	if err := prototext.Unmarshal(text, sweep); err != nil {
		return nil, fmt.Errorf("not a Sweep of proto/epperf/v1/plan.proto in protobuf's text format: %w", err)
	}
	if len(sweep.GetLadders()) == 0 {
		return nil, errors.New(`it has no ladders; try ladders { mode: ["dispatch", "combine"] tokens: ["1", "8"] }`)
	}
	return sweep, nil
}

// NewSweep returns the plan of all combinations of each of the ladders, which one launch of the ranks
// runs. Lists that are empty have the base's value. The order of cases is shuffled by the base's seed: what
// changes on a machine meanwhile then looks like noise, and not like a slope of a ladder. The error is as
// New's, with the case that it is of.
func NewSweep(base Options, sweep *epperfv1.Sweep) (*epperfv1.Plan, error) {
	if base.Soak != "" {
		return nil, &UsageError{"soak", strconv.Quote(base.Soak), "a sweep times its cases", ""}
	}
	var all []Options
	for _, ladders := range sweep.GetLadders() {
		combinations, err := base.combined(ladders)
		if err != nil {
			return nil, err
		}
		all = append(all, combinations...)
		if len(all) > maxCases {
			return nil, tooMany()
		}
	}
	whole, known := (*epperfv1.Plan)(nil), map[string]bool{}
	for _, o := range all {
		one, err := New(o)
		if err != nil {
			var usage *UsageError
			if errors.As(err, &usage) && len(all) > 1 {
				return nil, fmt.Errorf("case %s: %w", o.named(), err)
			}
			return nil, err
		}
		key, err := proto.MarshalOptions{Deterministic: true}.Marshal(one.GetCases()[0])
		if err != nil {
			return nil, err
		}
		if known[string(key)] {
			return nil, &UsageError{"cases", o.named(), "is there twice", ""}
		}
		known[string(key)] = true
		if whole == nil {
			whole = one
		} else {
			whole.Cases = append(whole.Cases, one.GetCases()...)
		}
	}
	random := rand.New(rand.NewPCG(base.Seed, 0))
	random.Shuffle(len(whole.Cases), func(i, j int) { whole.Cases[i], whole.Cases[j] = whole.Cases[j], whole.Cases[i] })
	return whole, Validate(whole)
}

func tooMany() error {
	return &UsageError{"cases", fmt.Sprint("more than ", maxCases), "too many combinations", ""}
}

// named is a case of a sweep in errors.
func (o Options) named() string {
	return fmt.Sprintf("%s, %s tokens, layout %s, %s", o.Mode, o.Tokens, o.Layout, o.Dtype)
}

// combined returns all combinations of ladders.
func (o Options) combined(l *epperfv1.Ladders) ([]Options, error) {
	if len(l.GetModel()) > 0 && len(l.GetHidden())+len(l.GetExpertsPerRank())+len(l.GetTopk()) > 0 {
		return nil, &UsageError{"model", strings.Join(l.GetModel(), ","), "says hidden, experts and topk, which have ladders besides", ""}
	}
	combinations := []Options{o}
	for _, ladder := range []struct {
		values []string
		set    func(Options, string) (Options, error)
	}{
		{l.GetModel(), Options.shapedAs},
		{numbers(l.GetHidden()), setNumber(func(o *Options) *int { return &o.Hidden })},
		{numbers(l.GetExpertsPerRank()), setNumber(func(o *Options) *int { return &o.ExpertsPerRank })},
		{numbers(l.GetTopk()), setNumber(func(o *Options) *int { return &o.Topk })},
		{l.GetMode(), setText(func(o *Options) *string { return &o.Mode })},
		{l.GetLayout(), setText(func(o *Options) *string { return &o.Layout })},
		{l.GetCombine(), setText(func(o *Options) *string { return &o.Combine })},
		{l.GetQuantize(), setText(func(o *Options) *string { return &o.Quantize })},
		{l.GetDtype(), setText(func(o *Options) *string { return &o.Dtype })},
		{l.GetRouting(), setText(func(o *Options) *string { return &o.Routing })},
		{numbers(l.GetSms()), setNumber(func(o *Options) *int { return &o.SMs })},
		{l.GetTokens(), setText(func(o *Options) *string { return &o.Tokens })},
	} {
		if len(ladder.values) == 0 {
			continue
		}
		var more []Options
		for _, o := range combinations {
			for _, value := range ladder.values {
				with, err := ladder.set(o, value)
				if err != nil {
					return nil, err
				}
				more = append(more, with)
			}
			if len(more) > maxCases {
				return nil, tooMany()
			}
		}
		combinations = more
	}
	return combinations, nil
}

func setText(of func(*Options) *string) func(Options, string) (Options, error) {
	return func(o Options, value string) (Options, error) {
		*of(&o) = value
		return o, nil
	}
}

// setNumber sets one that numbers returned.
func setNumber(of func(*Options) *int) func(Options, string) (Options, error) {
	return func(o Options, value string) (Options, error) {
		number, err := strconv.Atoi(value)
		*of(&o) = number
		return o, err
	}
}

func numbers(values []uint32) (texts []string) {
	for _, value := range values {
		texts = append(texts, strconv.FormatUint(uint64(min(value, math.MaxInt32)), 10))
	}
	return texts
}
