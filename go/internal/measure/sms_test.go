package measure_test

import (
	"context"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/testing/protocmp"

	"github.com/epperf/epperf/go/internal/measure"
	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

func TestAResultSaysHowManyMultiprocessorsThereAre(t *testing.T) {
	for _, has := range []uint32{0, 132} { // 0 is of CPUs
		var s script
		err := measure.Rank{
			Plan:            &epperfv1.Plan{Cases: []*epperfv1.Case{{Mode: epperfv1.Mode_MODE_DISPATCH, Passes: timed(epperfv1.Mode_MODE_DISPATCH, 2)}}},
			Group:           &s,
			Sink:            &s,
			Open:            func(*epperfv1.Case) (measure.Engine, error) { return &s, nil },
			Multiprocessors: has,
		}.Run(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if sms := s.result.GetSms(); sms.GetOfGpu() != has || (sms == nil) != (has == 0) {
			t.Errorf("of %d multiprocessors, a result says %v", has, sms)
		}
	}
}

func TestAResultSaysWhereBlocksRanOnceTheyAreTimed(t *testing.T) {
	s := script{sms: [3][]uint32{{3, 1, 2}, {0, 7}, {9, 8}}}
	if err := s.runOnGPU(t.Context()); err != nil {
		t.Fatal(err)
	}
	want := &epperfv1.SmUse{OfGpu: 132, OfPass: []*epperfv1.PassSms{ // no dispatch, and no meter
		{Pass: 0, OfCombineBlock: []uint32{0, 7}}, {Pass: 1, OfCombineBlock: []uint32{0, 7}},
	}}
	if diff := cmp.Diff(want, s.result.GetSms(), protocmp.Transform()); diff != "" {
		t.Errorf("SMs (-want +got):\n%s", diff)
	}
	steps := strings.Join(s.steps, "\n")
	for _, order := range []string{
		"meet timed\nlook at SMs\ncheck combine\nsamples 20", "meet timed\nlook at SMs\ncheck combine\nsamples 6 of pass 1",
	} {
		if !strings.Contains(steps, order) {
			t.Errorf("steps %s\nlack %q", steps, order)
		}
	}
}

func TestSharedMultiprocessorsAreNoFigure(t *testing.T) {
	s := script{failAt: "look at SMs", sms: [3][]uint32{{}, {3, 3}}}
	if err := s.runOnGPU(t.Context()); err == nil || !strings.Contains(err.Error(), "measure: operations: planted") {
		t.Errorf("Run = %v, want the planted error", err)
	}
	if strings.Contains(strings.Join(s.steps, "\n"), "samples") {
		t.Errorf("steps %q have samples", s.steps)
	}
	if got := s.result.GetSms().Of(0).GetOfCombineBlock(); s.result.GetPassed() || len(got) != 2 {
		t.Errorf("result %v, want a failure that says where blocks ran", s.result)
	}
}

func (s *script) runOnGPU(ctx context.Context) error {
	return measure.Rank{
		Plan: &epperfv1.Plan{Device: epperfv1.Device_DEVICE_CUDA, Cases: []*epperfv1.Case{{
			Mode: epperfv1.Mode_MODE_COMBINE,
			Passes: timed(epperfv1.Mode_MODE_COMBINE, 20,
				&epperfv1.Pass{Kind: epperfv1.Pass_KIND_KERNELS, Operation: epperfv1.Mode_MODE_COMBINE, Count: 6}),
		}}},
		Group:           s,
		Sink:            s,
		Open:            func(*epperfv1.Case) (measure.Engine, error) { return s, nil },
		Multiprocessors: 132,
	}.Run(ctx)
}
