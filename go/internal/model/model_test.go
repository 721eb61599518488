package model_test

import (
	"errors"
	"fmt"
	"math"
	"testing"

	"github.com/epperf/epperf/go/internal/model"
)

func near(got, want float64) bool { return math.Abs(got-want) <= 1e-6*math.Abs(want) }

// points lie on a line, but for so large a part, up and down in turns.
func points(alphaNS, mappedNS, networkNS, off float64) (all []model.Point) {
	for i, tokens := range []float64{1, 8, 32, 128, 512, 2048} {
		of := model.Terms{MappedBytes: tokens * 7000, NetworkBytes: tokens * float64(i) * 900}
		if networkNS == 0 {
			of.NetworkBytes = 0
		}
		ns := alphaNS + mappedNS*of.MappedBytes + networkNS*of.NetworkBytes
		all = append(all, model.Point{Name: fmt.Sprint(tokens), Terms: of, NS: ns * (1 + off*float64(1-2*(i%2)))})
	}
	return all
}

func TestALineIsFound(t *testing.T) {
	fit, err := model.FitPoints(points(9000, 0.004, 0.02, 0))
	if err != nil || !near(fit.AlphaNS, 9000) || !near(fit.MappedNS, 0.004) || !near(fit.NetworkNS, 0.02) || !fit.Network {
		t.Fatalf("%+v, %v", fit, err)
	}
	if median, most := fit.Errors(); median > 1e-6 || most > 1e-6 || len(fit.HeldOut) != 6 {
		t.Errorf("errors %v and %v of %d", median, most, len(fit.HeldOut))
	}
	without, err := model.FitPoints(points(9000, 0.004, 0, 0))
	if err != nil || without.Network || without.NetworkNS != 0 || !near(without.NS(model.Terms{MappedBytes: 1e6}), 13000) {
		t.Errorf("%+v, %v", without, err)
	}
}

// What a line is off by, it says: of points that it did not see.
func TestErrorsAreThoseOfHeldOutPoints(t *testing.T) {
	fit, err := model.FitPoints(points(9000, 0.004, 0, 0.1))
	if err != nil {
		t.Fatal(err)
	}
	if median, most := fit.Errors(); median < 0.05 || most > 0.5 {
		t.Errorf("errors %v and %v of points that are off by a tenth", median, most)
	}
}

func TestNoPartIsBelowZero(t *testing.T) {
	falling := points(9000, 0.004, 0, 0)
	for i := range falling {
		falling[i].NS = 1e6 / float64(i+1)
	}
	fit, err := model.FitPoints(falling)
	if err != nil || fit.AlphaNS < 0 || fit.MappedNS < 0 {
		t.Errorf("%+v, %v", fit, err)
	}
	for name, few := range map[string][]model.Point{"three": points(1, 1, 0, 0)[:3], "all alike": {{NS: 1}, {NS: 2}, {NS: 3}, {NS: 4}, {NS: 5}}, "none": nil} {
		if _, err := model.FitPoints(few); !errors.Is(err, model.ErrTooFew) {
			t.Errorf("%s: error %v", name, err)
		}
	}
}

func TestExpectedRows(t *testing.T) {
	for name, test := range map[string]struct {
		experts, perRank, topk int
		want                   float64
	}{
		"one of four":        {4, 1, 1, 0.25},
		"two of four":        {4, 1, 2, 0.5},
		"all of them":        {8, 8, 2, 1},
		"cannot miss":        {4, 3, 2, 1},
		"two of four in two": {4, 2, 2, 5.0 / 6},
	} {
		if got := model.ReachedShare(test.experts, test.perRank, test.topk); !near(got, test.want) {
			t.Errorf("%s: %v, want %v", name, got, test.want)
		}
	}
	if got := model.ExpectedTerms(2, 2, 8, 4, 1, 100); !near(got.MappedBytes, 400) || !near(got.NetworkBytes, 400) {
		t.Errorf("%+v", got)
	}
}

func TestLinksByHand(t *testing.T) {
	machine := model.Machine{Nodes: 2, RanksPerNode: 2, MappedRate: 10, NetworkRate: 1, MappedNS: 5, NetworkNS: 50}
	// Ranks 0 and 1 both send 10 rows of 10 bytes to 2, over the network: its link in has both, one behind the other.
	got := model.Simulate(machine, []model.Flow{{0, 2, 10}, {1, 2, 10}, {0, 1, 3}, {3, 3, 99}}, 10)
	if !near(got.NS, 50+200) {
		t.Errorf("%v ns, want 250", got.NS)
	}
	hot := got.Links[0]
	if hot.Kind != model.NetworkIn || hot.Rank != 2 || !near(hot.BusyNS, 200) || !near(hot.Bytes, 200) {
		t.Errorf("the hottest link is %+v", hot)
	}
	if mean := got.Mean(model.NetworkIn, 4); !near(mean, 50) {
		t.Errorf("mean %v, want 50", mean)
	}
	if len(got.Links) != 5 { // two network links out, one in, a mapped one out and in
		t.Errorf("%d links", len(got.Links))
	}
}

// The first to send to is the next rank, so that not all begin with rank 0.
func TestRanksBeginWithTheirNeighbours(t *testing.T) {
	machine := model.Machine{Nodes: 1, RanksPerNode: 8, MappedRate: 1, NetworkRate: 1}
	var flows []model.Flow
	for from := range int32(8) {
		for to := range int32(8) {
			flows = append(flows, model.Flow{From: from, To: to, Rows: 1})
		}
	}
	if got := model.Simulate(machine, flows, 10); !near(got.NS, 70) || !near(got.MeanNS, 70) {
		t.Errorf("%v, mean %v: want 70, no link waits", got.NS, got.MeanNS)
	}
}
