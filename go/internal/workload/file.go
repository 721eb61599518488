package workload

import (
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/epperf/epperf/go/internal/npy"
	"github.com/epperf/epperf/go/internal/plan"
	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

// readFile takes the ids from a file. It trusts nothing in it: a wrong id would be found late, by
// another rank, or not at all.
func (r *Routing) readFile(file *epperfv1.RoutingFile, tokensOfRank []uint32) error {
	bad := func(format string, args ...any) error {
		return &plan.UsageError{Flag: "routing", Value: "file:" + file.GetPath(), Problem: fmt.Sprintf(format, args...)}
	}
	content, err := plan.ReadRoutingFile(file.GetPath())
	if err != nil {
		return bad("%v", err)
	}
	if !plan.SameRoutingFile(file, content) {
		return bad("is not the file that the run was planned with (SHA-256 %x); do all hosts have the same one?", file.GetSha256())
	}
	array, err := npy.Decode(content)
	if err != nil {
		return bad("%v", err)
	}
	if array.Type != npy.Int32 && array.Type != npy.Int64 {
		return bad("has numbers of type %q; save them as int32 or int64", array.Type)
	}
	if want := []int{r.ranks * r.tokens, r.topk}; !slices.Equal(array.Shape, want) {
		return bad("has the shape %v; %d ranks of %d tokens with %d experts each need %v", array.Shape, r.ranks, r.tokens, r.topk, want)
	}
	for i := range r.ids {
		row, column := i/r.topk, i%r.topk
		rank, token := row/r.tokens, row%r.tokens
		id := number(array, i)
		switch {
		case id == unselected:
			continue
		case id < 0 || id >= int64(r.experts):
			return bad("row %d (rank %d, token %d), column %d: %d is neither -1 nor an expert, 0 to %d",
				row, rank, token, column, id, r.experts-1)
		case token >= int(tokensOfRank[rank]):
			return bad("row %d (rank %d, token %d), column %d: %d, but this rank has %d tokens; rows beyond them hold -1",
				row, rank, token, column, id, tokensOfRank[rank])
		case slices.Contains(r.ids[row*r.topk:i], int32(id)):
			return bad("row %d (rank %d, token %d), column %d: %d stands there twice; a token selects an expert once",
				row, rank, token, column, id)
		}
		r.ids[i] = int32(id)
	}
	return nil
}

func number(array *npy.Array, i int) int64 {
	if array.Type == npy.Int32 {
		return int64(int32(binary.LittleEndian.Uint32(array.Data[4*i:])))
	}
	return int64(binary.LittleEndian.Uint64(array.Data[8*i:]))
}
