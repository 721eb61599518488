package main_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/epperf/epperf/go/internal/figures"
	"github.com/epperf/epperf/go/internal/npy"
)

// save writes ids [len(ids)/topk, topk] as a routing file.
func save(t *testing.T, path string, topk int, ids ...int32) []byte {
	t.Helper()
	var content bytes.Buffer
	if err := npy.WriteHeader(&content, npy.Int32, len(ids)/topk, topk); err != nil {
		t.Fatal(err)
	}
	if err := binary.Write(&content, binary.LittleEndian, ids); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, content.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	return content.Bytes()
}

func TestEveryRoutingIsMeasuredAndChecked(t *testing.T) {
	for _, routing := range []string{"balanced", "zipf:1.2", "hot:1", "hot:3"} {
		for _, mode := range modes {
			t.Run(routing+", "+mode, func(t *testing.T) {
				p := newProgram(t, with(small, "--num-processes=3", "--routing="+routing, "--mode="+mode)...)
				if code := p.run(t); code != 0 {
					t.Fatalf("exit code %d, stderr:\n%s", code, &p.stderr)
				}
				for _, want := range []string{"3/3 ranks passed\n", "\nRouting: " + routing + "\n", ", 0 wrong\n"} {
					if !strings.Contains(p.stdout.String(), want) {
						t.Errorf("stdout lacks %q:\n%s", want, &p.stdout)
					}
				}
			})
		}
	}
}

// Ranks with all, some and no tokens, in every mode.
func TestRanksWithoutTokensTakePart(t *testing.T) {
	for _, tokens := range []string{"16,0,5", "0,0,7", "1,0,0"} {
		for _, mode := range modes {
			t.Run(tokens+", "+mode, func(t *testing.T) {
				p := newProgram(t, with(small, "--num-processes=3", "--tokens="+tokens, "--mode="+mode)...)
				if code := p.run(t); code != 0 {
					t.Fatalf("exit code %d, stderr:\n%s", code, &p.stderr)
				}
				if want := "Checked: 3/3 ranks, "; !strings.Contains(p.stdout.String(), want) {
					t.Errorf("stdout lacks %q:\n%s", want, &p.stdout)
				}
				kept := p.record(t, filepath.Join(p.folder, "epperf-results"))
				var list []uint32
				for _, text := range strings.Split(tokens, ",") {
					var number uint32
					fmt.Sscan(text, &number)
					list = append(list, number)
				}
				for rank, number := range list {
					traffic := kept.Rank(0, rank).Result.GetTraffic()
					if got, want := traffic.GetSelections(), uint64(number)*2; got != want {
						t.Errorf("rank %d makes %d selections, not %d", rank, got, want)
					}
				}
			})
		}
	}
}

// Ids of -1, tokens and ranks that select nothing: only what is selected is counted and sent.
func TestOnlySelectionsCount(t *testing.T) {
	for _, mode := range modes {
		t.Run(mode, func(t *testing.T) {
			p := newProgram(t, with(small, "--num-processes=3", "--tokens=4,2,4", "--routing=file:ids.npy", "--mode="+mode)...)
			content := save(t, filepath.Join(p.folder, "ids.npy"), 2,
				0, 1, 5, -1, -1, -1, -1, 2, // rank 0: 4 selections in 3 rank rows
				-1, -1, -1, -1, -1, -1, -1, -1, // rank 1: none in two tokens
				4, 5, 5, 4, -1, 0, 1, 3) // rank 2: 7 selections in 5 rank rows
			if code := p.run(t); code != 0 {
				t.Fatalf("exit code %d, stderr:\n%s", code, &p.stderr)
			}
			kept := p.record(t, filepath.Join(p.folder, "epperf-results"))
			for rank, want := range [][3]uint64{{4, 3, 2}, {0, 0, 0}, {7, 5, 3}} {
				result := kept.Rank(0, rank).Result
				traffic := result.GetTraffic()
				got := [3]uint64{traffic.GetSelections(), traffic.GetRankRows(), traffic.GetRemoteRows()}
				if got != want {
					t.Errorf("rank %d: selections, rank rows and remote rows are %v, not %v", rank, got, want)
				}
				if result.GetCheck().GetRows() == 0 || !result.GetPassed() {
					t.Errorf("rank %d: %v", rank, result)
				}
			}
			row := map[string]uint64{"dispatch": 128 + 4 + 16, "combine": 256, "e2e": 128 + 4 + 16 + 256}[mode]
			for rank, selections := range []uint64{4, 0, 7} {
				traffic := kept.Rank(0, rank).Result.GetTraffic()
				if got := figures.BytesOf(kept.Header.GetPlan().GetCases()[0], traffic).Selections; got != selections*row {
					t.Errorf("rank %d moves %d bytes, not %d selections of %d", rank, got, selections, row)
				}
			}
			file := kept.Header.GetPlan().GetCases()[0].GetRouting().GetFile()
			sum := sha256.Sum256(content)
			if !bytes.Equal(file.GetSha256(), sum[:]) {
				t.Errorf("the record names a file of SHA-256 %x, not %x", file.GetSha256(), sum)
			}
			if want := fmt.Sprintf("\nRouting: file:%x\n", sum[:6]); !strings.Contains(p.stdout.String(), want) {
				t.Errorf("stdout lacks %q:\n%s", want, &p.stdout)
			}
		})
	}
}

// A run in which nobody selects anything still flags, waits, writes zeros and checks them.
func TestNobodySelectsAnything(t *testing.T) {
	p := newProgram(t, with(small, "--num-processes=2", "--tokens=2", "--routing=file:ids.npy")...)
	save(t, filepath.Join(p.folder, "ids.npy"), 2, -1, -1, -1, -1, -1, -1, -1, -1)
	if code := p.run(t); code != 0 {
		t.Fatalf("exit code %d, stderr:\n%s", code, &p.stderr)
	}
	for _, want := range []string{"2/2 ranks passed\n", "Bandwidth (GB/s): n/a\n", "selections=0 ranks=0 remote=0\n"} {
		if !strings.Contains(p.stdout.String(), want) {
			t.Errorf("stdout lacks %q:\n%s", want, &p.stdout)
		}
	}
}

func TestABadRoutingFileStartsNothing(t *testing.T) {
	for name, test := range map[string]struct {
		ids  []int32
		want string
	}{
		"an id out of range": {[]int32{0, 1, 2, 4}, "row 1 (rank 1, token 0), column 1: 4 is neither -1 nor an expert, 0 to 3"},
		"an expert twice":    {[]int32{0, 1, 3, 3}, "row 1 (rank 1, token 0), column 1: 3 stands there twice"},
		"another shape":      {[]int32{0, 1}, "has the shape [1 2]; 2 ranks of 1 tokens with 2 experts each need [2 2]"},
	} {
		t.Run(name, func(t *testing.T) {
			p := newProgram(t, with(small, "--num-processes=2", "--tokens=1", "--routing=file:ids.npy")...)
			save(t, filepath.Join(p.folder, "ids.npy"), 2, test.ids...)
			if code := p.run(t); code != 2 || !strings.Contains(p.stderr.String(), test.want) || strings.Count(p.stderr.String(), "\n") != 1 {
				t.Errorf("exit code %d, want 2; stderr %q, want one line with %q", code, &p.stderr, test.want)
			}
			if files, _ := os.ReadDir(p.folder); len(files) != 1 || p.stdout.Len() > 0 {
				t.Errorf("made %v, stdout %q", files, &p.stdout)
			}
		})
	}
}
