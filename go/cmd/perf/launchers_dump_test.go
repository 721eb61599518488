package main_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// elsewhere are the flags of three launchers with a routing file and a dump, each of its own.
var elsewhere = []string{
	"--tokens=16,0,5,1,0,7", "--hidden=200", "--experts-per-rank=4", "--topk=3", "--warmup=2", "--iters=5",
	"--routing=file:ids.npy", "--dump=dump", "--mode=combine",
}

// tokensOf are the tokens of each rank in those flags.
var tokensOf = []int{16, 0, 5, 1, 0, 7}

// chosen are the experts of a rank's token, the first of which is moved by shift.
func chosen(rank, token, shift int) []int {
	n := 16*rank + 5*token
	return []int{(n + shift) % 24, (n + 7) % 24, (n + 13) % 24}
}

// saveChosen writes them as a routing file.
func saveChosen(t *testing.T, p *program, shift int) {
	t.Helper()
	var ids []int32
	for rank, tokens := range tokensOf {
		for token := range 16 { // room for the most tokens of any rank
			for _, expert := range chosen(rank, token, shift) {
				if token >= tokens {
					expert = -1
				}
				ids = append(ids, int32(expert))
			}
		}
	}
	save(t, filepath.Join(p.folder, "ids.npy"), 3, ids...)
}

// Each launcher reads its copy of the routing and dumps its ranks' tensors; together the dumps are
// what one launcher would have left.
func TestLaunchersRouteByFileAndDump(t *testing.T) {
	t.Parallel()
	e := coordinator(t)
	launchers := e.three(t, "r1", elsewhere...)
	for _, p := range launchers {
		saveChosen(t, p, 0)
		p.start(t)
	}
	for node, p := range launchers {
		if code := p.end(t); code != 0 || p.stderr.Len() > 0 {
			t.Fatalf("node %d: exit code %d: %s", node, code, &p.stderr)
		}
	}
	e.untouched(t, time.Second)
	if !strings.Contains(launchers[0].stdout.String(), "\nRouting: file:") {
		t.Errorf("stdout:\n%s", &launchers[0].stdout)
	}
	var ranks []rank
	for r, tokens := range tokensOf {
		folder := filepath.Join(launchers[r/2].folder, "dump")
		have := readRank(t, filepath.Join(folder, fmt.Sprintf("rank%d", r)), tokens, "fp8")
		for token, ids := range have.idx {
			if want := chosen(r, token, 0); !slices.Equal(ids, want) {
				t.Errorf("rank %d, token %d selects %v, the file says %v", r, token, ids, want)
			}
		}
		ranks = append(ranks, have)
	}
	if selections := consistent(t, "fp8", ranks); selections != 29*3 {
		t.Errorf("%d selections, not %d", selections, 29*3)
	}
	for node, p := range launchers {
		var left []string
		files, _ := os.ReadDir(filepath.Join(p.folder, "dump"))
		for _, file := range files {
			left = append(left, file.Name())
		}
		if want := []string{"dump.json", fmt.Sprintf("rank%d", 2*node), fmt.Sprintf("rank%d", 2*node+1)}; !slices.Equal(left, want) {
			t.Errorf("node %d dumped %v, not %v", node, left, want)
		}
	}
}

// It is the file's content that launchers must agree on.
func TestLaunchersWithOtherRoutingFilesDoNotRun(t *testing.T) {
	t.Parallel()
	e := coordinator(t)
	launchers := e.three(t, "r1", elsewhere...)
	for node, p := range launchers {
		saveChosen(t, p, node/2)
		p.start(t)
	}
	for node, p := range launchers {
		if code := p.end(t); code != 1 || !strings.Contains(p.last(), "node 2 (") || !strings.Contains(p.last(), "other flags than node 0 (") {
			t.Errorf("node %d: exit code %d: %s", node, code, &p.stderr)
		}
		within(t, 2*time.Second, time.Since(p.began), p.last())
	}
	e.untouched(t, time.Second)
}
