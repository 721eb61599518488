package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/epperf/epperf/go/internal/command"
	"github.com/epperf/epperf/go/internal/record/recordtest"
)

func TestShowWithExpectations(t *testing.T) {
	run := recordtest.Small()
	run.Header.Plan.RanksPerHost, run.Header.Hosts[0].UsableCpus = 2, 2
	passed := run.Write(t) // 1,015.5 us
	expecting := func(latency string) string {
		path := filepath.Join(t.TempDir(), "expected.json")
		content := `{"format":"epperf-expect","version":1,"source":"a test","tolerance":0.05,"cases":[{"mode":"e2e","latency_us":` + latency + `}]}`
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
		return "--expect=" + path
	}
	for name, test := range map[string]struct {
		flag           string
		want           int
		stdout, stderr string
	}{
		"as expected":    {expecting("1000"), command.OK, "latency   1015.5 μs, 1000.0 expected, +1.6%: met\n", ""},
		"better":         {expecting("2000"), command.OK, "-49.2%: better\n", ""},
		"worse":          {expecting("900"), command.Regressed, "+12.8%: worse\n", ""},
		"another shape":  {"--expect=seed-dfw", command.Misused, "not comparable: device is cpu, cuda is expected; backend is ipc, none is expected", "nothing is comparable"},
		"no expectation": {"--expect=nowhere", command.Misused, "", "built in are seed-dfw"},
	} {
		t.Run(name, func(t *testing.T) {
			code, stdout, stderr := output("show", test.flag, passed)
			if code != test.want || !strings.Contains(stdout, test.stdout) || !strings.Contains(stderr, test.stderr) {
				t.Errorf("exit code %d, %s%s", code, stdout, stderr)
			}
		})
	}
}
