package figures_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/epperf/epperf/go/internal/figures"
	"github.com/epperf/epperf/go/internal/record"
	"github.com/epperf/epperf/go/internal/record/recordtest"
	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

// Two ranks of three iterations; the first is far off and must not count.
func TestFiguresComeFromTheMeansOfRanks(t *testing.T) {
	run := recordtest.Small()
	run.Case().Mode = epperfv1.Mode_MODE_DISPATCH
	run.Samples[0].DurationNs = []uint64{9e9, 1000, 3000} // mean 2000
	run.Samples[1].DurationNs = []uint64{9e9, 4000, 2000} // mean 3000
	run.Results[0].Traffic.Selections = 10
	run.Results[1].Traffic.Selections = 30
	got := summarize(t, run)
	if !got.Passed() {
		t.Error("the run did not pass")
	}
	c := got.Cases[0]
	wantLatency := &figures.Spread{Avg: 2500, Min: 2000, Max: 3000}
	wantBandwidth := &figures.Spread{Avg: (37.04 + 74.08) / 2, Min: 37.04, Max: 74.08} // 7408 bytes a row
	if diff := cmp.Diff(wantLatency, c.LatencyNS); diff != "" {
		t.Errorf("latency (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(wantBandwidth, c.Bandwidth, cmpopts.EquateApprox(1e-12, 0)); diff != "" {
		t.Errorf("bandwidth (-want +got):\n%s", diff)
	}
	p50 := int64(3000)
	wantSlowest := &figures.Quantiles{Samples: 2, P50: &p50, Max: 4000} // of 4000 and 3000
	if diff := cmp.Diff(wantSlowest, c.Slowest); diff != "" {
		t.Errorf("slowest (-want +got):\n%s", diff)
	}
	if want := uint64(20 * 7408); c.BytesPerRank.Selections != want {
		t.Errorf("selections = %d bytes; want %d", c.BytesPerRank.Selections, want)
	}
}

func TestARankWithoutSelectionsHasALatencyOnly(t *testing.T) {
	run := recordtest.Small()
	run.Results[0].Traffic = &epperfv1.Traffic{}
	run.Results[0].Check.Rows = 0
	run.Samples[0].DurationNs = []uint64{1, 1, 1}
	s := summarize(t, run)
	c := s.Cases[0]
	if c.LatencyNS.Min != 1 {
		t.Errorf("shortest latency = %g; want 1, that of the rank without selections", c.LatencyNS.Min)
	}
	if c.Bandwidth.Min != c.Bandwidth.Max {
		t.Errorf("bandwidth = %v; want that of one rank", *c.Bandwidth)
	}
	if !s.Passed() || c.Check.RightRanks != 2 {
		t.Errorf("passed = %t, %d ranks right; a rank that has nothing to compare is right", s.Passed(), c.Check.RightRanks)
	}
}

func TestBytesPerRankAreRounded(t *testing.T) {
	run := recordtest.Small()
	run.Case().Mode = epperfv1.Mode_MODE_COMBINE
	run.Case().Hidden = 128 // 256 bytes a row
	run.Results[0].Traffic = &epperfv1.Traffic{Selections: 5, RankRows: 4, RemoteRows: 1}
	run.Results[1].Traffic = &epperfv1.Traffic{Selections: 6, RankRows: 4, RemoteRows: 2}
	want := &figures.Bytes{Selections: 1408, Ranks: 1024, Remote: 384}
	if diff := cmp.Diff(want, summarize(t, run).Cases[0].BytesPerRank); diff != "" {
		t.Errorf("bytes per rank (-want +got):\n%s", diff)
	}
}

func TestWhatCannotBeComputedIsAbsent(t *testing.T) {
	for name, test := range map[string]struct {
		change                             func(*recordtest.Run)
		bandwidth, latency, slowest, bytes bool
	}{
		"everything is there": {func(*recordtest.Run) {}, true, true, true, true},
		"a rank without result": {
			func(r *recordtest.Run) { r.Results = r.Results[:1] },
			false, false, false, false,
		},
		"a rank that stopped early": {
			func(r *recordtest.Run) { r.Samples[1].DurationNs = r.Samples[1].DurationNs[:2] },
			false, false, false, true,
		},
		"a rank without traffic": {
			func(r *recordtest.Run) { r.Results[1].Traffic = nil },
			false, true, true, false,
		},
		"no selections at all": {
			func(r *recordtest.Run) {
				r.Results[0].Traffic, r.Results[1].Traffic = &epperfv1.Traffic{}, &epperfv1.Traffic{}
			},
			false, true, true, true,
		},
		"a clock that stood still": {
			func(r *recordtest.Run) { r.Samples[1].DurationNs = []uint64{0, 0, 0} },
			false, true, true, true,
		},
		"only the first iteration": {
			func(r *recordtest.Run) {
				r.Case().Passes[0].Count = 1
				for _, samples := range r.Samples {
					samples.DurationNs = samples.DurationNs[:1]
				}
			},
			false, false, false, true,
		},
	} {
		t.Run(name, func(t *testing.T) {
			run := recordtest.Small()
			test.change(run)
			c := summarize(t, run).Cases[0]
			for what, there := range map[string][2]bool{
				"bandwidth": {c.Bandwidth != nil, test.bandwidth},
				"latency":   {c.LatencyNS != nil, test.latency},
				"slowest":   {c.Slowest != nil, test.slowest},
				"bytes":     {c.BytesPerRank != nil, test.bytes},
			} {
				if there[0] != there[1] {
					t.Errorf("%s is there: %t; want %t", what, there[0], there[1])
				}
			}
		})
	}
}

func TestOversubscribedIsAQuestionOfEachHost(t *testing.T) {
	on := func(name string, cpus uint32) *epperfv1.Host { return &epperfv1.Host{BootId: name, UsableCpus: cpus} }
	host := func(cpus uint32) *epperfv1.Host { return on("a", cpus) }
	for name, test := range map[string]struct {
		hosts        []*epperfv1.Host
		ranksPerHost uint32
		want         bool
	}{
		"as many cores as ranks":  {[]*epperfv1.Host{host(2)}, 2, false},
		"fewer cores":             {[]*epperfv1.Host{host(1)}, 2, true},
		"enough, but not on each": {[]*epperfv1.Host{host(8), on("b", 1)}, 2, true},
		"two launchers share one": {[]*epperfv1.Host{host(2), host(2)}, 2, true},
		"and need not":            {[]*epperfv1.Host{host(4), host(4)}, 2, false},
		"two namespaces of one":   {[]*epperfv1.Host{host(2), {BootId: "a", HostId: "x", UsableCpus: 2}}, 2, false},
		"unknown cores":           {[]*epperfv1.Host{host(0)}, 2, false},
	} {
		t.Run(name, func(t *testing.T) {
			run := recordtest.Small()
			run.Header.Hosts, run.Header.Plan.RanksPerHost = test.hosts, test.ranksPerHost
			if got := summarize(t, run).Oversubscribed; got != test.want {
				t.Errorf("Oversubscribed = %t; want %t", got, test.want)
			}
		})
	}
}

func TestEndings(t *testing.T) {
	for status, want := range map[epperfv1.Trailer_Status]figures.Ending{
		epperfv1.Trailer_STATUS_PASSED:      figures.Passed,
		epperfv1.Trailer_STATUS_FAILED:      figures.Failed,
		epperfv1.Trailer_STATUS_INTERRUPTED: figures.Interrupted,
		epperfv1.Trailer_STATUS_UNSPECIFIED: figures.Failed,
	} {
		run := recordtest.Small()
		run.Status = status
		if s := summarize(t, run); s.Ending != want || s.Passed() != (want == figures.Passed) {
			t.Errorf("%s: ending %d, passed %t; want %d", status, s.Ending, s.Passed(), want)
		}
	}
	kept, err := record.Read(recordtest.Small().WritePartial(t))
	if err != nil {
		t.Fatal(err)
	}
	if s := figures.Summarize(kept); s.Ending != figures.Incomplete || s.Passed() {
		t.Errorf("no trailer: ending %d, passed %t; want %d and false", s.Ending, s.Passed(), figures.Incomplete)
	}
}

// A newer version's words are kept as numbers. What a row holds is not known then, but times are.
func TestAWordThatIsNotKnownIsANumber(t *testing.T) {
	run := recordtest.Passed(epperfv1.Mode_MODE_E2E)
	run.Case().Dtype, run.Case().Layout = 77, 78
	c := summarize(t, run).Cases[0]
	if c.Dtype != "77" || c.Layout != "78" {
		t.Errorf("dtype %s in layout %s", c.Dtype, c.Layout)
	}
	if c.LatencyNS == nil || c.Bandwidth != nil || c.BytesPerRank != nil {
		t.Errorf("latency %v, bandwidth %v and bytes %v; want the first alone", c.LatencyNS, c.Bandwidth, c.BytesPerRank)
	}
}

func summarize(t *testing.T, run *recordtest.Run) *figures.Summary {
	t.Helper()
	return figures.Summarize(run.Read(t))
}
