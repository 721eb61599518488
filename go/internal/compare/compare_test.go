package compare_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/epperf/epperf/go/internal/compare"
	"github.com/epperf/epperf/go/internal/record"
	"github.com/epperf/epperf/go/internal/record/recordtest"
	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

var threePercent = compare.Options{Figure: compare.Slowest, Threshold: 0.03}

// launches returns records of one plan whose durations are those of recordtest.Small on enough CPUs,
// each times a factor. They take turns if interleaved from an even or an odd number.
func launches(t *testing.T, first int, change func(*recordtest.Run), factors ...float64) []*record.Record {
	t.Helper()
	var records []*record.Record
	for i, factor := range factors {
		run := recordtest.Small()
		run.Header.Plan.RanksPerHost, run.Header.Hosts[0].UsableCpus = 2, 8
		run.Header.Plan.RunId = fmt.Sprint(first, "-", i)
		run.Header.StartedUnixNs += int64(first+2*i) * 1e9
		for _, samples := range run.Samples {
			for j := range samples.DurationNs {
				samples.DurationNs[j] = uint64(float64(samples.DurationNs[j]) * factor)
			}
		}
		if change != nil {
			change(run)
		}
		records = append(records, run.Read(t))
	}
	return records
}

var (
	steady = []float64{1, 1.001, 1.002, 0.999, 0.998, 1.0005}
	slow   = []float64{1.05, 1.051, 1.052, 1.049, 1.048, 1.0505}
	wild   = []float64{0.8, 1.3, 1.1, 0.9, 1.2, 0.7}
)

func compareRecords(before, after []*record.Record, options compare.Options) ([]compare.Result, []string, error) {
	sides := [2]*compare.Launches{compare.NewLaunches(options.Figure), compare.NewLaunches(options.Figure)}
	for side, records := range [][]*record.Record{before, after} {
		for _, r := range records {
			sides[side].Add(r)
		}
	}
	return compare.Launched(sides[0], sides[1], options)
}

func TestVerdicts(t *testing.T) {
	seven := func(r *recordtest.Run) { r.Case().Seed = 7 }
	failed := func(r *recordtest.Run) { r.Status, r.Error = epperfv1.Trailer_STATUS_FAILED, "x" }
	crowded := func(r *recordtest.Run) { r.Header.Hosts[0].UsableCpus = 1 }
	kernel := func(r *recordtest.Run) { r.Header.Hosts[0].Kernel = "7.0" }
	gpus := func(driver, clock, celsius uint32, reasons uint64) func(*recordtest.Run) {
		return func(r *recordtest.Run) {
			r.OnGPUs(2)
			for _, gpu := range r.Header.Hosts[0].Gpus {
				gpu.DriverVersion = driver
			}
			for _, result := range r.Results {
				result.GpuAfter = &epperfv1.GpuState{SmClockMhz: &clock, TemperatureC: &celsius, ThrottleReasons: &reasons}
			}
		}
	}
	for name, test := range map[string]struct {
		before, after        []float64
		oldChange, newChange func(*recordtest.Run)
		verdict              compare.Verdict
		regression           bool
		reasons              []compare.Reason
	}{
		"the same":          {before: steady, after: steady, verdict: compare.Same},
		"5 % slower":        {before: steady, after: slow, verdict: compare.Slower, regression: true},
		"5 % faster":        {before: slow, after: steady, verdict: compare.Faster},
		"2 % slower":        {before: steady, after: []float64{1.02, 1.021, 1.022, 1.019, 1.018, 1.0205}, verdict: compare.Slower},
		"too wild to tell":  {before: steady, after: wild, verdict: compare.Undecided, reasons: []compare.Reason{{Kind: compare.TooWide}}},
		"three are too few": {before: steady[:3], after: slow[:3], verdict: compare.Undecided, reasons: []compare.Reason{{Kind: compare.TooFew, Launches: 4}}},
		"another seed": {
			before: steady, after: slow, newChange: seven, verdict: compare.Undecided,
			reasons: []compare.Reason{{Kind: compare.OtherPlan, What: "seed"}},
		},
		"a run that failed": {
			before: steady, after: slow, newChange: failed, verdict: compare.Undecided,
			reasons: []compare.Reason{{Kind: compare.NotPassed, Launches: 6}},
		},
		"ranks share CPUs": {
			before: steady, after: slow, oldChange: crowded, newChange: crowded, verdict: compare.Undecided,
			reasons: []compare.Reason{{Kind: compare.Oversubscribed, Launches: 12}},
		},
		"another kernel": {
			before: steady, after: slow, newChange: kernel, verdict: compare.Undecided,
			reasons: []compare.Reason{{Kind: compare.OtherMachine, What: "kernel"}},
		},
		"GPUs that are alike": {
			before: steady, after: slow, oldChange: gpus(13000, 1980, 40, 0), newChange: gpus(13000, 1950, 50, 0),
			verdict: compare.Slower, regression: true,
		},
		"another driver": {
			before: steady, after: slow, oldChange: gpus(13000, 1980, 40, 0), newChange: gpus(13010, 1980, 40, 0),
			verdict: compare.Undecided, reasons: []compare.Reason{{Kind: compare.OtherMachine, What: "driver"}},
		},
		"other clocks, and hotter": {
			before: steady, after: slow, oldChange: gpus(13000, 1980, 40, 0), newChange: gpus(13000, 1700, 51, 0),
			verdict: compare.Undecided, reasons: []compare.Reason{{Kind: compare.Clocks, What: "SM clocks, temperature"}},
		},
		"clocks that were lowered": {
			before: steady, after: slow, oldChange: gpus(13000, 1980, 40, 0), newChange: gpus(13000, 1980, 40, 4),
			verdict: compare.Undecided, reasons: []compare.Reason{{Kind: compare.Throttled, Launches: 6}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			results, alone, err := compareRecords(
				launches(t, 0, test.oldChange, test.before...), launches(t, 1, test.newChange, test.after...), threePercent)
			if err != nil || len(results) != 1 || alone != nil {
				t.Fatalf("%d results, %v, %v", len(results), alone, err)
			}
			got := results[0]
			if got.Verdict != test.verdict || got.Regression != test.regression {
				t.Errorf("%s, a regression: %t; want %s, %t; %+v", got.Verdict, got.Regression, test.verdict, test.regression, got)
			}
			if diff := cmp.Diff(test.reasons, got.Reasons); diff != "" {
				t.Errorf("reasons (-want +got):\n%s", diff)
			}
		})
	}
}

// Launches that did not take turns are compared, and it is said.
func TestNotInTurnsIsSaid(t *testing.T) {
	results, _, err := compareRecords(launches(t, 0, nil, steady...), launches(t, 100, nil, slow...), threePercent)
	if err != nil || results[0].Verdict != compare.Slower || !slices.Equal(results[0].Reasons, []compare.Reason{{Kind: compare.NotInTurns}}) {
		t.Errorf("%+v, %v", results, err)
	}
}

// Of many cases, one is as clear as this by chance more often than of one.
func TestManyCasesNeedMore(t *testing.T) {
	twenty := func(r *recordtest.Run) {
		one, samples, results := r.Case(), r.Samples, r.Results
		r.Header.Plan.Cases, r.Samples, r.Results = nil, nil, nil
		for index := range uint32(30) {
			c := &epperfv1.Case{
				Mode: one.GetMode(), Ranks: one.GetRanks(), TokensOfRank: one.GetTokensOfRank(), Hidden: 128 * (index + 1), Topk: 2,
				ExpertsPerRank: 2, Passes: one.GetPasses(), Dtype: one.GetDtype(),
			}
			r.Header.Plan.Cases = append(r.Header.Plan.Cases, c)
			for rank := range samples {
				r.Samples = append(r.Samples, &epperfv1.Samples{CaseIndex: index, Rank: uint32(rank), DurationNs: samples[rank].GetDurationNs()})
				r.Results = append(r.Results, &epperfv1.RankResult{
					CaseIndex: index, Rank: uint32(rank), Passed: true, Check: results[rank].GetCheck(), Traffic: results[rank].GetTraffic(),
				})
			}
		}
	}
	results, _, err := compareRecords(launches(t, 0, twenty, steady...), launches(t, 1, twenty, slow...), threePercent)
	if err != nil || len(results) != 30 {
		t.Fatalf("%d results, %v", len(results), err)
	}
	for _, result := range results {
		want := []compare.Reason{{Kind: compare.TooFew, Launches: 7}}
		if result.Verdict != compare.Undecided || !slices.Equal(result.Reasons, want) {
			t.Fatalf("%s is %s: %v", result.Name, result.Verdict, result.Reasons)
		}
	}
}

func TestCasesOfOneSideAloneAreNamed(t *testing.T) {
	wide := func(r *recordtest.Run) { r.Case().Hidden = 128 }
	_, alone, err := compareRecords(launches(t, 0, nil, 1), launches(t, 1, wide, 1), threePercent)
	if err == nil || len(alone) != 2 {
		t.Errorf("%v, %v", alone, err)
	}
}

// Each step of a control plane is compared by itself.
func TestStepsOfAControlPlaneAreCompared(t *testing.T) {
	side := func(first int, disconnect uint64) []*record.Record {
		return launches(t, first, func(r *recordtest.Run) {
			id, started := r.Header.Plan.RunId, r.Header.StartedUnixNs
			*r = *recordtest.Controlled()
			r.Header.Plan.RunId, r.Header.StartedUnixNs, r.Header.Hosts[0].UsableCpus = id, started, 8
			for _, samples := range r.Samples {
				if samples.GetPass() == 2 {
					for i := range samples.DurationNs {
						samples.DurationNs[i] += disconnect
					}
				}
			}
		}, steady...)
	}
	results, _, err := compareRecords(side(0, 0), side(1, 2e6), threePercent)
	if err != nil || len(results) != 6 {
		t.Fatalf("%d results, %v", len(results), err)
	}
	for i, want := range []compare.Verdict{compare.Same, compare.Same, compare.Slower, compare.Same, compare.Same, compare.Same} {
		if results[i].Verdict != want {
			t.Errorf("%s: %s, want %s: %+v", results[i].Name, results[i].Verdict, want, results[i].Reasons)
		}
	}
}

// Each time of an elastic run is compared by itself: here those that are left take longer to connect.
func TestTimesOfAnElasticRunAreCompared(t *testing.T) {
	side := func(first int, later uint64, otherwise bool) []*record.Record {
		return launches(t, first, func(r *recordtest.Run) {
			id, started := r.Header.Plan.RunId, r.Header.StartedUnixNs
			*r = *recordtest.Phased()
			r.Header.Plan.RunId, r.Header.StartedUnixNs, r.Header.Hosts[0].UsableCpus = id, started, 8
			for _, moment := range r.Moments {
				if moment.GetCaseIndex() == 2 && moment.GetName() != "begun" {
					moment.SinceStartNs += later
				}
			}
			if otherwise {
				r.Header.Plan.Cases[0].Phase.Ranks = []uint32{0, 4}
			}
		}, steady...)
	}
	results, _, err := compareRecords(side(0, 0, false), side(1, 100e6, false), threePercent)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]compare.Verdict{"phase 0/good": compare.Same, "phase 1/detect": compare.Same, "phase 1/recover": compare.Slower, "phase 1/good after": compare.Slower}
	for i := range results {
		_, name, _ := strings.Cut(results[i].Name, "/phase")
		if results[i].Figure != compare.Phase || results[i].Verdict != want["phase"+name] {
			t.Errorf("%s: %s: %+v", results[i].Name, results[i].Verdict, results[i].Reasons)
		}
		delete(want, "phase"+name)
	}
	if len(want) > 0 {
		t.Errorf("not compared: %v", want)
	}
	if results, _, err = compareRecords(side(0, 0, false), side(1, 0, true), threePercent); err != nil {
		t.Fatal(err)
	}
	if r := results[0]; r.Verdict != compare.Undecided || len(r.Reasons) != 1 || r.Reasons[0].What != "phases" {
		t.Errorf("other phases: %s, %+v", r.Verdict, r.Reasons)
	}
}
