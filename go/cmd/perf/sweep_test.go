package main_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/epperf/epperf/go/internal/figures"
)

// One launch of the ranks, one record, all cases right.
func TestASweepIsOneLaunchAndOneRecord(t *testing.T) {
	p := newProgram(t, "sweep", "--num-processes=2", "--hidden=128", "--experts-per-rank=2", "--iters=4", "--quiet",
		"--mode=dispatch,combine", "--tokens=1,8,32", "--layout=expert,flat", "--dtype=fp8,bf16")
	if code := p.run(t); code != 0 || p.stderr.Len() > 0 {
		t.Fatalf("exit code %d, stderr:\n%s", code, &p.stderr)
	}
	summary := figures.Summarize(p.record(t, filepath.Join(p.folder, "epperf-results")))
	if len(summary.Cases) != 24 || !summary.Passed() {
		t.Fatalf("%d cases, passed: %t", len(summary.Cases), summary.Passed())
	}
	if got := strings.Count(p.stdout.String(), "2/2 ranks passed"); got != 24 {
		t.Errorf("%d cases are printed", got)
	}
}

func TestWhatASweepDoesNotTake(t *testing.T) {
	for flags, want := range map[string]string{
		"--soak=10":                      "no flag --soak",
		"--tokens=1,x":                   "case e2e, x tokens",
		"--model=gpt-9":                  "not one of deepseek-v3",
		"--model=mixtral-8x22b --topk=4": "--topk: --model says it",
		"--device=cpu --sms=24":          "--sms",
		"--layout=flat --combine=expert": "--combine",
		"more":                           `"more" is no flag`,
	} {
		p := newProgram(t, append([]string{"sweep", "--num-processes=2"}, strings.Fields(flags)...)...)
		if code := p.run(t); code != 2 || !strings.Contains(p.stderr.String(), want) {
			t.Errorf("%s: exit code %d, %s", flags, code, &p.stderr)
		}
	}
}
