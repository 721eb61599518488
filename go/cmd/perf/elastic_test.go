package main_test

import (
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

var smallElastic = []string{"elastic", "--tokens=16", "--hidden=128", "--experts-per-rank=2", "--topk=2", "--iters=8"}

// Ranks join, leave and are killed; who stays keeps its process, every phase is checked, and nothing is left.
func TestRanksComeAndGo(t *testing.T) {
	e := coordinator(t)
	p := newProgram(t, with(smallElastic, "--plan=[[0,1],[0,1,2,3],[0,1,-2,3],[0,3],[2,3]]", "--etcd-endpoints="+e.endpoint)...)
	if code := p.run(t); code != 0 || p.stderr.Len() > 0 {
		t.Fatalf("exit code %d: %s%s", code, &p.stderr, &p.stdout)
	}
	t.Logf("%s", &p.stdout)
	for _, want := range []string{
		"EP Elastic Test\n", "\nPhases: 5, ", "\n0 0,1 0,1 - - ", "\n1 0,1,2,3 2,3 - - ", "\n2 0,1,2,3 - - 2 ", "\n2 after 0,1,3 - - - ", "\n3 0,3 - 1 - ",
		"\n4 2,3 2 0 - ", " 0 wrong; ranks had 5 processes\n",
	} {
		if !strings.Contains(narrow(p), want) {
			t.Errorf("stdout lacks %q", want)
		}
	}
	e.untouched(t, time.Second)
	kept := p.record(t, filepath.Join(p.folder, "epperf-results"))
	pid := func(index, seat int) uint32 { return kept.Rank(index, seat).Result.GetWork().GetPid() }
	if pid(0, 1) != pid(3, 1) || pid(1, 3) != pid(5, 1) || pid(1, 2) != pid(2, 2) || pid(1, 2) == pid(5, 0) || !kept.Rank(2, 2).Result.GetWork().GetKilled() {
		t.Error("a rank changed its process, or was killed and kept it")
	}
	for index, c := range kept.Header.GetPlan().GetCases() {
		for seat := range c.GetRanks() {
			result := kept.Rank(index, int(seat)).Result
			if rows := result.GetCheck().GetRows(); !result.GetPassed() || rows == 0 && !result.GetWork().GetKilled() {
				t.Errorf("case %d, rank %d: %v", index, seat, result)
			}
		}
	}
	var points []string
	for _, moment := range kept.Trailer.GetMoments() {
		if moment.GetCaseIndex() == 2 {
			points = append(points, moment.GetName())
		}
	}
	if want := []string{"begun", "ready", "connected", "good", "killed", "detected", "stopped", "ended"}; !slices.Equal(points, want) {
		t.Errorf("points of a phase with a kill: %q", points)
	}
}

// narrow is what a program printed, without columns.
func narrow(p *program) string {
	return regexp.MustCompile(` +`).ReplaceAllString(p.stdout.String(), " ")
}

func TestRanksAreKilledAtAnyTime(t *testing.T) {
	for _, at := range []string{"connect", "between"} {
		p := newProgram(t, with(smallElastic, "--plan=[[-0,1,2],[0,2]]", "--kill-at="+at)...)
		if code := p.run(t); code != 0 || p.stderr.Len() > 0 || !strings.Contains(narrow(p), "\n0 after 1,2 ") {
			t.Errorf("%s: exit code %d: %s%s", at, code, &p.stderr, &p.stdout)
		}
	}
}

func TestAnElasticRunThatCannotBe(t *testing.T) {
	refuses(t, "elastic", map[string]string{
		"--plan=[[0,1],[0,1":    "not a list of lists of ranks",
		"--plan=[[0,1],[1,-1]]": "phase 1 names rank 1 twice",
		"--plan=[[-1]]":         "has no rank that lives to its end",
		"--kill-at=noon":        "[work connect between]",
		"--topk=99":             "--topk",
		"more":                  "is no flag",
	})
}

// Several copies, be they on several hosts, would each be a run of its own.
func TestAnElasticRunIsOneLauncher(t *testing.T) {
	for _, variables := range []string{"WORLD_SIZE=2 RANK=1 MASTER_ADDR=localhost", "SLURM_STEP_NUM_TASKS=2 SLURM_PROCID=0 SLURM_STEP_TASKS_PER_NODE=1(x2)"} {
		p := newProgram(t, smallElastic...)
		p.Env = append(p.Env, strings.Fields(variables)...)
		if code := p.run(t); code != 2 || !strings.Contains(p.stderr.String(), "an elastic run is one launcher on one host: start one") {
			t.Errorf("%s: exit code %d: %s%s", variables, code, &p.stderr, &p.stdout)
		}
	}
}
