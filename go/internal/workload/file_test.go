package workload_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/epperf/epperf/go/internal/npy"
	"github.com/epperf/epperf/go/internal/plan"
	"github.com/epperf/epperf/go/internal/workload"
	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

// Two ranks of 2 and 1 tokens, six experts, three choices.
var good = []int64{
	0, 5, 3,
	-1, 2, -1,
	-1, -1, -1,
	-1, -1, -1,
}

// fromFile returns a case whose routing is a file of these bytes.
func fromFile(t *testing.T, content []byte) *epperfv1.Case {
	t.Helper()
	path := filepath.Join(t.TempDir(), "ids.npy")
	if err := os.WriteFile(path, content, 0o644); err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(content)
	return uniform(func(c *epperfv1.Case) {
		c.TokensOfRank = []uint32{2, 1}
		c.Routing = &epperfv1.Routing{
			Kind: epperfv1.Routing_KIND_FILE,
			File: &epperfv1.RoutingFile{Path: path, Sha256: sum[:]},
		}
	})
}

func encode(t *testing.T, of npy.Type, shape []int, ids []int64) []byte {
	t.Helper()
	var content bytes.Buffer
	if err := npy.WriteHeader(&content, of, shape...); err != nil {
		t.Fatal(err)
	}
	for _, id := range ids {
		content.Write(binary.LittleEndian.AppendUint64(nil, uint64(id))[:of.Bytes()])
	}
	return content.Bytes()
}

func TestIDsOfAFile(t *testing.T) {
	for _, of := range []npy.Type{npy.Int32, npy.Int64} {
		routing := route(t, fromFile(t, encode(t, of, []int{4, 3}, good)))
		want := []int32{0, 5, 3, -1, 2, -1, -1, -1, -1, -1, -1, -1}
		if diff := cmp.Diff(want, routing.IDs()); diff != "" {
			t.Errorf("ids of %s (-want +got):\n%s", of, diff)
		}
		if a, b := routing.ReceivedSelections(0), routing.ReceivedSelections(1); a != 2 || b != 2 {
			t.Errorf("ranks receive %d and %d selections, not 2 and 2", a, b)
		}
		weights := routing.Weights(0, 0)
		if weights[3] != 0 || weights[4] != 1 || weights[5] != 0 {
			t.Errorf("weights of a token with one selection are %v", weights[3:6])
		}
		if diff := cmp.Diff(make([]float32, 6), routing.Weights(1, 0)); diff != "" {
			t.Errorf("weights of a rank without selections (-want +got):\n%s", diff)
		}
	}
}

func TestAFileThatIsNoRoutingIsOneClearError(t *testing.T) {
	with := func(i int, id int64) []int64 {
		ids := append([]int64{}, good...)
		ids[i] = id
		return ids
	}
	for name, test := range map[string]struct {
		content []byte
		want    string
	}{
		"an expert beyond the last": {encode(t, npy.Int32, []int{4, 3}, with(4, 6)), "row 1 (rank 0, token 1), column 1: 6 is neither -1 nor an expert, 0 to 5"},
		"less than -1":              {encode(t, npy.Int64, []int{4, 3}, with(6, -2)), "row 2 (rank 1, token 0), column 0: -2 is neither"},
		"beyond 32 bits":            {encode(t, npy.Int64, []int{4, 3}, with(0, 1<<32)), "row 0 (rank 0, token 0), column 0: 4294967296 is neither"},
		"an expert twice":           {encode(t, npy.Int32, []int{4, 3}, with(2, 0)), "row 0 (rank 0, token 0), column 2: 0 stands there twice"},
		"a token too many":          {encode(t, npy.Int32, []int{4, 3}, with(11, 4)), "row 3 (rank 1, token 1), column 2: 4, but this rank has 1 tokens"},
		"another shape":             {encode(t, npy.Int32, []int{3, 4}, good), "has the shape [3 4]; 2 ranks of 2 tokens with 3 experts each need [4 3]"},
		"a vector":                  {encode(t, npy.Int32, []int{12}, good), "has the shape [12]"},
		"numbers of another type":   {encode(t, npy.Uint16, []int{4, 3}, good), `numbers of type "<u2"`},
		"columns first":             {bytes.Replace(encode(t, npy.Int32, []int{4, 3}, good), []byte("False"), []byte("True "), 1), "column-major"},
		"cut":                       {encode(t, npy.Int32, []int{4, 3}, good[:11]), "44 bytes of numbers"},
		"empty":                     {nil, "no .npy file"},
	} {
		t.Run(name, func(t *testing.T) {
			c := fromFile(t, test.content)
			_, err := workload.New(c)
			var usage *plan.UsageError
			if !errors.As(err, &usage) || usage.Flag != "routing" {
				t.Fatalf("New: %v; want a UsageError of --routing", err)
			}
			if !strings.HasPrefix(err.Error(), "--routing=file:"+c.GetRouting().GetFile().GetPath()+": ") || !strings.Contains(err.Error(), test.want) {
				t.Errorf("New: %v; want %q", err, test.want)
			}
		})
	}
}

func TestAFileThatChangedIsRefused(t *testing.T) {
	c := fromFile(t, encode(t, npy.Int32, []int{4, 3}, good))
	path := c.GetRouting().GetFile().GetPath()
	if err := os.WriteFile(path, encode(t, npy.Int64, []int{4, 3}, good), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := workload.New(c); err == nil || !strings.Contains(err.Error(), "is not the file that the run was planned with") {
		t.Errorf("New: %v", err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if _, err := workload.New(c); err == nil || !strings.Contains(err.Error(), "no such file") {
		t.Errorf("New: %v", err)
	}
}
