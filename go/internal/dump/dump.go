// Package dump leaves what ranks sent, received and summed as .npy files, for people who check it
// against a framework of their own. docs/method.md describes the files.
package dump

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"

	"github.com/epperf/epperf/go/internal/measure"
	"github.com/epperf/epperf/go/internal/npy"
	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

// chunkBytes bounds what is in memory of a tensor.
const chunkBytes = 1 << 20

// channelsPerScale share one scale; the last of a row may be fewer.
const channelsPerScale = 128

// ErrNotEmpty says that a folder holds something already.
var ErrNotEmpty = errors.New("is not empty; give a new folder")

// Prepare makes the folder, and returns ErrNotEmpty for one that holds anything: files of two runs
// must not be taken for one.
func Prepare(folder string) error {
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	entries, err := os.ReadDir(folder)
	if err != nil {
		return err
	}
	if len(entries) > 0 {
		return fmt.Errorf("%s %w", folder, ErrNotEmpty)
	}
	return nil
}

// A description is dump.json.
type description struct {
	RunID          string   `json:"run_id"`
	Ranks          uint32   `json:"ranks"`
	TokensOfRank   []uint32 `json:"tokens_of_rank"`
	Hidden         uint32   `json:"hidden"`
	ExpertsPerRank uint32   `json:"experts_per_rank"`
	Topk           uint32   `json:"topk"`
	Dtype          string   `json:"dtype"`
	Combine        string   `json:"combine"`
	Routing        string   `json:"routing"`
	Seed           uint64   `json:"seed"`
}

// Describe writes dump.json: the ranks' folders are whole.
func Describe(folder string, p *epperfv1.Plan) error {
	c := p.GetCases()[0]
	text, err := json.MarshalIndent(description{
		RunID:          p.GetRunId(),
		Ranks:          c.GetRanks(),
		TokensOfRank:   c.GetTokensOfRank(),
		Hidden:         c.GetHidden(),
		ExpertsPerRank: c.GetExpertsPerRank(),
		Topk:           c.GetTopk(),
		Dtype:          epperfv1.Name(c.GetDtype()),
		Combine:        epperfv1.Name(epperfv1.CombineSumOf(c)),
		Routing:        epperfv1.RoutingName(c.GetRouting()),
		Seed:           c.GetSeed(),
	}, "", "  ")
	if err == nil {
		err = os.WriteFile(filepath.Join(folder, "dump.json"), append(text, '\n'), 0o644)
	}
	if err != nil {
		return fmt.Errorf("describe dump: %w", err)
	}
	return nil
}

// Write writes one rank's folder.
func Write(folder string, c *epperfv1.Case, rank int, contents measure.Contents) error {
	folder = filepath.Join(folder, fmt.Sprintf("rank%d", rank))
	if err := os.Mkdir(folder, 0o755); err != nil {
		return err
	}
	countBytes, err := contents.TensorBytes(measure.RecvSrc)
	if err != nil {
		return err
	}
	for _, file := range files(c, rank, int(countBytes/8)) { // a source is two int32
		if err := file.write(folder, contents); err != nil {
			return fmt.Errorf("write %s: %w", filepath.Join(folder, file.name), err)
		}
	}
	return nil
}

// A file is one tensor's.
type file struct {
	name   string
	tensor measure.Tensor
	of     npy.Type
	shape  []int
}

// files lists what a rank writes where it received a number of rows.
func files(c *epperfv1.Case, rank, received int) []file {
	tokens, topk, hidden := int(c.GetTokensOfRank()[rank]), int(c.GetTopk()), int(c.GetHidden())
	row := npy.Uint16 // numpy has no type of its own for BF16, nor for FP8
	if c.GetDtype() == epperfv1.Dtype_DTYPE_FP8 {
		row = npy.Uint8
	}
	return []file{
		{"x.npy", measure.X, npy.Uint16, []int{tokens, hidden}},
		{"topk_idx.npy", measure.TopkIdx, npy.Int32, []int{tokens, topk}},
		{"topk_weights.npy", measure.TopkWeights, npy.Float32, []int{tokens, topk}},
		{"recv_count.npy", measure.RecvCount, npy.Int32, []int{int(c.GetExpertsPerRank())}},
		{"recv_x.npy", measure.RecvX, row, []int{received, hidden}},
		{"recv_scales.npy", measure.RecvScales, npy.Float32, []int{received, (hidden + channelsPerScale - 1) / channelsPerScale}},
		{"recv_src.npy", measure.RecvSrc, npy.Int32, []int{received, 2}},
		{"expert_out.npy", measure.ExpertOut, npy.Uint16, []int{received, hidden}},
		{"combined.npy", measure.Combined, npy.Uint16, []int{tokens, hidden}},
	}
}

func (f file) write(folder string, contents measure.Contents) (err error) {
	bytes, err := contents.TensorBytes(f.tensor)
	if err != nil {
		return err
	}
	need := uint64(f.of.Bytes())
	for _, size := range f.shape {
		need *= uint64(size)
	}
	// BF16 rows come without scales; with scales of 1 readers need not tell the two apart.
	ones := f.tensor == measure.RecvScales && bytes == 0
	if bytes != need && !ones {
		return fmt.Errorf("the tensor has %d bytes for the shape %v of %s", bytes, f.shape, f.of)
	}
	out, err := os.Create(filepath.Join(folder, f.name))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	buffered := bufio.NewWriter(out)
	if err := npy.WriteHeader(buffered, f.of, f.shape...); err != nil {
		return err
	}
	chunk := make([]byte, min(need, chunkBytes))
	for at := uint64(0); at < need; at += uint64(len(chunk)) {
		chunk = chunk[:min(need-at, chunkBytes)]
		if ones {
			fillOnes(chunk)
		} else if err := contents.CopyTensor(f.tensor, at, chunk); err != nil {
			return err
		}
		if _, err := buffered.Write(chunk); err != nil {
			return err
		}
	}
	return buffered.Flush()
}

func fillOnes(chunk []byte) {
	for at := 0; at < len(chunk); at += 4 {
		binary.LittleEndian.PutUint32(chunk[at:], math.Float32bits(1))
	}
}
