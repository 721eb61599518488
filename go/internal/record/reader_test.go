package record_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protodelim"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/epperf/epperf/go/internal/record"
	"github.com/epperf/epperf/go/internal/record/recordtest"
	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

func TestReadReturnsWhatWasWritten(t *testing.T) {
	run := recordtest.Passed(epperfv1.Mode_MODE_E2E)
	run.Status, run.Error = epperfv1.Trailer_STATUS_FAILED, "why"
	kept, err := record.Read(run.Write(t))
	if err != nil {
		t.Fatal(err)
	}
	if kept.Incomplete() || kept.Trailer.GetStatus() != run.Status || kept.Trailer.GetError() != "why" {
		t.Errorf("trailer = %v", kept.Trailer)
	}
	if kept.Header.GetSchemaVersion() != record.SchemaVersion || kept.Header.GetPlan().GetRunId() != "0a1b2c3d" {
		t.Errorf("header = %v", kept.Header)
	}
	rank := kept.Rank(0, 7)
	if len(rank.Pass(0)) != 100 || rank.Pass(0)[99] != 1_997_000 || rank.Result.GetTraffic().GetRankRows() != 697 {
		t.Errorf("rank 7 = %v", rank)
	}
	if nobody := kept.Rank(1, 0); nobody.Result != nil || nobody.Pass(0) != nil {
		t.Errorf("a rank that left nothing = %v", nobody)
	}
}

// Wherever a crash cuts a file off, what came before can be read.
func TestACutFileIsIncomplete(t *testing.T) {
	whole, err := os.ReadFile(recordtest.Small().Write(t))
	if err != nil {
		t.Fatal(err)
	}
	headerBytes := entryEnds(t, whole)[0]
	for size := range whole {
		kept, err := record.Read(save(t, whole[:size]))
		switch {
		case size < headerBytes && err == nil:
			t.Errorf("%d bytes: no error without a whole header of %d", size, headerBytes)
		case size >= headerBytes && err != nil:
			t.Errorf("%d bytes: %v", size, err)
		case size >= headerBytes && !kept.Incomplete():
			t.Errorf("%d of %d bytes are a complete record", size, len(whole))
		}
	}
}

// The checksum finds a changed bit wherever it is, and the error says where to look.
func TestAnyChangedByteIsFound(t *testing.T) {
	whole, err := os.ReadFile(recordtest.Small().Write(t))
	if err != nil {
		t.Fatal(err)
	}
	trailer := entryEnds(t, whole)[len(entryEnds(t, whole))-2]
	for at := range trailer {
		changed := bytes.Clone(whole)
		changed[at] ^= 1
		kept, err := record.Read(save(t, changed))
		if err == nil && !kept.Incomplete() {
			t.Errorf("byte %d of %d changed: the record was read as complete", at, len(whole))
		}
	}
}

func TestDamageIsNamedWithItsPlace(t *testing.T) {
	header := func(change func(*epperfv1.Header)) *epperfv1.Entry {
		h := recordtest.Small().Header
		h.SchemaVersion = record.SchemaVersion
		change(h)
		return &epperfv1.Entry{Kind: &epperfv1.Entry_Header{Header: h}}
	}
	good := header(func(*epperfv1.Header) {})
	goodBytes := int64(len(entries(t, good)))
	samples := func(s *epperfv1.Samples) *epperfv1.Entry {
		return &epperfv1.Entry{Kind: &epperfv1.Entry_Samples{Samples: s}}
	}
	result := func(r *epperfv1.RankResult) *epperfv1.Entry {
		return &epperfv1.Entry{Kind: &epperfv1.Entry_Result{Result: r}}
	}
	trailer := &epperfv1.Entry{Kind: &epperfv1.Entry_Trailer{Trailer: &epperfv1.Trailer{Entries: 5}}}
	for name, test := range map[string]struct {
		content    []byte
		wantOffset int64
		wantText   string
	}{
		"empty":                {nil, 0, "empty"},
		"text":                 {[]byte("#!/bin/sh\necho this is a script that is no record at all\n"), 0, "not an entry"},
		"no header":            {entries(t, samples(&epperfv1.Samples{})), 0, "begin with a header"},
		"two headers":          {entries(t, good, good), goodBytes, "second header"},
		"no schema version":    {entries(t, header(func(h *epperfv1.Header) { h.SchemaVersion = 0 })), 0, "no schema version"},
		"a newer schema":       {entries(t, header(func(h *epperfv1.Header) { h.SchemaVersion = 2 })), 0, "use a newer one"},
		"no plan":              {entries(t, header(func(h *epperfv1.Header) { h.Plan = nil })), 0, "no cases"},
		"ranks from nowhere":   {entries(t, header(func(h *epperfv1.Header) { h.Plan.Cases[0].Ranks = 1 << 31 })), 0, "tokens of 2"},
		"no mode":              {entries(t, header(func(h *epperfv1.Header) { h.Plan.Cases[0].Mode = 0 })), 0, "no mode"},
		"a case too many":      {entries(t, good, result(&epperfv1.RankResult{CaseIndex: 1})), goodBytes, "case 1 in a plan of 1"},
		"a rank too many":      {entries(t, good, samples(&epperfv1.Samples{Rank: 2})), goodBytes, "rank 2 in a case of 2"},
		"a gap":                {entries(t, good, samples(&epperfv1.Samples{FirstIteration: 1})), goodBytes, "at iteration 1 instead of 0"},
		"too many samples":     {entries(t, good, samples(&epperfv1.Samples{DurationNs: []uint64{1, 2, 3, 4}})), goodBytes, "4 samples"},
		"an endless duration":  {entries(t, good, samples(&epperfv1.Samples{DurationNs: []uint64{1 << 63}})), goodBytes, "cannot be"},
		"two results":          {entries(t, good, result(&epperfv1.RankResult{}), result(&epperfv1.RankResult{})), goodBytes + 3, "second result"},
		"a wrong count":        {entries(t, good, trailer), goodBytes, "counts 5 entries, there are 1"},
		"a length of 2^63":     {append(entries(t, good), protowire.AppendVarint(nil, 1<<63)...), goodBytes, "more than 4194304"},
		"a length of 5 MiB":    {append(entries(t, good), protowire.AppendVarint(nil, 5<<20)...), goodBytes, "more than 4194304"},
		"an entry of nonsense": {append(entries(t, good), 2, 0xff, 0xff), goodBytes, "not an entry"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := record.Read(save(t, test.content))
			var damage *record.DamagedError
			if !errors.As(err, &damage) {
				t.Fatalf("Read: %v; want a DamagedError", err)
			}
			if damage.Offset != test.wantOffset || !strings.Contains(damage.Problem, test.wantText) {
				t.Errorf("damage at byte %d: %s; want %d and %q", damage.Offset, damage.Problem, test.wantOffset, test.wantText)
			}
		})
	}
}

func TestNothingFollowsTheTrailer(t *testing.T) {
	path := recordtest.Small().Write(t)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	_, err = record.Read(save(t, append(whole, 0)))
	if want := fmt.Sprintf("damaged at byte %d: something follows the trailer", len(whole)); err == nil || !strings.HasSuffix(err.Error(), want) {
		t.Errorf("Read: %v; want …%s", err, want)
	}
}

// A length that the file only claims costs no memory.
func TestAClaimedLengthIsNotAllocated(t *testing.T) {
	claim := protowire.AppendVarint(nil, record.MaxEntryBytes)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err := record.NewReader(bytes.NewReader(claim)).Next()
	runtime.ReadMemStats(&after)
	if !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("Next: %v; want %v", err, io.ErrUnexpectedEOF)
	}
	if allocated := after.TotalAlloc - before.TotalAlloc; allocated > record.MaxEntryBytes/4 {
		t.Errorf("%d bytes were allocated for an entry that is not there", allocated)
	}
}

// Fields and kinds of entries that a newer version writes pass through this one.
func TestNewerFieldsSurvive(t *testing.T) {
	newer := protowire.AppendTag(nil, 1000, protowire.BytesType)
	newer = protowire.AppendString(newer, "from the future")
	run := recordtest.Small()
	run.Header.ProtoReflect().SetUnknown(newer)
	run.Results[0].ProtoReflect().SetUnknown(newer)
	whole, err := os.ReadFile(run.WritePartial(t))
	if err != nil {
		t.Fatal(err)
	}
	kind := &epperfv1.Entry{}
	kind.ProtoReflect().SetUnknown(newer)
	whole = append(whole, entries(t, kind)...)

	if _, err := record.Read(save(t, whole)); err != nil {
		t.Errorf("Read: %v", err)
	}
	reader := record.NewReader(bytes.NewReader(whole))
	var again []byte
	for {
		entry, err := reader.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		again = append(again, entries(t, entry)...)
	}
	if !bytes.Equal(whole, again) {
		t.Error("entries that were read and written again are other bytes")
	}
}

// entries serialises entries as a record has them, without a trailer of its own.
func entries(t testing.TB, all ...*epperfv1.Entry) []byte {
	t.Helper()
	var content bytes.Buffer
	for _, entry := range all {
		if _, err := protodelim.MarshalTo(&content, entry); err != nil {
			t.Fatal(err)
		}
	}
	return content.Bytes()
}

// entryEnds returns the offset after each entry.
func entryEnds(t *testing.T, content []byte) []int {
	t.Helper()
	var ends []int
	for end := 0; end < len(content); {
		_, n := protowire.ConsumeBytes(content[end:])
		if n < 0 {
			t.Fatal(protowire.ParseError(n))
		}
		end += n
		ends = append(ends, end)
	}
	return ends
}

func save(t testing.TB, content []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "x.epperf")
	if err := os.WriteFile(path, content, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}
