package main_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/epperf/epperf/go/internal/record"
)

func TestThreeLaunchersMakeOneRecord(t *testing.T) {
	t.Parallel()
	e := coordinator(t)
	folder := t.TempDir() // one for all, as on a shared file system
	launchers := e.three(t, "r1", with(small, "--output="+folder, "--mode=combine")...)
	for node := 2; node >= 0; node-- {
		launchers[node].start(t)
	}
	for node, p := range launchers {
		if code := p.end(t); code != 0 || p.stderr.Len() > 0 {
			t.Errorf("node %d: exit code %d: %s", node, code, &p.stderr)
		}
	}
	for _, want := range []string{"Ranks: 6, ", "Data Plane (combine): 6/6 ranks passed\n", "Checked: 6/6 ranks, "} {
		if !strings.Contains(launchers[0].stdout.String(), want) {
			t.Errorf("node 0 does not print %q:\n%s", want, &launchers[0].stdout)
		}
	}
	e.untouched(t, time.Second)
	for node := range 3 {
		suffix, ranks := "-r1.epperf", []int{0, 1, 2, 3, 4, 5}
		if node > 0 {
			suffix, ranks = fmt.Sprintf("-r1-node%d.epperf", node), []int{2 * node, 2*node + 1}
		}
		files, _ := filepath.Glob(filepath.Join(folder, "*"+suffix))
		if len(files) != 1 {
			t.Fatalf("node %d: records %v", node, files)
		}
		kept, err := record.Read(files[0])
		if err != nil {
			t.Fatal(err)
		}
		if hosts := kept.Header.GetHosts(); len(hosts) != 3 || hosts[2].GetBootId() != hosts[0].GetBootId() {
			t.Errorf("node %d: hosts %v", node, hosts)
		}
		var have []int
		for rank := range 6 {
			if left := kept.Rank(0, rank); len(left.Pass(0)) == 5 && left.Result.GetPassed() {
				have = append(have, rank)
			}
		}
		if fmt.Sprint(have) != fmt.Sprint(ranks) {
			t.Errorf("node %d: the record has ranks %v, want %v", node, have, ranks)
		}
		want := fmt.Sprintf("Part: %s (node %d, ranks %d-%d; node 0 prints the run)\n", files[0], node, ranks[0], ranks[len(ranks)-1])
		if node > 0 && launchers[node].stdout.String() != want {
			t.Errorf("node %d prints %q, want %q", node, &launchers[node].stdout, want)
		}
	}
}

func TestRunsShareAnEtcd(t *testing.T) {
	t.Parallel()
	e := coordinator(t)
	one := with(small, "--num-processes=1", "--etcd-endpoints="+e.endpoint)
	first, second := newProgram(t, one...), newProgram(t, one...)
	first.start(t)
	second.start(t)
	for _, p := range []*program{first, second} {
		if code := p.end(t); code != 0 {
			t.Errorf("exit code %d: %s", code, &p.stderr)
		}
	}
	e.untouched(t, time.Second)

	going := newProgram(t, with(endless, "--etcd-endpoints="+e.endpoint, "--run-id=same")...)
	going.until(t, "timing")
	late := newProgram(t, with(one, "--run-id=same")...)
	if code := late.run(t); code != 1 || !strings.Contains(late.last(), `run "same" is going on, started on`) {
		t.Errorf("exit code %d: %s", code, &late.stderr)
	}
	within(t, 2*time.Second, time.Since(late.began), late.last())
	going.Process.Signal(os.Interrupt)
	<-going.rest
	going.end(t)
	e.untouched(t, time.Second)
}

// Launchers that cannot run together all say why, and none waits for its time to be over.
func TestLaunchersThatDoNotFit(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*testing.T, *program)
		want   []string
	}{
		"another host":  {func(_ *testing.T, p *program) { p.Args = append(p.Args, "--host-id=hv2") }, []string{"node 0 (", "node 1 (", "host id hv2", "are two hosts", "--nnodes=1"}},
		"other flags":   {func(_ *testing.T, p *program) { p.Args = append(p.Args, "--topk=1") }, []string{"node 1 (", "was given other flags than node 0 ("}},
		"another build": {rebuild, []string{"runs build", "from one binary"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := coordinator(t)
			launchers := make([]*program, 2)
			for node := range launchers {
				launchers[node] = newProgram(t, with(small, "--num-processes=1", "--etcd-endpoints="+e.endpoint, "--run-id=r1",
					"--nnodes=2", fmt.Sprintf("--node-rank=%d", node))...)
			}
			test.change(t, launchers[1])
			launchers[1].start(t)
			launchers[0].start(t)
			for node, p := range launchers {
				code := p.end(t)
				within(t, 2*time.Second, time.Since(p.began), p.last())
				for _, want := range test.want {
					if code != 1 || !strings.Contains(p.last(), want) {
						t.Errorf("node %d: exit code %d, want %q: %s", node, code, want, &p.stderr)
					}
				}
			}
			e.untouched(t, time.Second)
		})
	}
}

// rebuild makes the program another build: the same code with a byte behind it.
func rebuild(t *testing.T, p *program) {
	t.Helper()
	other := filepath.Join(t.TempDir(), "perf")
	// Another process writes it: a rank that this one forks beside would hold the file open for
	// writing until it runs its own program, and the system refuses to run a file that is.
	if text, err := exec.Command("sh", "-c", `cp "$0" "$1" && echo >>"$1"`, p.Path, other).CombinedOutput(); err != nil {
		t.Fatalf("copying %s: %v: %s", p.Path, err, text)
	}
	p.Path, p.Args[0] = other, other
}
