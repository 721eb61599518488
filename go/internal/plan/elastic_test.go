package plan_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/epperf/epperf/go/internal/plan"
)

func TestPhasesAreRead(t *testing.T) {
	got, err := plan.ParseElastic(" [[1,0], [3,-2,1,-0]]\n")
	want := []plan.Phase{{Ranks: []int{0, 1}}, {Ranks: []int{0, 1, 2, 3}, Killed: []int{0, 2}}}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("phases (-want +got), %v:\n%s", err, diff)
	}
	if diff := cmp.Diff([]int{1, 3}, want[1].Survivors()); diff != "" {
		t.Errorf("survivors (-want +got):\n%s", diff)
	}
}

func TestMalformedPhases(t *testing.T) {
	for text, want := range map[string]string{
		"":                             "not a list of lists",
		"[[0,1]":                       "not a list of lists",
		"[0,1]":                        "not a list of lists",
		`[["0",1]]`:                    `phase 0: "0" is no rank`,
		"{}":                           "not a list of lists",
		"null":                         "has 0 phases",
		"[]":                           "has 0 phases",
		"[[0],[]]":                     "phase 1 has no rank that lives",
		"[[-3]]":                       "phase 0 has no rank that lives",
		"[[0,1.5]]":                    "phase 0: 1.5 is no rank",
		"[[0,1e3]]":                    "phase 0: 1e3 is no rank",
		"[[0,256]]":                    "phase 0: 256 is no rank; ranks are 0 to 255",
		"[[0,2,-2]]":                   "phase 0 names rank 2 twice",
		"[[0,-0]]":                     "phase 0 names rank 0 twice",
		"[[0]] [[1]]":                  "something stands behind",
		"[[0,9999999999999999999999]]": "is no rank",
		"[" + strings.Repeat("[0],", 64) + "[0]]": "has 65 phases; must be 1 to 64",
	} {
		_, err := plan.ParseElastic(text)
		var usage *plan.UsageError
		if !errors.As(err, &usage) || !strings.Contains(err.Error(), want) || len(err.Error()) > 400 {
			t.Errorf("%q: %v; want %q", text, err, want)
		}
	}
}

// A phase in which a rank is killed is two cases: all ranks, and those that are left.
func TestPhasesArePlanned(t *testing.T) {
	o := plan.Defaults()
	o.Device = "cpu"
	phases, err := plan.ParseElastic(plan.ElasticPlan)
	if err != nil {
		t.Fatal(err)
	}
	p, err := plan.NewElastic(o, phases)
	if err != nil {
		t.Fatal(err)
	}
	var ranks []uint32
	for i, c := range p.GetCases() {
		ranks = append(ranks, c.GetRanks())
		if err := plan.Validate(plan.CaseOfPhase(p, i)); err != nil {
			t.Errorf("case %d: %v", i, err)
		}
	}
	if diff := cmp.Diff([]uint32{2, 4, 4, 3, 2}, ranks); diff != "" || p.GetRanksPerHost() != 4 {
		t.Errorf("ranks of cases (-want +got):\n%s", diff)
	}
	if of := p.GetCases()[3].GetPhase(); of.GetIndex() != 2 || !of.GetRecovers() || len(of.GetRanks()) != 3 || of.GetRanks()[2] != 3 {
		t.Errorf("%v", of)
	}
}

func FuzzParseElastic(f *testing.F) {
	for _, text := range []string{plan.ElasticPlan, "[[0,-0]]", "[[1e2]]", "null", "[[0]]]", "[[[0]]]", "[[-1,2]]"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		phases, err := plan.ParseElastic(text)
		if err != nil {
			var usage *plan.UsageError
			if !errors.As(err, &usage) {
				t.Fatalf("%q: %v", text, err)
			}
			return
		}
		for _, phase := range phases {
			if len(phase.Survivors())+len(phase.Killed) != len(phase.Ranks) || len(phase.Survivors()) == 0 {
				t.Fatalf("%q: %+v", text, phase)
			}
			for i, rank := range phase.Ranks {
				if rank < 0 || rank > 255 || i > 0 && rank <= phase.Ranks[i-1] {
					t.Fatalf("%q: %+v", text, phase)
				}
			}
		}
	})
}
