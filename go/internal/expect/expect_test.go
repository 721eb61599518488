package expect_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/epperf/epperf/go/internal/expect"
	"github.com/epperf/epperf/go/internal/record"
	"github.com/epperf/epperf/go/internal/record/recordtest"
	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

// overRDMA returns a run of the shape of the seed's table, each of whose iterations took so long.
func overRDMA(t *testing.T, mode epperfv1.Mode, ns uint64, change func(*recordtest.Run)) *record.Record {
	t.Helper()
	run := recordtest.Passed(mode)
	run.OnGPUs(8)
	run.Header.Plan.NvlinkBackend = epperfv1.NvlinkBackend_NVLINK_BACKEND_NONE
	for _, samples := range run.Samples {
		for i := range samples.DurationNs {
			samples.DurationNs[i] = ns
		}
	}
	if change != nil {
		change(run)
	}
	return run.Read(t)
}

func load(t *testing.T, name string) *expect.Table {
	t.Helper()
	table, err := expect.Load(name)
	if err != nil {
		t.Fatal(err)
	}
	return table
}

func TestTheSeedsTable(t *testing.T) {
	seed := load(t, expect.Seed)
	if len(seed.Cases) != 3 || seed.Tolerance != 0.05 {
		t.Fatalf("%+v", seed)
	}
	for name, test := range map[string]struct {
		mode               epperfv1.Mode
		ns                 uint64
		bandwidth, latency expect.Verdict
	}{
		"as expected":   {epperfv1.Mode_MODE_E2E, 520_000, expect.Met, expect.Met},
		"4 % less":      {epperfv1.Mode_MODE_DISPATCH, 187_000, expect.Met, expect.Met},
		"6 % less":      {epperfv1.Mode_MODE_COMBINE, 361_000, expect.Worse, expect.Worse},
		"twice as fast": {epperfv1.Mode_MODE_E2E, 260_000, expect.Better, expect.Better},
	} {
		t.Run(name, func(t *testing.T) {
			results := seed.Against(overRDMA(t, test.mode, test.ns, nil))
			if len(results) != 1 || len(results[0].Differs) > 0 || len(results[0].Figures) != 2 {
				t.Fatalf("%+v", results)
			}
			if of := results[0].Figures; of[0].Verdict != test.bandwidth || of[1].Verdict != test.latency {
				t.Errorf("%+v", of)
			}
		})
	}
}

func TestWhatDiffersIsNotCompared(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*recordtest.Run)
		want   []string
	}{
		"another backend": {
			func(r *recordtest.Run) { r.Header.Plan.NvlinkBackend = epperfv1.NvlinkBackend_NVLINK_BACKEND_IPC },
			[]string{"backend is ipc, none is expected"},
		},
		"another shape": {
			func(r *recordtest.Run) { r.Case().Hidden, r.Case().Topk = 4096, 2 },
			[]string{"hidden is 4096, 7168 is expected", "topk is 2, 8 is expected"},
		},
		"uneven tokens": {func(r *recordtest.Run) { r.Case().TokensOfRank[3] = 0 }, []string{"tokens of some rank is 0, 128 is expected"}},
	} {
		t.Run(name, func(t *testing.T) {
			results := load(t, expect.Seed).Against(overRDMA(t, epperfv1.Mode_MODE_E2E, 520_000, test.change))
			if len(results) != 1 || !slices.Equal(results[0].Differs, test.want) || results[0].Figures != nil {
				t.Errorf("%+v; want %v", results, test.want)
			}
		})
	}
}

func TestAFigureThatThereIsNot(t *testing.T) {
	results := load(t, expect.Seed).Against(overRDMA(t, epperfv1.Mode_MODE_E2E, 520_000, func(r *recordtest.Run) { r.Samples = r.Samples[:5] }))
	if results[0].Figures[0].Verdict != expect.NotMeasured {
		t.Errorf("%+v", results)
	}
}

func TestFiles(t *testing.T) {
	for name, test := range map[string]struct{ content, want string }{
		"good":         {`{"format":"epperf-expect","version":1,"tolerance":0.1,"cases":[{"mode":"e2e","latency_us":520}]}`, ""},
		"no JSON":      {`# expected`, "byte 0"},
		"a typo":       {`{"format":"epperf-expect","version":1,"tolerance":0.1,"cases":[{"mode":"e2e","latency":520}]}`, `unknown field "latency"`},
		"newer":        {`{"format":"epperf-expect","version":2,"tolerance":0.1,"cases":[{"mode":"e2e","latency_us":520}]}`, "version 2"},
		"no tolerance": {`{"format":"epperf-expect","version":1,"cases":[{"mode":"e2e","latency_us":520}]}`, "such as 0.05"},
		"no figure":    {`{"format":"epperf-expect","version":1,"tolerance":0.1,"cases":[{"mode":"e2e"}]}`, "case 0 has no mode or no figure"},
		"no cases":     {`{"format":"epperf-expect","version":1,"tolerance":0.1}`, "no cases"},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "expected.json")
			if err := os.WriteFile(path, []byte(test.content), 0o644); err != nil {
				t.Fatal(err)
			}
			_, err := expect.Load(path)
			if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v; want %q", err, test.want)
			}
		})
	}
	if _, err := expect.Load("nowhere.json"); err == nil || !strings.Contains(err.Error(), "built in are seed-dfw, control-a and control-b") {
		t.Errorf("error %v", err)
	}
}

// An example is shown and never held against anything, whatever was measured.
func TestExamplesOfAControlPlane(t *testing.T) {
	kept := recordtest.Controlled().Read(t)
	for name, init := range map[string]float64{"control-a": 150e6, "control-b": 1200e6} {
		results := load(t, name).Against(kept)
		if len(results) != 1 || len(results[0].Differs) > 0 || len(results[0].Figures) != 5 || results[0].Figures[0].Expected != init {
			t.Fatalf("%s: %+v", name, results)
		}
		for _, figure := range results[0].Figures {
			if figure.Verdict != expect.Example || figure.Measured == 0 {
				t.Errorf("%s: %+v", name, figure)
			}
		}
	}
	if results := load(t, "control-a").Against(recordtest.Passed(epperfv1.Mode_MODE_E2E).Read(t)); len(results[0].Differs) == 0 {
		t.Errorf("an iteration is compared with a control plane: %+v", results)
	}
}
