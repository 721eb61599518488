package export_test

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"golang.org/x/perf/benchfmt"

	"github.com/epperf/epperf/go/internal/export"
	"github.com/epperf/epperf/go/internal/record"
	"github.com/epperf/epperf/go/internal/record/recordtest"
	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

var update = flag.Bool("update", false, "write goldens anew")

// real are records of machines that tests do not have, and some of runs that never were.
func real(t *testing.T) []*record.Record {
	t.Helper()
	paths, err := filepath.Glob("../../../testdata/records/*.epperf")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no records: %v", err)
	}
	made := []*recordtest.Run{
		recordtest.Calibrated(), recordtest.Soaked(), recordtest.DetailedOnGPUs(epperfv1.Mode_MODE_COMBINE, 8), hostile(),
	}
	for i, run := range made {
		run.Header.Plan.RunId = "made-" + strconv.Itoa(i)
		paths = append(paths, run.Write(t))
	}
	var records []*record.Record
	for _, path := range paths {
		records = append(records, read(t, path))
	}
	return records
}

func read(t *testing.T, path string) *record.Record {
	t.Helper()
	r, err := record.Read(path)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// hostile is a record whose texts are made to do harm, and whose clock did not advance.
func hostile() *recordtest.Run {
	run := recordtest.Detailed(epperfv1.Mode_MODE_E2E)
	run.Header.Hosts[0].Name = "=cmd|' /C calc'!A0\x1b[2J"
	run.Header.Hosts[0].CpuModel = "a\"b\\c\nBenchmarkFake 1 1 ns/op\n{x=\"y\"} 1"
	run.Header.Hosts[0].UcxEnvironment = []string{"UCX_TLS=\u202eall,\"tcp\""}
	run.Results[3].Passed, run.Results[3].Error = false, "-1+1\r\n# HELP x"
	for _, samples := range run.Samples {
		for i := range samples.DurationNs {
			samples.DurationNs[i] = 0
		}
	}
	return run
}

func write(t *testing.T, format export.Format, samples bool, records ...*record.Record) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := export.Write(&out, format, records, samples); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestGoldens(t *testing.T) {
	small := recordtest.Small()
	small.Header.Plan.RanksPerHost = 2
	small.OnGPUs(2)
	kept := read(t, small.Write(t))
	kept.Path = "run.epperf"
	for name, test := range map[string]struct {
		format  export.Format
		samples bool
	}{
		"small.json":         {export.JSON, false},
		"small.samples.json": {export.JSON, true},
		"small.csv":          {export.CSV, false},
		"small.samples.csv":  {export.CSV, true},
		"small.bench":        {export.Bench, false},
		"small.prom":         {export.Prom, false},
	} {
		t.Run(name, func(t *testing.T) {
			got, path := write(t, test.format, test.samples, kept), filepath.Join("testdata", name)
			if *update {
				if err := os.WriteFile(path, got, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), string(got)); diff != "" {
				t.Errorf("(-want +got), -update writes it anew:\n%s", diff)
			}
		})
	}
}

func TestJSONIsAsItsSchemaSays(t *testing.T) {
	compiler := jsonschema.NewCompiler()
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(export.Schema))
	if err != nil {
		t.Fatal(err)
	}
	if err := compiler.AddResource("report.json", document); err != nil {
		t.Fatal(err)
	}
	schema, err := compiler.Compile("report.json")
	if err != nil {
		t.Fatal(err)
	}
	for _, samples := range []bool{false, true} {
		written, err := jsonschema.UnmarshalJSON(bytes.NewReader(write(t, export.JSON, samples, real(t)...)))
		if err != nil {
			t.Fatal(err)
		}
		if err := schema.Validate(written); err != nil {
			t.Errorf("with samples %t: %v", samples, err)
		}
		written.(map[string]any)["version"] = "2"
		if schema.Validate(written) == nil {
			t.Error("the schema takes whatever comes")
		}
	}
}

func TestJSONHasAllSamples(t *testing.T) {
	var got struct {
		Records []struct {
			Samples []struct {
				Rank int
				NS   []int64
			}
		}
	}
	if err := json.Unmarshal(write(t, export.JSON, true, read(t, recordtest.Small().Write(t))), &got); err != nil {
		t.Fatal(err)
	}
	samples := got.Records[0].Samples
	if len(samples) != 2 || !cmp.Equal(samples[1].NS, []int64{1_001_000, 1_011_000, 1_021_000}) {
		t.Errorf("samples %v", samples)
	}
}

func TestCSVReadsBack(t *testing.T) {
	for _, samples := range []bool{false, true} {
		lines, err := csv.NewReader(bytes.NewReader(write(t, export.CSV, samples, real(t)...))).ReadAll() // all of a length
		if err != nil {
			t.Fatal(err)
		}
		if len(lines) < 500 {
			t.Errorf("with samples %t: %d lines", samples, len(lines))
		}
		for _, line := range lines {
			for _, field := range line {
				if strings.HasPrefix(field, "=") || strings.ContainsAny(field, "\x1b\n\u202e") {
					t.Errorf("a field is %q", field)
				}
			}
		}
	}
}

func TestBenchIsReadByTheLibraryOfBenchstat(t *testing.T) {
	reader := benchfmt.NewReader(bytes.NewReader(write(t, export.Bench, false, real(t)...)), "x")
	units, results := map[string]int{}, 0
	for reader.Scan() {
		switch of := reader.Result().(type) {
		case *benchfmt.Result:
			results++
			for _, value := range of.Values {
				units[value.Unit]++
			}
			if strings.Contains(string(of.Name), "Fake") {
				t.Errorf("a record's text became the benchmark %s", of.Name)
			}
			if of.GetConfig("device") == "" || of.Iters < 2 && !strings.HasPrefix(string(of.Name), "Calibrate") {
				t.Errorf("%s has no device, or %d iterations", of.Name, of.Iters)
			}
		case *benchfmt.SyntaxError:
			t.Error(of)
		}
	}
	if err := reader.Err(); err != nil {
		t.Fatal(err)
	}
	if better := reader.Units().GetBetter("B/s"); better != 1 {
		t.Errorf("of B/s, better is %d", better)
	}
	if results < 12 || units["sec/op"] < 8 || units["B/s"] < 8 || units["slowest-p50-sec"] < 8 || units["ratio"] < 4 {
		t.Errorf("%d results, with units %v", results, units)
	}
}

func TestPrometheusReadsItAndFindsNothingToBlame(t *testing.T) {
	text := write(t, export.Prom, false, real(t)...)
	parser := expfmt.NewTextParser(model.LegacyValidation)
	families, err := parser.TextToMetricFamilies(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"epperf_latency_seconds", "epperf_bandwidth_bytes_per_second", "epperf_checked", "epperf_run_passed"} {
		if len(families[name].GetMetric()) == 0 {
			t.Errorf("no %s", name)
		}
	}
	problems, err := promlint.New(bytes.NewReader(text)).Lint()
	if err != nil || len(problems) > 0 {
		t.Errorf("promlint: %v, %v", problems, err)
	}
}

// Two lines of a gauge with the same labels are refused by whoever scrapes them.
func TestNoSeriesIsThereTwice(t *testing.T) {
	seen := map[string]bool{}
	for line := range strings.Lines(string(write(t, export.Prom, false, real(t)...))) {
		series := line[:strings.LastIndexByte(line, ' ')]
		if !strings.HasPrefix(line, "#") && seen[series] {
			t.Errorf("twice: %s", series)
		}
		seen[series] = true
	}
}

func TestTheSameRunIsNotExportedTwice(t *testing.T) {
	one := read(t, recordtest.Small().Write(t))
	err := export.Write(&bytes.Buffer{}, export.CSV, []*record.Record{one, one}, false)
	if err == nil || !strings.Contains(err.Error(), "of the same run, 0a1b2c3d: give one of them") {
		t.Errorf("error %v", err)
	}
}
