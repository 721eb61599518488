package main_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/epperf/epperf/go/internal/figures"
	"github.com/epperf/epperf/go/internal/report/screentest"
)

// quickly is a calibration that takes a moment.
var quickly = []string{"calibrate", "--hidden=1024", "--working-set=1", "--iters=3"}

func (p *program) wantScreen(t *testing.T, name string) {
	t.Helper()
	want, err := os.ReadFile(filepath.Join("../../../testdata/screen", name+".txt"))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(screentest.MaskMachine(string(want)), screentest.MaskMachine(p.stdout.String())); diff != "" {
		t.Errorf("screen (-want +got):\n%s", diff)
	}
}

func TestCalibrationIsMeasuredAndChecked(t *testing.T) {
	for _, ranks := range []string{"1", "2", "5"} {
		t.Run(ranks, func(t *testing.T) {
			p := newProgram(t, with(quickly, "--num-processes="+ranks)...)
			if code := p.run(t); code != 0 || p.stderr.Len() > 0 {
				t.Fatalf("exit code %d, stderr:\n%s", code, &p.stderr)
			}
			kept := p.record(t, filepath.Join(p.folder, "epperf-results"))
			if !strings.Contains(kept.Path, "-calibrate-") {
				t.Errorf("its record is %s", kept.Path)
			}
			if summary := figures.Summarize(kept); !summary.Passed() || summary.Cases[0].Calibration.All == nil {
				t.Errorf("the record did not pass: %+v", summary)
			}
			if ranks == "2" {
				p.wantScreen(t, "calibrate")
			}
		})
	}
}

func TestDetailIsHeldAgainstTheNewestCalibration(t *testing.T) {
	folder := t.TempDir()
	in := func(arguments ...string) *program {
		p := newProgram(t, with(arguments, "--output="+folder)...)
		if code := p.run(t); code != 0 {
			t.Fatalf("exit code %d, stderr:\n%s", code, &p.stderr)
		}
		return p
	}
	detail := with(small, "--num-processes=2", "--detail")
	if p := in(detail...); !strings.Contains(p.stdout.String(), "Share of the limit: n/a (no calibration of this machine; perf calibrate --num-processes=2 makes one)\n") {
		t.Errorf("stdout before any calibration:\n%s", &p.stdout)
	}
	in(with(quickly, "--num-processes=2")...)
	// Of other ranks, and no record at all: neither counts.
	in(with(quickly, "--num-processes=1")...)
	if err := os.WriteFile(filepath.Join(folder, "99991231T235959Z-calibrate-x.epperf"), []byte("x"), 0o644); err != nil {
		t.Fatal(err)
	}
	in(detail...).wantScreen(t, "detail")

	p := in(with(detail, "--threads=2")...)
	if !strings.Contains(p.stdout.String(), "n/a (a calibration copies with one thread per rank)\n") {
		t.Errorf("stdout with threads:\n%s", &p.stdout)
	}
}

func TestDetailKeepsItsSamples(t *testing.T) {
	for _, mode := range modes {
		p := newProgram(t, with(small, "--num-processes=3", "--detail", "--mode="+mode)...)
		if code := p.run(t); code != 0 {
			t.Fatalf("%s: exit code %d: %s", mode, code, &p.stderr)
		}
		kept := p.record(t, filepath.Join(p.folder, "epperf-results"))
		for rank := range 3 {
			left := kept.Rank(0, rank)
			if fresh := left.Pass(1); len(fresh) != 5 {
				t.Errorf("%s: rank %d has fresh iterations %v", mode, rank, fresh)
			}
			if chained := left.Pass(2); len(chained) != 1 || chained[0] <= 0 {
				t.Errorf("%s: rank %d has chains %v", mode, rank, chained)
			}
		}
	}
}

func TestCalibrationByName(t *testing.T) {
	p := newProgram(t, with(quickly, "--num-processes=2")...)
	if code := p.run(t); code != 0 {
		t.Fatalf("exit code %d: %s", code, &p.stderr)
	}
	calibration := p.record(t, filepath.Join(p.folder, "epperf-results"))
	measured := newProgram(t, with(small, "--num-processes=2", "--detail", "--calibration="+calibration.Path)...)
	if code := measured.run(t); code != 0 || !strings.Contains(measured.stdout.String(), "calibration "+calibration.Header.GetPlan().GetRunId()+")\n") {
		t.Errorf("exit code %d, stdout:\n%s%s", code, &measured.stdout, &measured.stderr)
	}
	measurement := measured.record(t, filepath.Join(measured.folder, "epperf-results"))
	for name, test := range map[string]struct {
		arguments []string
		wantCode  int
		want      string
	}{
		"no such file":      {[]string{"--detail", "--calibration=nowhere"}, 1, "nowhere: no such file"},
		"no calibration":    {[]string{"--detail", "--calibration=" + measurement.Path}, 2, "perf calibrate makes one"},
		"of other ranks":    {[]string{"--detail", "--calibration=" + calibration.Path}, 2, "of 2 ranks, this run has 8"},
		"without detail":    {[]string{"--calibration=" + calibration.Path}, 2, "add --detail"},
		"of more launchers": {[]string{"--detail", "--nnodes=2", "--run-id=a", "--etcd-endpoints=127.0.0.1:1", "--num-processes=2", "--calibration=" + calibration.Path}, 2, "one launcher"},
		"of more threads":   {[]string{"--detail", "--threads=2", "--num-processes=2", "--calibration=" + calibration.Path}, 2, "one thread per rank"},
		"calibrate what":    {[]string{"calibrate", "this"}, 2, `"this" is no flag`},
		"calibrate flag":    {[]string{"calibrate", "--tokens=3"}, 2, "no flag --tokens"},
		"calibrate hidden":  {[]string{"calibrate", "--hidden=3"}, 2, "--hidden=3"},
		"too much memory":   {[]string{"calibrate", "--working-set=200000"}, 2, "GiB for 8 ranks"},
	} {
		t.Run(name, func(t *testing.T) {
			p := newProgram(t, test.arguments...)
			code := p.run(t)
			if text := p.stderr.String(); code != test.wantCode || !strings.Contains(text, test.want) || strings.Count(text, "\n") != 1 {
				t.Errorf("exit code %d, want %d; stderr %q, want %q", code, test.wantCode, text, test.want)
			}
			if files, _ := os.ReadDir(p.folder); len(files) > 0 {
				t.Errorf("made %v", files)
			}
		})
	}
}

// What is said before is what is measured after: bytes are those of testdata/screen/e2e.txt.
func TestExplainRunsNothing(t *testing.T) {
	p := newProgram(t, "--explain", "--tokens=128", "--hidden=7168", "--experts-per-rank=36", "--topk=8")
	if code := p.run(t); code != 0 || p.stderr.Len() > 0 {
		t.Fatalf("exit code %d, stderr:\n%s", code, &p.stderr)
	}
	p.wantScreen(t, "explain")
	if files, _ := os.ReadDir(p.folder); len(files) > 0 {
		t.Errorf("made %v", files)
	}
}

func TestExplainOfMoreThanThisHostHas(t *testing.T) {
	p := newProgram(t, "--explain", "--num-processes=64", "--tokens=8192", "--hidden=32768", "--topk=16")
	if code := p.run(t); code != 0 || !strings.Contains(p.stdout.String(), " bytes, more than the ") {
		t.Errorf("exit code %d, stdout:\n%s%s", code, &p.stdout, &p.stderr)
	}
}
