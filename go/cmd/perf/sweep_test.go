package main_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/epperf/epperf/go/internal/figures"
	"github.com/epperf/epperf/go/internal/record"
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
	if got := strings.Count(p.stdout.String(), "  2/2  "); got != 24 {
		t.Errorf("%d cases are printed:\n%s", got, &p.stdout)
	}
}

const ladderFile = `
# Rows of two kinds on their way out, of one on their way back.
ladders { mode: "dispatch" dtype: ["fp8", "bf16"] tokens: ["1", "8"] }
ladders { mode: "combine" tokens: ["1", "8,0"] }
`

func TestASweepOfAPlanFile(t *testing.T) {
	p := newProgram(t, with([]string{"sweep", "--num-processes=2", "--quiet", "--plan=plan.txtpb"}, small[1:]...)...)
	if err := os.WriteFile(filepath.Join(p.folder, "plan.txtpb"), []byte(ladderFile), 0o644); err != nil {
		t.Fatal(err)
	}
	if code := p.run(t); code != 0 {
		t.Fatalf("exit code %d: %s", code, &p.stderr)
	}
	kept := p.record(t, filepath.Join(p.folder, "epperf-results"))
	if summary := figures.Summarize(kept); len(summary.Cases) != 6 || !summary.Passed() {
		t.Errorf("%d cases, passed: %t", len(summary.Cases), summary.Passed())
	}
}

// A sweep that is killed in its middle goes on, and measures no case twice.
func TestAKilledSweepGoesOn(t *testing.T) {
	arguments := []string{
		"sweep", "--num-processes=2", "--hidden=128", "--experts-per-rank=2", "--iters=5", "--quiet", "--mode=dispatch,combine", "--tokens=1,2,4,8",
	}
	killed := newProgram(t, arguments...)
	killed.begin(t)
	killed.endsCases(t, 3)
	killed.passes(t, "connected") // in the fourth case three have left their results
	own := killed.processes(t)
	killed.Process.Kill()
	killed.Wait() // it was killed
	killed.tidy(t, own, 2*time.Second+busy)
	partial, err := filepath.Glob(filepath.Join(killed.folder, "epperf-results", "*.partial"))
	if err != nil || len(partial) != 1 {
		t.Fatalf("%v, %v are left", partial, err)
	}
	u, err := record.OpenUnfinished(partial[0])
	if err != nil || u.Done != 3 {
		t.Fatalf("%v are done, %v", u, err)
	}
	before, err := record.Read(partial[0])
	if err != nil {
		t.Fatal(err)
	}
	u.Close()
	resume := func(arguments ...string) *program {
		p := newProgram(t, arguments...)
		p.Dir, p.folder = killed.folder, killed.folder
		return p
	}
	for name, test := range map[string]struct {
		arguments []string
		code      int
		want      string
	}{
		"another plan is the record's": {[]string{"sweep", "--resume=" + partial[0], "--tokens=1"}, 2, "--tokens: what a sweep goes on with has its own"},
		"no record":                    {[]string{"sweep", "--resume=none"}, 1, "no such file"},
	} {
		if p := resume(test.arguments...); p.run(t) != test.code || !strings.Contains(p.stderr.String(), test.want) {
			t.Errorf("%s: %s", name, &p.stderr)
		}
	}
	p := resume(arguments...) // the same again, into the same folder
	if code := p.run(t); code != 0 {
		t.Fatalf("exit code %d: %s", code, &p.stderr)
	}
	if !strings.Contains(p.stderr.String(), ": 3 of 8 cases are done\n") || !strings.Contains(p.stdout.String(), "Cases: 8 of 8, gone on with after 1 interruption\n") {
		t.Errorf("stderr %s, stdout:\n%s", &p.stderr, &p.stdout)
	}
	kept := p.record(t, filepath.Join(killed.folder, "epperf-results"))
	for index := range 3 {
		if !slices.Equal(kept.Rank(index, 1).Pass(0), before.Rank(index, 1).Pass(0)) {
			t.Errorf("case %d is measured anew", index)
		}
	}
	if !figures.Summarize(kept).Passed() {
		t.Errorf("the record did not pass: %v", kept.Trailer)
	}
	if p := resume("sweep", "--resume="+kept.Path); p.run(t) != 1 || !strings.Contains(p.stderr.String(), "all of its cases came to their end") {
		t.Errorf("of a whole record: %s", &p.stderr)
	}
}

// endsCases waits until a program that has begun has ended so many cases.
func (p *program) endsCases(t *testing.T, cases int) {
	t.Helper()
	for ended := 0; ended < cases; {
		line, err := p.lines.ReadString('\n')
		if err != nil {
			t.Fatalf("after %d cases: %v", ended, err)
		}
		if strings.HasPrefix(line, "perf: cleanup after ") {
			ended++
		}
	}
}

// Node 0 has the cases that ended, of both launchers' ranks, and tells node 1 what is left.
func TestAnInterruptedSweepOfTwoLaunchersGoesOn(t *testing.T) {
	e := coordinator(t)
	folder := t.TempDir()
	launchers := func(more ...string) (both [2]*program) {
		for node := range both {
			both[node] = newProgram(t, append([]string{
				"sweep", "--num-processes=1", "--hidden=128", "--experts-per-rank=2", "--iters=5", "--quiet", "--mode=dispatch,combine", "--tokens=1,2,4,8",
				"--output=" + folder, "--etcd-endpoints=" + e.endpoint, "--run-id=r1", "--nnodes=2", fmt.Sprintf("--node-rank=%d", node),
			}, more...)...)
		}
		return both
	}
	ended := launchers()
	ended[1].start(t)
	ended[0].begin(t)
	ended[0].endsCases(t, 3)
	ended[0].passes(t, "connected")
	ended[1].Process.Signal(os.Interrupt)
	<-ended[0].rest
	for node, p := range ended {
		if code := p.end(t); code != 1 {
			t.Fatalf("node %d: exit code %d: %s", node, code, &p.stderr)
		}
	}
	paths, _ := filepath.Glob(filepath.Join(folder, "*-r1.epperf"))
	if len(paths) != 1 || !strings.Contains(ended[0].stderr.String(), "; the same commands with --resume="+paths[0]+" go on from there") {
		t.Fatalf("records %v; node 0: %s", paths, &ended[0].stderr)
	}
	u, err := record.OpenUnfinished(paths[0])
	if err != nil || u.Done < 3 {
		t.Fatalf("%v are done, %v", u, err)
	}
	u.Close()
	before, err := record.Read(paths[0])
	if err != nil {
		t.Fatal(err)
	}
	if p := launchers("--resume="+paths[0], "--topk=1")[0]; p.run(t) != 1 || !strings.Contains(p.stderr.String(), "flags ask for another sweep") {
		t.Errorf("another sweep: %s", &p.stderr)
	}
	again := launchers()
	again[1].start(t)
	again[0].start(t)
	for node, p := range again {
		if code := p.end(t); code != 0 {
			t.Fatalf("node %d: exit code %d: %s", node, code, &p.stderr)
		}
	}
	if want := fmt.Sprintf(": %d of 8 cases are done\n", u.Done); !strings.Contains(again[0].stderr.String(), want) || again[1].stderr.Len() > 0 {
		t.Errorf("node 0 does not say %q: %s; node 1: %s", want, &again[0].stderr, &again[1].stderr)
	}
	if want := "Cases: 8 of 8, gone on with after 1 interruption\n"; !strings.Contains(again[0].stdout.String(), want) {
		t.Errorf("no %q in\n%s", want, &again[0].stdout)
	}
	kept, err := record.Read(paths[0])
	if err != nil || !figures.Summarize(kept).Passed() {
		t.Fatalf("the record did not pass: %v, %v", kept, err)
	}
	for index := range 8 {
		for rank := range 2 {
			now := kept.Rank(index, rank).Pass(0)
			if anew := !slices.Equal(now, before.Rank(index, rank).Pass(0)); anew != (index >= u.Done) || len(now) != 5 {
				t.Errorf("case %d, rank %d: %v, measured anew: %t", index, rank, now, anew)
			}
		}
	}
}

func TestWhatASweepDoesNotTake(t *testing.T) {
	for flags, want := range map[string]string{
		"--soak=10":                      "no flag --soak",
		"--tokens=1,x":                   "case e2e, x tokens",
		"--model=gpt-9":                  "not one of deepseek-v3",
		"--model=mixtral-8x22b --topk=4": "--topk: --model says it",
		"--device=cpu --sms=24":          "--sms",
		"--sms=many":                     "no number of multiprocessors",
		"--plan=none":                    "--plan: open none",
		"--plan=none --tokens=1":         "--tokens: --plan=none has the ladders",
		"--layout=flat --combine=expert": "--combine",
		"more":                           `"more" is no flag`,
	} {
		p := newProgram(t, append([]string{"sweep", "--num-processes=2"}, strings.Fields(flags)...)...)
		if code := p.run(t); code != 2 && flags != "--plan=none" || !strings.Contains(p.stderr.String(), want) {
			t.Errorf("%s: exit code %d, %s", flags, code, &p.stderr)
		}
	}
}

// As many ranks as there may be, each a process, with every routing that needs no file.
func TestASweepOf256Ranks(t *testing.T) {
	long(t)
	p := newProgram(t, "sweep", "--num-processes=256", "--hidden=128", "--experts-per-rank=1", "--iters=3", "--warmup=1", "--quiet",
		"--mode=e2e", "--tokens=2", "--routing=uniform,balanced,zipf:1,hot:3", "--wait-timeout=60", "--timeout=500")
	if code := p.run(t); code != 0 || p.stderr.Len() > 0 {
		t.Fatalf("exit code %d, stderr:\n%s", code, &p.stderr)
	}
	summary := figures.Summarize(p.record(t, filepath.Join(p.folder, "epperf-results")))
	if len(summary.Cases) != 4 || !summary.Passed() {
		t.Fatalf("%d cases, passed: %t", len(summary.Cases), summary.Passed())
	}
	if got := strings.Count(p.stdout.String(), "  256/256  "); got != 4 {
		t.Errorf("%d cases are printed:\n%s", got, &p.stdout)
	}
	t.Logf("%v\n%s", time.Since(p.began), &p.stdout)
}
