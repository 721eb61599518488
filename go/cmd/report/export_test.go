package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/epperf/epperf/go/internal/command"
	"github.com/epperf/epperf/go/internal/record/recordtest"
)

// output runs report and returns what it left.
func output(args ...string) (code int, stdout, stderr string) {
	var out, err bytes.Buffer
	code = run(append([]string{"report"}, args...), &out, &err)
	return code, out.String(), err.String()
}

func TestExport(t *testing.T) {
	passed := recordtest.Small().Write(t)
	damaged := filepath.Join(t.TempDir(), "damaged.epperf")
	whole, err := os.ReadFile(passed)
	if err != nil {
		t.Fatal(err)
	}
	whole[len(whole)/2] ^= 1
	if err := os.WriteFile(damaged, whole, 0o644); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		args           []string
		want           int
		stdout, stderr string
	}{
		"json":            {[]string{"--format=json", passed}, command.OK, `{"format":"epperf-report","version":1`, ""},
		"csv":             {[]string{"--format=csv", passed}, command.OK, "figures,latency,0,avg,", ""},
		"all samples":     {[]string{"--format=csv", "--samples", passed}, command.OK, "0a1b2c3d,0,0,operations,1,2,1021000\n", ""},
		"bench":           {[]string{"--format=bench", passed}, command.OK, "BenchmarkE2e/ranks=2/", ""},
		"prom":            {[]string{"--format=prom", passed}, command.OK, "epperf_run_passed{", ""},
		"the schema":      {[]string{"--schema"}, command.OK, `"$schema"`, ""},
		"no format":       {[]string{passed}, command.Misused, "", `--format="": try one of json, csv, bench, prom`},
		"another format":  {[]string{"--format=xml", passed}, command.Misused, "", `--format="xml": try one of`},
		"no samples here": {[]string{"--format=prom", "--samples", passed}, command.Misused, "", "prom has no place for them"},
		"no record":       {[]string{"--format=csv"}, command.Misused, "", "try report export --format=csv FILE"},
		"damaged":         {[]string{"--format=csv", passed, damaged}, command.Failed, "", "damaged.epperf: damaged at byte "},
		"one run twice":   {[]string{"--format=csv", passed, passed}, command.Failed, "", "of the same run"},
	} {
		t.Run(name, func(t *testing.T) {
			code, stdout, stderr := output(append([]string{"export"}, test.args...)...)
			if code != test.want || !strings.Contains(stdout, test.stdout) || !strings.Contains(stderr, test.stderr) ||
				test.stdout == "" && stdout != "" {
				t.Errorf("exit code %d, stdout %.300q, stderr %q", code, stdout, stderr)
			}
		})
	}
}

// What could not be written whole is not there, and what was there still is.
func TestAFileIsWrittenWholeOrNotAtAll(t *testing.T) {
	passed, folder := recordtest.Small().Write(t), t.TempDir()
	out := filepath.Join(folder, "out.json")
	if code, _, stderr := output("export", "--format=json", "--out="+out, passed); code != command.OK {
		t.Fatalf("exit code %d: %s", code, stderr)
	}
	first, err := os.ReadFile(out)
	if err != nil || !strings.HasPrefix(string(first), `{"format"`) {
		t.Fatalf("%v: %.100q", err, first)
	}
	if code, _, _ := output("export", "--format=csv", "--out="+out, passed, passed); code != command.Failed {
		t.Fatalf("exit code %d", code)
	}
	after, err := os.ReadFile(out)
	left, _ := os.ReadDir(folder)
	if err != nil || !bytes.Equal(first, after) || len(left) != 1 {
		t.Errorf("%v; the file has %d bytes, had %d; %d files are left", err, len(after), len(first), len(left))
	}
	if code, _, stderr := output("export", "--format=csv", "--out="+folder+"/no/such", passed); code != command.Failed ||
		!strings.Contains(stderr, "--out=") {
		t.Errorf("exit code %d: %s", code, stderr)
	}
}
