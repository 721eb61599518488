package dump_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/epperf/epperf/go/internal/dump"
	"github.com/epperf/epperf/go/internal/measure"
	"github.com/epperf/epperf/go/internal/npy"
	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

// tensors holds as many bytes of each tensor as it is told.
type tensors map[measure.Tensor]uint64

func (s tensors) TensorBytes(tensor measure.Tensor) (uint64, error) { return s[tensor], nil }

func (s tensors) CopyTensor(tensor measure.Tensor, offset uint64, to []byte) error {
	if offset+uint64(len(to)) > s[tensor] {
		return errors.New("beyond its end")
	}
	for i := range to {
		to[i] = byte(offset + uint64(i))
	}
	return nil
}

// One rank of 3 tokens that received 20,000 rows: more than what is in memory at once.
var bf16Case = &epperfv1.Case{
	Ranks: 1, TokensOfRank: []uint32{3}, Hidden: 128, ExpertsPerRank: 2, Topk: 2, Dtype: epperfv1.Dtype_DTYPE_BF16,
}

func whole() tensors {
	const received = 20_000
	return tensors{
		measure.X: 3 * 256, measure.TopkIdx: 24, measure.TopkWeights: 24, measure.RecvCount: 8,
		measure.RecvX: received * 256, measure.RecvSrc: received * 8, measure.ExpertOut: received * 256, measure.Combined: 3 * 256,
	}
}

func TestTensorsAreWrittenWhole(t *testing.T) {
	folder := t.TempDir()
	if err := dump.Write(folder, bf16Case, 0, whole()); err != nil {
		t.Fatal(err)
	}
	for name, size := range map[string]uint64{"recv_x": 20_000 * 256, "recv_scales": 20_000 * 4, "topk_idx": 24} {
		content, err := os.ReadFile(filepath.Join(folder, "rank0", name+".npy"))
		if err != nil {
			t.Fatal(err)
		}
		array, err := npy.Decode(content)
		if err != nil || uint64(len(array.Data)) != size {
			t.Fatalf("%s: %v, or not of %d bytes", name, err, size)
		}
		for i, got := range array.Data {
			want := byte(i)
			if name == "recv_scales" { // BF16 has none: 1
				want = []byte{0, 0, 0x80, 0x3f}[i%4]
			}
			if got != want {
				t.Fatalf("%s: byte %d is %#x, not %#x", name, i, got, want)
			}
		}
	}
}

func TestATensorOfAnotherSizeIsAnError(t *testing.T) {
	other := whole()
	other[measure.Combined]--
	err := dump.Write(t.TempDir(), bf16Case, 0, other)
	if err == nil || !strings.Contains(err.Error(), "combined.npy: the tensor has 767 bytes for the shape [3 128]") {
		t.Errorf("Write: %v", err)
	}
}

func TestOnlyANewFolderIsTaken(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "a", "b")
	for range 2 { // an empty one is as good as none
		if err := dump.Prepare(folder); err != nil {
			t.Fatal(err)
		}
	}
	plan := &epperfv1.Plan{RunId: "a", Cases: []*epperfv1.Case{bf16Case}}
	if err := dump.Describe(folder, plan); err != nil {
		t.Fatal(err)
	}
	if err := dump.Prepare(folder); !errors.Is(err, dump.ErrNotEmpty) {
		t.Errorf("Prepare of a folder with a dump: %v", err)
	}
	text, err := os.ReadFile(filepath.Join(folder, "dump.json"))
	if err != nil || !bytes.Contains(text, []byte(`"dtype": "bf16"`)) {
		t.Errorf("dump.json: %v\n%s", err, text)
	}
}
