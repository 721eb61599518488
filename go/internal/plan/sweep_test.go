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
	sweep := ladders(t, `mode: ["dispatch", "combine"] tokens: ["1", "8", "32"] layout: ["expert", "flat"]`)
	base := onTwo()
	p, err := plan.NewSweep(base, sweep)
	if err != nil {
		t.Fatal(err)
	}
	got := names(p)
	again, _ := plan.NewSweep(base, sweep)
	if !slices.Equal(got, names(again)) {
		t.Error("the same seed has another order")
	}
	base.Seed = 2
	if other, _ := plan.NewSweep(base, sweep); slices.Equal(got, names(other)) {
		t.Error("another seed has the same order")
	}
	given := slices.Sorted(slices.Values(got))
	if slices.Equal(got, given) || len(slices.Compact(given)) != 12 {
		t.Errorf("cases %v", got)
	}
}

func TestModelsGiveTheShape(t *testing.T) {
	p, err := plan.NewSweep(onTwo(), &epperfv1.Sweep{Ladders: []*epperfv1.Ladders{{Model: plan.ModelNames()}}})
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

// A plan file has several ladders where not all combinations are wanted.
func TestLaddersAreAddedUp(t *testing.T) {
	p, err := plan.NewSweep(onTwo(), ladders(t,
		`mode: "dispatch" dtype: ["fp8", "bf16"] hidden: [512, 1024]`, `mode: "combine" tokens: "8,0" experts_per_rank: 4 topk: [1, 2] quantize: "outside"`))
	if err != nil {
		t.Fatal(err)
	}
	if got := len(p.GetCases()); got != 6 {
		t.Errorf("%d cases, want 6", got)
	}
	for _, c := range p.GetCases() {
		if c.GetMode() == epperfv1.Mode_MODE_COMBINE &&
			(!slices.Equal(c.GetTokensOfRank(), []uint32{8, 0}) || c.GetExpertsPerRank() != 4 || c.GetQuantize() != epperfv1.Quantize_QUANTIZE_OUTSIDE) {
			t.Errorf("case %v", c)
		}
	}
}

func TestWhatNoSweepCanBe(t *testing.T) {
	three, soak := onTwo(), onTwo()
	three.NumProcesses, soak.Soak = 3, "10"
	for name, test := range map[string]struct {
		base plan.Options
		text string
		want string
	}{
		"no such model":     {onTwo(), `model: "gpt-9"`, "not one of deepseek-v3"},
		"a model on three":  {three, `model: "mixtral-8x22b"`, "8 experts are not the same number on each of 3 ranks"},
		"a model and more":  {onTwo(), `model: "mixtral-8x22b" hidden: 512`, "which have ladders besides"},
		"too many channels": {onTwo(), `hidden: 4294967288`, "--hidden=2147483647: must be"},
		"a case is wrong":   {onTwo(), `tokens: ["1", "many"]`, "case e2e, many tokens"},
		"a soak":            {soak, `tokens: ["1", "2"]`, "a sweep times its cases"},
		"far too many":      {onTwo(), `tokens: [` + strings.Repeat(`"1", `, 5000) + `"1"]`, "too many combinations"},
		"nothing in a list": {onTwo(), `tokens: ["1", "", "2"]`, "neither a number"},
		"a case twice":      {onTwo(), `tokens: ["1", "2", "1"]`, "e2e, 1 tokens, layout expert, fp8: is there twice"},
	} {
		_, err := plan.NewSweep(test.base, ladders(t, test.text))
		var usage *plan.UsageError
		if !errors.As(err, &usage) || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: error %v; want %q", name, err, test.want)
		}
	}
}

func TestAPlanFileThatIsNone(t *testing.T) {
	for text, want := range map[string]string{
		"":                            "it has no ladders",
		"ladders { modes: \"e2e\" }":  "(line 1:11)",
		"ladders {\n tokens: \"1\"\n": "unexpected EOF",
	} {
		if _, err := plan.ParseSweep([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: error %v; want %q", text, err, want)
		}
	}
}

// ladders are those of texts, each between its braces.
func ladders(t *testing.T, texts ...string) *epperfv1.Sweep {
	t.Helper()
	sweep, err := plan.ParseSweep([]byte("ladders {" + strings.Join(texts, "}\nladders {") + "}"))
	if err != nil {
		t.Fatal(err)
	}
	return sweep
}
