package plan_test

import (
	"errors"
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
	want := &epperfv1.Calibration{Rows: 16_384, CachedRows: 16, RoundTrips: 2001, Epochs: 2001}
	if diff := cmp.Diff(want, c.GetCalibration(), protocmp.Transform()); diff != "" {
		t.Errorf("calibration (-want +got):\n%s", diff)
	}
	if plan.CaseName(c) != "calibrate" || c.GetRanks() != 2 || c.GetIterations() != 11 || plan.MaxTokens(c) != 1 {
		t.Errorf("case %v", c)
	}
}

func TestSmallAndLonelyCalibrations(t *testing.T) {
	options := plan.CalibrationDefaults()
	options.NumProcesses, options.WorkingSetBytes = 1, 0
	p, err := plan.NewCalibration(options)
	if err != nil {
		t.Fatal(err)
	}
	want := &epperfv1.Calibration{Rows: 1, CachedRows: 1, Epochs: 2001} // nobody to flag
	if diff := cmp.Diff(want, p.GetCases()[0].GetCalibration(), protocmp.Transform()); diff != "" {
		t.Errorf("calibration (-want +got):\n%s", diff)
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
	want := &epperfv1.Detail{FreshIterations: 20, DroppedPairs: 16, Pairs: 20}
	if diff := cmp.Diff(want, p.GetCases()[0].GetDetail(), protocmp.Transform()); diff != "" {
		t.Errorf("detail (-want +got):\n%s", diff)
	}
}

// A calibration is a mode of plans and no value of --mode.
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
		"nothing to calibrate":      func(c *epperfv1.Case) { c.Calibration = nil },
		"another mode":              func(c *epperfv1.Case) { c.Mode = epperfv1.Mode_MODE_E2E },
		"a detail besides":          func(c *epperfv1.Case) { c.Detail = &epperfv1.Detail{} },
		"no rows":                   func(c *epperfv1.Case) { c.Calibration.Rows = 0 },
		"no cached rows":            func(c *epperfv1.Case) { c.Calibration.CachedRows = 0 },
		"more cached rows than all": func(c *epperfv1.Case) { c.Calibration.CachedRows = c.Calibration.Rows + 1 },
		"endless rows":              func(c *epperfv1.Case) { c.Calibration.Rows = 1 << 30 },
		"endless round trips":       func(c *epperfv1.Case) { c.Calibration.RoundTrips = 1 << 30 },
		"endless epochs":            func(c *epperfv1.Case) { c.Calibration.Epochs = 1 << 30 },
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
