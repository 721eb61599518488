// Package record keeps what a run measured in one file.
//
// A record is a sequence of length-delimited Entry messages (record.proto): the Header first,
// Samples and RankResults in any order, the Trailer last. While it is written its name ends in
// .partial; a record without a trailer is what a run left that did not come to its end.
package record

import (
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"slices"

	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

const (
	// SchemaVersion is the Header's schema_version of records written here, and the newest that
	// is read.
	SchemaVersion = 1
	// MaxEntryBytes bounds one serialised Entry without its length.
	MaxEntryBytes = 4 << 20
)

// A Record is a whole file in memory, its split sample blocks put together again. What it says of
// any rank is checked to fit its plan in form, not in truth.
type Record struct {
	// Path is the file's name as it was given to Read.
	Path   string
	Header *epperfv1.Header
	// Trailer is nil in a record whose run ended without closing it.
	Trailer *epperfv1.Trailer

	ranks map[place]*RankRecord
}

// A RankRecord is what one rank left of one case. The zero RankRecord is that of a rank that left
// nothing.
type RankRecord struct {
	// Passes has the durations of each of the case's passes, in the plan's order, the first of each
	// included. There are fewer than planned if the rank did not come to its end.
	Passes [][]int64
	// Result is nil if the rank never reported one.
	Result *epperfv1.RankResult
}

type place struct{ caseIndex, rank uint32 }

// Incomplete reports whether the run ended without closing its record.
func (r *Record) Incomplete() bool { return r.Trailer == nil }

// Pass returns the durations that the rank left of one of the case's passes; none of a pass that the
// case does not have.
func (r RankRecord) Pass(index int) []int64 {
	if index < 0 || index >= len(r.Passes) {
		return nil
	}
	return r.Passes[index]
}

// Rank returns what one rank left of one case.
func (r *Record) Rank(caseIndex, rank int) RankRecord {
	if kept := r.ranks[place{uint32(caseIndex), uint32(rank)}]; kept != nil {
		return *kept
	}
	return RankRecord{}
}

// Read reads a file. A file that ends too early is an incomplete Record and no error as long as
// its header is there; anything else that a Writer would not have written is a *DamagedError.
func Read(path string) (*Record, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read record: %w", err)
	}
	defer file.Close()
	return ReadFrom(file, path)
}

// ReadFrom is Read of a file that is open; path names it in the Record and in errors. Memory is
// bounded by what source has and by the iterations of its plan.
func ReadFrom(source io.Reader, path string) (*Record, error) {
	record := &Record{Path: path, ranks: map[place]*RankRecord{}}
	reader := NewReader(source)
	for {
		entry, err := reader.Next()
		if err == io.EOF || record.Header != nil && errors.Is(err, io.ErrUnexpectedEOF) {
			break
		}
		if errors.Is(err, io.ErrUnexpectedEOF) {
			err = damaged(0, "the file is no record, or ends within its header")
		}
		if err == nil {
			err = record.add(entry, reader.EntryOffset())
		}
		if err != nil {
			return nil, fmt.Errorf("read record %s: %w", path, err)
		}
	}
	if record.Header == nil {
		return nil, fmt.Errorf("read record %s: %w", path, &DamagedError{0, "the file is empty"})
	}
	return record, nil
}

// add takes in one entry; offset is where it lies, for errors.
func (r *Record) add(entry *epperfv1.Entry, offset int64) error {
	switch kind := entry.GetKind().(type) {
	case *epperfv1.Entry_Header:
		if problem := headerProblem(kind.Header); problem != "" {
			return &DamagedError{offset, problem}
		}
		r.Header = kind.Header
	case *epperfv1.Entry_Samples:
		return r.addSamples(kind.Samples, offset)
	case *epperfv1.Entry_Result:
		kept, err := r.rankRecord("result", kind.Result.GetCaseIndex(), kind.Result.GetRank(), offset)
		if err != nil {
			return err
		}
		if kept.Result != nil {
			return damaged(offset, "a second result of case %d, rank %d", kind.Result.GetCaseIndex(), kind.Result.GetRank())
		}
		kept.Result = kind.Result
	case *epperfv1.Entry_Trailer:
		r.Trailer = kind.Trailer
	}
	return nil // a kind that is newer than this reader says nothing that it could use
}

func (r *Record) addSamples(samples *epperfv1.Samples, offset int64) error {
	index, rank := samples.GetCaseIndex(), samples.GetRank()
	kept, err := r.rankRecord("samples", index, rank, offset)
	if err != nil {
		return err
	}
	c := r.Header.GetPlan().GetCases()[index]
	pass := int(samples.GetPass())
	if pass >= len(c.GetPasses()) {
		return damaged(offset, "samples of pass %d in case %d of %d", pass, index, len(c.GetPasses()))
	}
	if kept.Passes == nil {
		kept.Passes = make([][]int64, len(c.GetPasses()))
	}
	durations := kept.Passes[pass]
	have, more := uint64(len(durations)), uint64(len(samples.GetDurationNs()))
	if samples.GetFirstIteration() != have {
		return damaged(offset, "samples of case %d, rank %d continue at iteration %d instead of %d",
			index, rank, samples.GetFirstIteration(), have)
	}
	if planned := c.Pass(pass).Durations(int(rank)); have+more > planned {
		return damaged(offset, "%d samples of case %d, rank %d for %d iterations", have+more, index, rank, planned)
	}
	for _, duration := range samples.GetDurationNs() {
		if duration > math.MaxInt64 {
			return damaged(offset, "case %d, rank %d took %d ns, which cannot be", index, rank, duration)
		}
		durations = append(durations, int64(duration))
	}
	kept.Passes[pass] = durations
	return nil
}

// rankRecord returns the place to keep what an entry says, once it is in the plan.
func (r *Record) rankRecord(what string, caseIndex, rank uint32, offset int64) (*RankRecord, error) {
	cases := r.Header.GetPlan().GetCases()
	if uint64(caseIndex) >= uint64(len(cases)) {
		return nil, damaged(offset, "%s of case %d in a plan of %d", what, caseIndex, len(cases))
	}
	if ranks := cases[caseIndex].GetRanks(); rank >= ranks {
		return nil, damaged(offset, "%s of rank %d in a case of %d", what, rank, ranks)
	}
	at := place{caseIndex, rank}
	if r.ranks[at] == nil {
		r.ranks[at] = &RankRecord{}
	}
	return r.ranks[at], nil
}

// headerProblem says what a summary could not be made of; "" if nothing.
func headerProblem(header *epperfv1.Header) string {
	switch version := header.GetSchemaVersion(); {
	case version == 0:
		return "the header has no schema version"
	case version > SchemaVersion:
		return fmt.Sprintf("the file's schema version is %d, newer than this program's %d: use a newer one", version, SchemaVersion)
	}
	if len(header.GetPlan().GetCases()) == 0 {
		return "the plan has no cases"
	}
	for i, c := range header.GetPlan().GetCases() {
		switch {
		case c.GetRanks() == 0 || uint64(c.GetRanks()) != uint64(len(c.GetTokensOfRank())):
			return fmt.Sprintf("case %d has %d ranks and the tokens of %d", i, c.GetRanks(), len(c.GetTokensOfRank()))
		case !c.Operates() && slices.ContainsFunc(c.GetPasses(), func(p *epperfv1.Pass) bool { return p.GetOperation() != 0 }):
			return fmt.Sprintf("case %d has passes of operations and no mode", i)
		case len(c.GetPasses()) == 0 && c.GetSoak() == nil:
			return fmt.Sprintf("case %d has no passes: an older program wrote it, or none", i)
		}
	}
	return ""
}
