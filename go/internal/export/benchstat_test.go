package export_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/epperf/epperf/go/internal/export"
	"github.com/epperf/epperf/go/internal/record"
	"github.com/epperf/epperf/go/internal/record/recordtest"
)

// slower returns six launches that are slower by so many thousandths, and vary a little.
func slower(t *testing.T, thousandths uint64) (all []*record.Record) {
	t.Helper()
	for launch := range uint64(6) {
		run := recordtest.Small()
		run.Header.Plan.RunId = fmt.Sprint(thousandths, "-", launch)
		for _, samples := range run.Samples {
			for i := range samples.DurationNs {
				samples.DurationNs[i] = samples.DurationNs[i] * (1000 + thousandths + launch) / 1000
			}
		}
		all = append(all, run.Read(t))
	}
	return all
}

// benchstat itself, not only its library, finds a change of 5 %, and that a bandwidth is better if it is higher.
func TestBenchstatComparesExports(t *testing.T) {
	program, err := filepath.Abs(filepath.Join("../../..", os.Getenv("BENCHSTAT")))
	if err != nil || os.Getenv("BENCHSTAT") == "" {
		t.Skipf("skipped: no benchstat (%v); run the test with Bazel", err)
	}
	folder := t.TempDir()
	for name, thousandths := range map[string]uint64{"old": 0, "new": 50} {
		if err := os.WriteFile(filepath.Join(folder, name), write(t, export.Bench, false, slower(t, thousandths)...), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	benchstat := exec.Command(program, "old", "new")
	benchstat.Dir = folder
	text, err := benchstat.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	for _, want := range []string{`(?m)^E2e/.* 1\.0\d+m ± .* 1\.0\d+m ± .* \+\d\.\d+% \(p=0\.002 n=6\)`, `sec/op`, `(?m)^E2e/.*GiB? ?.* -\d\.\d+% \(p=0\.002 n=6\)|B/s`} {
		if !regexp.MustCompile(want).Match(text) {
			t.Errorf("benchstat does not say %s:\n%s", want, text)
		}
	}
}
