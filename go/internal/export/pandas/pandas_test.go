// Package pandas_test reads exports with pandas.
package pandas_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/epperf/epperf/go/internal/export"
	"github.com/epperf/epperf/go/internal/record"
)

func TestPandasReadsFiguresAndSamples(t *testing.T) {
	version, err := exec.Command("python3", "-c", "import sys; print('%d.%d' % sys.version_info[:2])").Output()
	if got := strings.TrimSpace(string(version)); err != nil || got != "3.11" {
		t.Skipf("skipped: python3 is %q (%v), pandas' wheel is of 3.11", got, err)
	}
	paths, err := filepath.Glob("../../../../testdata/records/*.epperf")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no records: %v", err)
	}
	var records []*record.Record
	for _, path := range paths {
		kept, err := record.Read(path)
		if err != nil {
			t.Fatal(err)
		}
		records = append(records, kept)
	}
	folder := t.TempDir()
	arguments := []string{"read.py"}
	for name, samples := range map[string]bool{"figures.csv": false, "samples.csv": true} {
		out, err := os.Create(filepath.Join(folder, name))
		if err != nil {
			t.Fatal(err)
		}
		if err := export.Write(out, export.CSV, records, samples); err != nil {
			t.Fatal(err)
		}
		if err := out.Close(); err != nil {
			t.Fatal(err)
		}
	}
	modules, err := filepath.Abs(filepath.Join("../../../..", filepath.Dir(os.Getenv("MODULES"))))
	if err != nil {
		t.Fatal(err)
	}
	read := exec.Command("python3", append(arguments, filepath.Join(folder, "figures.csv"), filepath.Join(folder, "samples.csv"))...)
	read.Env = append(os.Environ(), "PYTHONPATH="+modules, "PYTHONDONTWRITEBYTECODE=1", "HOME="+folder)
	text, err := read.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	t.Logf("%s", text)
}
