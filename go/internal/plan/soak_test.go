package plan_test

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/testing/protocmp"

	"github.com/epperf/epperf/go/internal/plan"
	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

func TestSoaksArePlanned(t *testing.T) {
	for name, test := range map[string]struct {
		soak        string
		check       int
		want        *epperfv1.Soak
		wantTimeout time.Duration
	}{
		"a number":                      {"100000", 0, &epperfv1.Soak{Epochs: 100_000}, 300 * time.Second},
		"a time":                        {"10m", 0, &epperfv1.Soak{DurationNs: 600e9}, 900 * time.Second},
		"all checked":                   {"7", 1, &epperfv1.Soak{Epochs: 7, CheckEvery: 1}, 300 * time.Second},
		"checked in every set":          {"7", 3, &epperfv1.Soak{Epochs: 7, CheckEvery: 1}, 300 * time.Second},
		"checked in every set and bank": {"7", 10, &epperfv1.Soak{Epochs: 7, CheckEvery: 7}, 300 * time.Second},
		"rarely checked":                {"7", 1000, &epperfv1.Soak{Epochs: 7, CheckEvery: 997}, 300 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			options := plan.Defaults()
			options.Soak, options.SoakCheck = test.soak, test.check
			test.want.RoundNs = uint64(time.Minute)
			p, err := plan.New(options)
			if err != nil {
				t.Fatal(err)
			}
			c := p.GetCases()[0]
			if diff := cmp.Diff(test.want, c.GetSoak(), protocmp.Transform()); diff != "" {
				t.Errorf("soak (-want +got):\n%s", diff)
			}
			if len(c.GetPasses()) != 0 || c.GetWarmup() != 0 {
				t.Errorf("%d warm-up iterations and passes %v of a soak", c.GetWarmup(), c.GetPasses())
			}
			if got := time.Duration(p.GetTimeoutNs()); got != test.wantTimeout {
				t.Errorf("timeout %v; want %v", got, test.wantTimeout)
			}
		})
	}
}

func TestBadSoaksAreOneClearLine(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*plan.Options)
		want   string
	}{
		"no time": {
			func(o *plan.Options) { o.Soak = "-3s" },
			`--soak="-3s": neither a number of epochs nor a time such as 90s or 10m; try --soak=10m`,
		},
		"no epochs": {
			func(o *plan.Options) { o.Soak = "0" },
			"--soak=0: must be 1 to 100,000,000,000,000 epochs; try --soak=1",
		},
		"a year": {
			func(o *plan.Options) { o.Soak = "8760h" },
			"--soak=8760h0m0s: must be at most 672h0m0s; try --soak=672h0m0s",
		},
		"with details": {
			func(o *plan.Options) { o.Soak, o.Detail = "10", true },
			"--soak=10: nothing is timed in a soak, so there are no details; try without --detail",
		},
		"checks without a soak": {
			func(o *plan.Options) { o.SoakCheck = 7 },
			"--soak-check=7: there is no soak; try --soak=10m",
		},
		"checks before the first": {
			func(o *plan.Options) { o.Soak, o.SoakCheck = "10", -1 },
			"--soak-check=-1: must be 0 to 1,000,000; try --soak-check=0",
		},
	} {
		t.Run(name, func(t *testing.T) {
			refuses(t, test.change, test.want)
		})
	}
}

// Validate takes plans from elsewhere.
func TestASoakIsEitherOrAndSeesAllSets(t *testing.T) {
	for name, change := range map[string]func(*epperfv1.Case){
		"timed besides":        func(c *epperfv1.Case) { c.Passes = []*epperfv1.Pass{epperfv1.Operations(c.GetMode(), 5)} },
		"warmed up":            func(c *epperfv1.Case) { c.Warmup = 5 },
		"with no end":          func(c *epperfv1.Case) { c.Soak = &epperfv1.Soak{} },
		"with two ends":        func(c *epperfv1.Case) { c.Soak.DurationNs = 5 },
		"checked in one set":   func(c *epperfv1.Case) { c.Soak.CheckEvery = 9 },
		"checked in one bank":  func(c *epperfv1.Case) { c.Soak.CheckEvery = 10 },
		"checked hardly":       func(c *epperfv1.Case) { c.Soak.CheckEvery = 4_000_000_001 },
		"neither soak nor run": func(c *epperfv1.Case) { c.Soak = nil },
	} {
		t.Run(name, func(t *testing.T) {
			options := plan.Defaults()
			options.Soak = "100"
			p, err := plan.New(options)
			if err != nil {
				t.Fatal(err)
			}
			change(p.GetCases()[0])
			var usage *plan.UsageError
			if err := plan.Validate(p); !errors.As(err, &usage) {
				t.Errorf("Validate: %v; want a UsageError", err)
			}
		})
	}
}
