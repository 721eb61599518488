package plan_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/epperf/epperf/go/internal/plan"
	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

// onTwo are options of two ranks on CPUs.
func onTwo() plan.Options {
	o := plan.Defaults()
	o.NumProcesses, o.Device, o.RunID = 2, "cpu", "r"
	return o
}

func names(p *epperfv1.Plan) (all []string) {
	for _, c := range p.GetCases() {
		all = append(all, fmt.Sprint(c.ModeName(), " ", c.GetTokensOfRank()[0], " ", epperfv1.Name(epperfv1.LayoutOf(c)), " ", c.GetHidden()))
	}
	return all
}

func TestASweepIsAllCombinationsInAnOrderOfItsSeed(t *testing.T) {
	sweep := plan.Sweep{Base: onTwo(), Modes: "dispatch,combine", Tokens: "1, 8,32", Layouts: "expert,flat"}
	p, err := plan.NewSweep(sweep)
	if err != nil {
		t.Fatal(err)
	}
	got := names(p)
	again, _ := plan.NewSweep(sweep)
	if !slices.Equal(got, names(again)) {
		t.Error("the same seed has another order")
	}
	sweep.Base.Seed = 2
	if other, _ := plan.NewSweep(sweep); slices.Equal(got, names(other)) {
		t.Error("another seed has the same order")
	}
	given := slices.Sorted(slices.Values(got))
	if slices.Equal(got, given) || len(slices.Compact(given)) != 12 {
		t.Errorf("cases %v", got)
	}
}

func TestModelsGiveTheShape(t *testing.T) {
	p, err := plan.NewSweep(plan.Sweep{Base: onTwo(), Models: strings.Join(plan.ModelNames(), ",")})
	if err != nil || len(p.GetCases()) != len(plan.Models) {
		t.Fatalf("%d cases, %v", len(p.GetCases()), err)
	}
	for _, c := range p.GetCases() {
		if !slices.ContainsFunc(plan.Models, func(m plan.Model) bool {
			return m.Source != "" && m.Hidden == int(c.GetHidden()) && m.Experts == plan.Experts(c) && m.Topk == int(c.GetTopk())
		}) {
			t.Errorf("no model has hidden %d, %d experts, top %d", c.GetHidden(), plan.Experts(c), c.GetTopk())
		}
	}
}

func TestWhatNoSweepCanBe(t *testing.T) {
	three, soak := onTwo(), onTwo()
	three.NumProcesses, soak.Soak = 3, "10"
	for name, test := range map[string]struct {
		sweep plan.Sweep
		want  string
	}{
		"no such model":     {plan.Sweep{Base: onTwo(), Models: "gpt-9"}, "not one of deepseek-v3"},
		"a model on three":  {plan.Sweep{Base: three, Models: "mixtral-8x22b"}, "8 experts are not the same number on each of 3 ranks"},
		"no number of SMs":  {plan.Sweep{Base: onTwo(), SMs: "all"}, "no number"},
		"a case is wrong":   {plan.Sweep{Base: onTwo(), Tokens: "1,many"}, "case e2e, many tokens"},
		"a soak":            {plan.Sweep{Base: soak, Tokens: "1,2"}, "a sweep times its cases"},
		"far too many":      {plan.Sweep{Base: onTwo(), Tokens: strings.Repeat("1,", 5000) + "1"}, "too many combinations"},
		"nothing in a list": {plan.Sweep{Base: onTwo(), Tokens: "1,,2"}, "neither a number"},
	} {
		_, err := plan.NewSweep(test.sweep)
		var usage *plan.UsageError
		if !errors.As(err, &usage) || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: error %v; want %q", name, err, test.want)
		}
	}
}
