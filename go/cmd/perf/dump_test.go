package main_test

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/epperf/epperf/go/internal/npy"
)

// dumped makes a dump of an uneven run and returns its folder.
func dumped(t *testing.T, dtype string, flags ...string) string {
	t.Helper()
	p := newProgram(t, with(flags, "--num-processes=3", "--tokens=16,0,5", "--hidden=200", "--experts-per-rank=4", "--topk=3",
		"--warmup=2", "--iters=5", "--routing=zipf:1", "--seed=9", "--dtype="+dtype, "--mode=combine", "--dump=out/dump")...)
	if code := p.run(t); code != 0 {
		t.Fatalf("exit code %d, stderr:\n%s", code, &p.stderr)
	}
	return filepath.Join(p.folder, "out/dump")
}

// A rank is what one rank's folder holds.
type rank struct {
	x, weights, expertOut, combined [][]float64
	received                        [][]float64 // dequantised
	idx, count, source              [][]int
}

func readRank(t *testing.T, folder string, tokens int, dtype string) rank {
	t.Helper()
	read := func(name string, of npy.Type, shape ...int) []byte {
		content, err := os.ReadFile(filepath.Join(folder, name+".npy"))
		if err != nil {
			t.Fatal(err)
		}
		array, err := npy.Decode(content)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if array.Type != of || !slices.Equal(array.Shape, shape) {
			t.Fatalf("%s is %s %v, not %s %v", name, array.Type, array.Shape, of, shape)
		}
		return array.Data
	}
	const hidden, topk, experts = 200, 3, 4
	var r rank
	r.x = rows(read("x", npy.Uint16, tokens, hidden), 2, hidden, bf16)
	r.idx = rows(read("topk_idx", npy.Int32, tokens, topk), 4, topk, int32s)
	r.weights = rows(read("topk_weights", npy.Float32, tokens, topk), 4, topk, float32s)
	r.count = rows(read("recv_count", npy.Int32, experts), 4, experts, int32s)
	sum := 0
	for _, count := range r.count[0] {
		sum += count
	}
	r.source = rows(read("recv_src", npy.Int32, sum, 2), 4, 2, int32s)
	r.expertOut = rows(read("expert_out", npy.Uint16, sum, hidden), 2, hidden, bf16)
	r.combined = rows(read("combined", npy.Uint16, tokens, hidden), 2, hidden, bf16)
	scales := rows(read("recv_scales", npy.Float32, sum, 2), 4, 2, float32s) // of 128 channels, and of 72
	if dtype == "bf16" {
		r.received = rows(read("recv_x", npy.Uint16, sum, hidden), 2, hidden, bf16)
	} else {
		r.received = rows(read("recv_x", npy.Uint8, sum, hidden), 1, hidden, e4m3)
	}
	for i, row := range r.received {
		for c := range row {
			row[c] *= scales[i][c/128]
		}
	}
	return r
}

// rows cuts an array's bytes into rows of `columns` numbers of `size` bytes.
func rows[N any](data []byte, size, columns int, number func([]byte) N) (all [][]N) {
	for row := range slices.Chunk(data, size*columns) {
		var numbers []N
		for bytes := range slices.Chunk(row, size) {
			numbers = append(numbers, number(bytes))
		}
		all = append(all, numbers)
	}
	return all
}

func int32s(bytes []byte) int { return int(int32(binary.LittleEndian.Uint32(bytes))) }

func float32s(bytes []byte) float64 {
	return float64(math.Float32frombits(binary.LittleEndian.Uint32(bytes)))
}

func bf16(bytes []byte) float64 {
	return float64(math.Float32frombits(uint32(binary.LittleEndian.Uint16(bytes)) << 16))
}

func e4m3(bytes []byte) float64 {
	exponent, value := int(bytes[0]>>3&0xf), float64(bytes[0]&7)/8
	if exponent == 0 {
		value = math.Ldexp(value, -6)
	} else {
		value = math.Ldexp(1+value, exponent-7)
	}
	if bytes[0]&0x80 != 0 {
		return -value
	}
	return value
}

// Dispatch and combine follow from the dump alone, in float64 and with no code of ours but the
// reader of files.
func TestADumpIsConsistent(t *testing.T) {
	for _, test := range []struct{ dtype, layout, combine, quantize string }{
		{"fp8", "expert", "rank", "inside"},
		{"fp8", "expert", "rank", "outside"},
		{"bf16", "expert", "rank", "inside"},
		{"fp8", "contig", "rank", "inside"},
		{"bf16", "contig", "expert", "inside"},
	} {
		dtype := test.dtype
		t.Run(strings.Join([]string{dtype, test.layout, test.combine, test.quantize}, ", "), func(t *testing.T) {
			folder := dumped(t, dtype, "--layout="+test.layout, "--combine="+test.combine, "--quantize="+test.quantize)
			var ranks []rank
			for r, tokens := range []int{16, 0, 5} {
				ranks = append(ranks, readRank(t, filepath.Join(folder, fmt.Sprintf("rank%d", r)), tokens, dtype))
			}
			if selections := consistent(t, dtype, ranks); selections != 21*3 {
				t.Errorf("%d selections, not %d", selections, 21*3)
			}
		})
	}
}

// consistent computes what all ranks' dumps must hold from what they hold, and returns how many
// selections there are.
func consistent(t *testing.T, dtype string, ranks []rank) (selections int) {
	t.Helper()
	// The rows that expert e of rank r gets, and what it makes of them, by source.
	type place struct{ rank, token, expert int }
	outputs := map[place][]float64{}
	for r, at := range ranks {
		row := 0
		for local, count := range at.count[0] {
			for range count {
				from := place{at.source[row][0], at.source[row][1], 4*r + local}
				if outputs[from] != nil || !slices.Contains(ranks[from.rank].idx[from.token], from.expert) {
					t.Fatalf("%+v was received twice, or never sent", from)
				}
				outputs[from] = at.expertOut[row]
				compareDispatched(t, dtype, at.received[row], ranks[from.rank].x[from.token])
				row++
			}
		}
	}
	for r, home := range ranks {
		for token, experts := range home.idx {
			exact, magnitude := make([]float64, 200), make([]float64, 200)
			for j, expert := range experts {
				selections++
				for c, y := range outputs[place{r, token, expert}] {
					exact[c] += home.weights[token][j] * y
					magnitude[c] += math.Abs(home.weights[token][j] * y)
				}
			}
			for c, got := range home.combined[token] {
				if math.Abs(got-exact[c]) > math.Ldexp(4, -8)*magnitude[c] {
					t.Fatalf("rank %d, token %d, channel %d: combined %g, the sum is %g", r, token, c, got, exact[c])
				}
			}
		}
	}
	if len(outputs) != selections {
		t.Errorf("%d selections and %d received rows", selections, len(outputs))
	}
	return selections
}

// compareDispatched compares with what was sent: E4M3 has four significant bits, or for the smallest
// values steps of 2^-9 of a scale.
func compareDispatched(t *testing.T, dtype string, got, sent []float64) {
	t.Helper()
	for c := range sent {
		var largest float64
		for _, value := range sent[c/128*128 : min(c/128*128+128, len(sent))] {
			largest = max(largest, math.Abs(value))
		}
		tolerance := max(math.Abs(sent[c])/16, largest/448/1024) * 1.0001
		if dtype == "bf16" {
			tolerance = 0
		}
		if math.Abs(got[c]-sent[c]) > tolerance {
			t.Fatalf("channel %d: received %g of %g", c, got[c], sent[c])
		}
	}
}

func TestADumpIsDescribed(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(dumped(t, "fp8"), "dump.json"))
	if err != nil {
		t.Fatal(err)
	}
	var got map[string]any
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	if id, _ := got["run_id"].(string); len(id) != 8 {
		t.Errorf("run id %v", got["run_id"])
	}
	delete(got, "run_id")
	want := map[string]any{
		"ranks": 3.0, "tokens_of_rank": []any{16.0, 0.0, 5.0}, "hidden": 200.0, "experts_per_rank": 4.0,
		"topk": 3.0, "dtype": "fp8", "combine": "rank", "routing": "zipf:1", "seed": 9.0,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("dump.json (-want +got):\n%s", diff)
	}
}

func TestADumpNeedsANewFolder(t *testing.T) {
	p := newProgram(t, with(small, "--dump=full")...)
	if err := os.MkdirAll(filepath.Join(p.folder, "full", "rank0"), 0o755); err != nil {
		t.Fatal(err)
	}
	if code := p.run(t); code != 2 || !strings.HasPrefix(p.stderr.String(), "perf: --dump: full is not empty") {
		t.Errorf("exit code %d, stderr %q", code, &p.stderr)
	}
	p = newProgram(t, with(small, "--dump=/dev/null/dump")...)
	if code := p.run(t); code != 1 || !strings.HasPrefix(p.stderr.String(), "perf: --dump: ") {
		t.Errorf("exit code %d, stderr %q", code, &p.stderr)
	}
}
