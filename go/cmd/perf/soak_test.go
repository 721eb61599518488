package main_test

import (
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/epperf/epperf/go/internal/figures"
)

// soaked is a shape that soaks in a moment.
var soaked = []string{"--num-processes=2", "--tokens=16", "--hidden=128", "--experts-per-rank=2", "--topk=2", "--quiet"}

func TestASoakChecksAndCounts(t *testing.T) {
	for _, mode := range modes {
		t.Run(mode, func(t *testing.T) {
			p := newProgram(t, with(soaked, "--mode="+mode, "--soak=50", "--soak-check=10")...)
			if code := p.run(t); code != 0 || p.stderr.Len() > 0 {
				t.Fatalf("exit code %d, stderr:\n%s", code, &p.stderr)
			}
			// One in 7, and the last. A dispatch leaves 64 rows, a combine 32.
			rows := map[string]string{"dispatch": "512", "combine": "256", "e2e": "768"}[mode]
			for _, want := range []string{
				"\nMeasure: soak of 50 epochs, one in 7 checked in full\n",
				"\nSoak: 50 epochs, 8 checked in full, " + rows + " rows, 0 wrong\n",
			} {
				if !strings.Contains(p.stdout.String(), want) {
					t.Errorf("stdout lacks %q:\n%s", want, &p.stdout)
				}
			}
			kept := p.record(t, filepath.Join(p.folder, "epperf-results"))
			if soak := kept.Rank(0, 1).Result.GetSoak(); soak.GetEpochs() != 50 || soak.GetChecked() != 8 {
				t.Errorf("rank 1 recorded %v", soak)
			}
		})
	}
}

func TestASoakGoesOnForItsTime(t *testing.T) {
	p := newProgram(t, with(soaked, "--soak=2s")...)
	if code := p.run(t); code != 0 {
		t.Fatalf("exit code %d, stderr:\n%s", code, &p.stderr)
	}
	if took := time.Since(p.began); took < 2*time.Second {
		t.Errorf("ended after %v", took)
	}
	soak := figures.Summarize(p.record(t, filepath.Join(p.folder, "epperf-results"))).Cases[0].Soak
	if soak.Checked == 0 || soak.Epochs < soak.Checked || soak.Rows != 96*soak.Checked || soak.Wrong != 0 {
		t.Errorf("soaked %+v", soak)
	}
}

func TestASoakTakesOtherRoutingsAndSeeds(t *testing.T) {
	p := newProgram(t, with(soaked, "--soak=2s", "--soak-round=1ms")...)
	if code := p.run(t); code != 0 {
		t.Fatalf("exit code %d, stderr:\n%s", code, &p.stderr)
	}
	soak := figures.Summarize(p.record(t, filepath.Join(p.folder, "epperf-results"))).Cases[0].Soak
	if soak.Rounds < 2 || soak.Wrong != 0 || soak.Bytes == 0 || !strings.Contains(p.stdout.String(), ", each with its routing and seed; ") {
		t.Errorf("soaked %+v:\n%s", soak, &p.stdout)
	}
}

func TestAnInterruptEndsASoakWithWhatWasChecked(t *testing.T) {
	p := newProgram(t, with(soaked, "--soak=1h", "--soak-check=1")...)
	p.until(t, "soaking")
	if err := p.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	<-p.rest
	if code := p.end(t); code != 1 {
		t.Errorf("exit code %d", code)
	}
	if !strings.HasPrefix(p.last(), "perf: interrupted by SIGINT; what was measured is in ") {
		t.Errorf("stderr ends with %q", p.last())
	}
	soak := figures.Summarize(p.record(t, filepath.Join(p.folder, "epperf-results"))).Cases[0].Soak
	if soak.Checked > soak.Epochs || soak.Wrong != 0 {
		t.Errorf("soaked %+v", soak)
	}
	for _, want := range []string{"\nInterrupted: interrupted by SIGINT\n", "\nSoak: "} {
		if !strings.Contains(p.stdout.String(), want) {
			t.Errorf("stdout lacks %q:\n%s", want, &p.stdout)
		}
	}
}
