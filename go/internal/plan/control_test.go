package plan_test

import (
	"errors"
	"testing"

	"github.com/epperf/epperf/go/internal/plan"
	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

func TestRoundsArePlanned(t *testing.T) {
	o := plan.Defaults()
	o.Device = "cpu"
	p, err := plan.NewControl(o, 100)
	if err != nil {
		t.Fatal(err)
	}
	c := p.GetCases()[0]
	if !c.Controls() || c.ModeName() != "control" || len(c.GetPasses()) != 6 || c.Iterations() != 100 || plan.CaseName(c) != "control/t512/k2" {
		t.Errorf("%s: %v", plan.CaseName(c), c)
	}
	for name, change := range map[string]func(*epperfv1.Case){
		"another order":    func(c *epperfv1.Case) { c.Passes[0], c.Passes[1] = c.Passes[1], c.Passes[0] },
		"a step less":      func(c *epperfv1.Case) { c.Passes = c.Passes[:5] },
		"a step twice":     func(c *epperfv1.Case) { c.Passes = append(c.Passes, c.Passes[5]) },
		"unequal rounds":   func(c *epperfv1.Case) { c.Passes[3].Count = 7 },
		"an operation":     func(c *epperfv1.Case) { c.Passes[3].Operation = epperfv1.Mode_MODE_DISPATCH },
		"a warm-up":        func(c *epperfv1.Case) { c.Warmup = 1 },
		"among timed":      func(c *epperfv1.Case) { c.Passes[0] = epperfv1.Operations(epperfv1.Mode_MODE_DISPATCH, 100) },
		"of a calibration": func(c *epperfv1.Case) { c.Mode = epperfv1.Mode_MODE_UNSPECIFIED },
	} {
		p, err := plan.NewControl(o, 100)
		if err != nil {
			t.Fatal(err)
		}
		change(p.GetCases()[0])
		var usage *plan.UsageError
		if err := plan.Validate(p); !errors.As(err, &usage) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, change := range map[string]func(*plan.Options) int{
		"one round": func(*plan.Options) int { return 1 },
		"NIXL on GPUs": func(o *plan.Options) int {
			o.Device, o.GPUs, o.NvlinkBackend = "cuda", 8, "none"
			return 100
		},
	} {
		other := o
		rounds := change(&other)
		var usage *plan.UsageError
		if _, err := plan.NewControl(other, rounds); !errors.As(err, &usage) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
