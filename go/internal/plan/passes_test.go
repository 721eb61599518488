package plan_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"

	"github.com/epperf/epperf/go/internal/plan"
	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

func TestACalibrationIsPlanned(t *testing.T) {
	options := plan.CalibrationDefaults()
	options.NumProcesses = 2
	p, err := plan.NewCalibration(options)
	if err != nil {
		t.Fatal(err)
	}
	c := p.GetCases()[0]
	// 256 MiB and 256 KiB, half of it read and half written, in rows of 8 KiB.
	put := func(distinct uint32, alone bool) *epperfv1.Pass {
		return &epperfv1.Pass{
			Kind: epperfv1.Pass_KIND_COPY, Count: 11, Rows: 16_384, DistinctRows: distinct,
			Direction: epperfv1.Pass_DIRECTION_PUT, Alone: alone,
		}
	}
	want := []*epperfv1.Pass{
		put(16_384, true), put(16_384, false), put(16, true), put(16, false),
		{Kind: epperfv1.Pass_KIND_ROUND_TRIPS, Count: 2001},
		{Kind: epperfv1.Pass_KIND_FLAGS, Count: 2001},
	}
	if diff := cmp.Diff(want, c.GetPasses(), protocmp.Transform()); diff != "" {
		t.Errorf("passes (-want +got):\n%s", diff)
	}
	if plan.CaseName(c) != "calibrate" || c.GetRanks() != 2 || plan.MaxTokens(c) != 1 {
		t.Errorf("case %v", c)
	}
}

func TestACalibrationOfGPUsAlsoCopiesBackAndWithinThem(t *testing.T) {
	options := plan.CalibrationDefaults()
	options.NumProcesses, options.Device, options.GPUs = 2, "cuda", 2
	p, err := plan.NewCalibration(options)
	if err != nil {
		t.Fatal(err)
	}
	var labels []string
	for _, pass := range p.GetCases()[0].GetPasses() {
		labels = append(labels, pass.Label())
	}
	want := []string{
		"copy put alone", "copy put", "copy put cached alone", "copy put cached",
		"copy get alone", "copy get", "copy local", "round-trips", "flags",
	}
	if diff := cmp.Diff(want, labels); diff != "" {
		t.Errorf("passes (-want +got):\n%s", diff)
	}
}

func TestSmallAndLonelyCalibrations(t *testing.T) {
	options := plan.CalibrationDefaults()
	options.NumProcesses, options.WorkingSetBytes = 1, 0
	p, err := plan.NewCalibration(options)
	if err != nil {
		t.Fatal(err)
	}
	c := p.GetCases()[0]
	if c.CopiedRows() != 1 || c.PassOfKind(epperfv1.Pass_KIND_ROUND_TRIPS) >= 0 { // nobody to flag
		t.Errorf("passes %v", c.GetPasses())
	}
}

func TestBadCalibrationsAreOneClearLine(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*plan.CalibrationOptions)
		want   string
	}{
		"hidden between multiples": {
			func(o *plan.CalibrationOptions) { o.Hidden = 1001 },
			"--hidden=1001: must be a multiple of 8; try --hidden=1008",
		},
		"one iteration": {
			func(o *plan.CalibrationOptions) { o.Iters = 1 },
			"--iters=1: must be 2 to 1,000,000; try --iters=2",
		},
		"more rows than there are numbers": {
			func(o *plan.CalibrationOptions) { o.Hidden, o.WorkingSetBytes = 128, 1<<40 },
			"--working-set=1048576: would be 2,147,483,648 rows, more than 16,777,216; try --working-set=256",
		},
	} {
		t.Run(name, func(t *testing.T) {
			options := plan.CalibrationDefaults()
			test.change(&options)
			_, err := plan.NewCalibration(options)
			var usage *plan.UsageError
			if !errors.As(err, &usage) || err.Error() != test.want {
				t.Errorf("NewCalibration: %v; want %s", err, test.want)
			}
		})
	}
}

func TestDetailTimesAsManyAsTheBlockHas(t *testing.T) {
	options := plan.Defaults()
	options.Iters, options.Detail = 20, true
	p, err := plan.New(options)
	if err != nil {
		t.Fatal(err)
	}
	mode := epperfv1.Mode_MODE_E2E
	want := []*epperfv1.Pass{
		epperfv1.Operations(mode, 20),
		{Kind: epperfv1.Pass_KIND_FRESH, Operation: mode, Count: 20},
		{Kind: epperfv1.Pass_KIND_CHAINED, Operation: mode, Count: 1, Dropped: 16, Captured: 20},
	}
	if diff := cmp.Diff(want, p.GetCases()[0].GetPasses(), protocmp.Transform()); diff != "" {
		t.Errorf("passes (-want +got):\n%s", diff)
	}
}

// A calibration is a command of its own.
func TestCalibrateIsNoMode(t *testing.T) {
	options := plan.Defaults()
	options.Mode = "calibrate"
	_, err := plan.New(options)
	want := `--mode="calibrate": not one of dispatch, combine, e2e; try --mode=e2e`
	if err == nil || err.Error() != want {
		t.Errorf("New: %v; want %s", err, want)
	}
}

func TestPlansFromElsewhereAreNotTrustedWithBlocks(t *testing.T) {
	calibration, err := plan.NewCalibration(plan.CalibrationDefaults())
	if err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*epperfv1.Case){
		"no passes":            func(c *epperfv1.Case) { c.Passes = nil },
		"no end of passes":     func(c *epperfv1.Case) { c.Passes = slices.Repeat(c.GetPasses(), 100) },
		"another mode":         func(c *epperfv1.Case) { c.Mode = epperfv1.Mode_MODE_E2E },
		"operations besides":   func(c *epperfv1.Case) { c.Passes[1] = epperfv1.Operations(epperfv1.Mode_MODE_E2E, 5) },
		"an unknown kind":      func(c *epperfv1.Case) { c.Passes[1].Kind = 99 },
		"an unknown direction": func(c *epperfv1.Case) { c.Passes[1].Direction = 99 },
		"a GPU's direction":    func(c *epperfv1.Case) { c.Passes[1].Direction = epperfv1.Pass_DIRECTION_GET },
		"no rows":              func(c *epperfv1.Case) { c.Passes[0].Rows = 0 },
		"no different rows":    func(c *epperfv1.Case) { c.Passes[0].DistinctRows = 0 },
		"more different rows":  func(c *epperfv1.Case) { c.Passes[0].DistinctRows = c.GetPasses()[0].GetRows() + 1 },
		"endless rows":         func(c *epperfv1.Case) { c.Passes[0].Rows = 1 << 30 },
		"endless round trips":  func(c *epperfv1.Case) { c.Passes[4].Count = 1 << 30 },
		"rows of round trips":  func(c *epperfv1.Case) { c.Passes[4].Rows = 1 },
		"endless epochs":       func(c *epperfv1.Case) { c.Passes[5].Count = 1 << 30 },
		"captured copies":      func(c *epperfv1.Case) { c.Passes[0].Captured = 2 },
	} {
		t.Run(name, func(t *testing.T) {
			p := proto.CloneOf(calibration)
			change(p.GetCases()[0])
			var usage *plan.UsageError
			if err := plan.Validate(p); !errors.As(err, &usage) {
				t.Errorf("Validate: %v; want a UsageError", err)
			}
		})
	}
}
