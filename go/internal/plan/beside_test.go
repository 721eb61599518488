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

// besideOptions are of a run that has a meter.
func besideOptions() plan.Options {
	options := plan.Defaults()
	options.Device, options.GPUs, options.Multiprocessors = "cuda", 8, 132
	options.SMs, options.Beside = 24, "stream"
	return options
}

func TestBesideAddsAMeterAloneAndBothTogether(t *testing.T) {
	p, err := plan.New(besideOptions())
	if err != nil {
		t.Fatal(err)
	}
	mode, meter := epperfv1.Mode_MODE_E2E, epperfv1.Pass_METER_STREAM
	want := []*epperfv1.Pass{
		epperfv1.Operations(mode, 100),
		{Kind: epperfv1.Pass_KIND_METER, Meter: meter, Count: 11},
		{Kind: epperfv1.Pass_KIND_METER, Meter: meter, Operation: mode, Count: 11, Captured: 100},
		{Kind: epperfv1.Pass_KIND_BESIDE, Meter: meter, Operation: mode, Count: 100},
	}
	passes := p.GetCases()[0].GetPasses()
	if diff := cmp.Diff(want, passes, protocmp.Transform()); diff != "" {
		t.Errorf("passes (-want +got):\n%s", diff)
	}
	for i, label := range []string{"operations", "meter stream", "meter stream beside", "beside stream"} {
		if got := passes[i].Label(); got != label {
			t.Errorf("pass %d is called %q, want %q", i, got, label)
		}
	}
}

func TestBesideNeedsMultiprocessorsThatAreLeft(t *testing.T) {
	for want, change := range map[string]func(*plan.Options){
		`--beside="compute": not one of gemm, stream; try --beside=gemm`:                    func(o *plan.Options) { o.Beside = "compute" },
		`--beside=stream: only GPUs have multiprocessors to leave; try --device=cuda`:       func(o *plan.Options) { o.Device, o.SMs = "cpu", 0 },
		`--beside=stream: operations that use all multiprocessors leave none; try --sms=24`: func(o *plan.Options) { o.SMs = 0 },
		`--sms=132: leaves none of a GPU's multiprocessors to --beside; try --sms=131`:      func(o *plan.Options) { o.SMs = 132 },
		`--beside=stream: ranks that share a GPU measure nothing; try without --shared-gpu`: func(o *plan.Options) { o.SharedGPU = true },
		`--beside=stream: a soak times nothing; try without --soak`:                         func(o *plan.Options) { o.Soak = "1000" },
	} {
		options := besideOptions()
		change(&options)
		_, err := plan.New(options)
		var usage *plan.UsageError
		if !errors.As(err, &usage) || err.Error() != want {
			t.Errorf("New: %v; want %s", err, want)
		}
	}
}

func TestMetersFromElsewhereAreNotTrusted(t *testing.T) {
	good, err := plan.New(besideOptions())
	if err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*epperfv1.Plan){
		"on CPUs":                     func(p *epperfv1.Plan) { p.Device = epperfv1.Device_DEVICE_CPU },
		"on all multiprocessors":      func(p *epperfv1.Plan) { p.Cases[0].Sms = 0 },
		"an unknown meter":            func(p *epperfv1.Plan) { p.Cases[0].Passes[1].Meter = 99 },
		"no meter":                    func(p *epperfv1.Plan) { p.Cases[0].Passes[3].Meter = 0 },
		"a meter of another pass":     func(p *epperfv1.Plan) { p.Cases[0].Passes[0].Meter = 1 },
		"iterations of no operation":  func(p *epperfv1.Plan) { p.Cases[0].Passes[1].Captured = 5 },
		"operations but no iteration": func(p *epperfv1.Plan) { p.Cases[0].Passes[2].Captured = 0 },
		"beside no operation":         func(p *epperfv1.Plan) { p.Cases[0].Passes[3].Operation = 0 },
	} {
		t.Run(name, func(t *testing.T) {
			p := proto.CloneOf(good)
			change(p)
			var usage *plan.UsageError
			if err := plan.Validate(p); !errors.As(err, &usage) {
				t.Errorf("Validate: %v; want a UsageError", err)
			}
		})
	}
}
