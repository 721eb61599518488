package record_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/epperf/epperf/go/internal/record"
	"github.com/epperf/epperf/go/internal/record/recordtest"
	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

// newer is a field that this program does not know.
var newer = protowire.AppendVarint(protowire.AppendTag(nil, 5000, protowire.VarintType), 77)

// partOf returns node's part of a run of two nodes with four ranks each. Node 0 also has the results of
// node 1's ranks, as in a run whose samples are too many to be gathered.
func partOf(node uint32, change func(*recordtest.Run)) *recordtest.Run {
	run := recordtest.Passed(epperfv1.Mode_MODE_E2E)
	run.Header.Plan.RanksPerHost = 4
	run.Header.PartOfNode = &node
	run.Header.Hosts = []*epperfv1.Host{{Name: "node-" + string(rune('a'+node))}}
	run.Samples = run.Samples[4*node : 4*node+4]
	if node > 0 {
		run.Results = run.Results[4:]
	}
	for _, result := range run.Results {
		result.ProtoReflect().SetUnknown(newer)
	}
	run.Header.ProtoReflect().SetUnknown(newer)
	if change != nil {
		change(run)
	}
	return run
}

func TestPartsBecomeOneRecord(t *testing.T) {
	out := filepath.Join(t.TempDir(), "whole.epperf")
	// The order in which they are given is no matter.
	if err := record.Merge(out, []string{partOf(1, nil).Write(t), partOf(0, nil).Write(t)}); err != nil {
		t.Fatal(err)
	}
	whole, err := record.Read(out)
	if err != nil {
		t.Fatal(err)
	}
	if whole.Header.PartOfNode != nil || len(whole.Header.GetHosts()) != 2 || whole.Header.GetHosts()[1].GetName() != "node-b" {
		t.Errorf("header %v", whole.Header)
	}
	if whole.Trailer.GetStatus() != epperfv1.Trailer_STATUS_PASSED {
		t.Errorf("trailer %v", whole.Trailer)
	}
	want := recordtest.Passed(epperfv1.Mode_MODE_E2E)
	for rank := range 8 {
		left := whole.Rank(0, rank)
		if len(left.Pass(0)) != 100 || left.Pass(0)[7] != int64(want.Samples[rank].DurationNs[7]) {
			t.Errorf("rank %d has %d samples", rank, len(left.Pass(0)))
		}
		if string(left.Result.ProtoReflect().GetUnknown()) != string(newer) {
			t.Errorf("rank %d lost a field that is newer than this program", rank)
		}
	}
	if string(whole.Header.ProtoReflect().GetUnknown()) != string(newer) {
		t.Error("the header lost a field that is newer than this program")
	}
}

func TestAPartThatFailedFailsTheWhole(t *testing.T) {
	failed := partOf(1, func(r *recordtest.Run) { r.Status, r.Error = epperfv1.Trailer_STATUS_FAILED, "rank 5: 1 wrong row" })
	for name, test := range map[string]struct {
		path string
		want string
	}{
		"failed":     {failed.Write(t), "rank 5: 1 wrong row"},
		"not closed": {partOf(1, nil).WritePartial(t), "the part of node 1 was not closed"},
	} {
		out := filepath.Join(t.TempDir(), "whole.epperf")
		if err := record.Merge(out, []string{partOf(0, nil).Write(t), test.path}); err != nil {
			t.Fatal(err)
		}
		whole, err := record.Read(out)
		if err != nil || whole.Trailer.GetStatus() != epperfv1.Trailer_STATUS_FAILED || whole.Trailer.GetError() != test.want {
			t.Errorf("%s: %v, %v", name, whole.Trailer, err)
		}
	}
}

func TestWhatIsNoRunIsNotMerged(t *testing.T) {
	zero := partOf(0, nil).Write(t)
	whole := recordtest.Small().Write(t)
	damaged := partOf(1, nil).Write(t)
	content, err := os.ReadFile(damaged)
	if err != nil {
		t.Fatal(err)
	}
	content[len(content)/2] ^= 1
	if err := os.WriteFile(damaged, content, 0o644); err != nil {
		t.Fatal(err)
	}
	other := func(change func(*recordtest.Run)) string { return partOf(1, change).Write(t) }
	for name, test := range map[string]struct {
		paths []string
		want  string
	}{
		"nothing":         {nil, "no parts"},
		"a whole one":     {[]string{whole}, "is no part of a run but the whole"},
		"node 1 missing":  {[]string{zero}, "the part of node 1 is missing"},
		"node 0 missing":  {[]string{other(nil)}, "the part of node 0 is missing"},
		"twice":           {[]string{zero, partOf(0, nil).Write(t)}, "both the part of node 0"},
		"another run":     {[]string{zero, other(func(r *recordtest.Run) { r.Header.Plan.RunId = "other" })}, "of different runs, 0a1b2c3d and other"},
		"another plan":    {[]string{zero, other(func(r *recordtest.Run) { r.Case().Seed = 7 })}, "or of different plans"},
		"another program": {[]string{zero, other(func(r *recordtest.Run) { r.Header.BuildId = "x" })}, "of different programs"},
		"damaged":         {[]string{zero, damaged}, "damaged at byte "},
		"no file":         {[]string{zero, "nowhere"}, "no such file"},
	} {
		t.Run(name, func(t *testing.T) {
			folder := t.TempDir()
			err := record.Merge(filepath.Join(folder, "whole.epperf"), test.paths)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v; want %q", err, test.want)
			}
			if left, _ := os.ReadDir(folder); len(left) > 0 {
				t.Errorf("%s is left", left[0].Name())
			}
		})
	}
}

func TestMergeNeverOverwrites(t *testing.T) {
	there := recordtest.Small().Write(t)
	before, _ := os.ReadFile(there)
	err := record.Merge(there, []string{partOf(0, nil).Write(t), partOf(1, nil).Write(t)})
	after, _ := os.ReadFile(there)
	if !errors.Is(err, os.ErrExist) || string(before) != string(after) {
		t.Errorf("error %v", err)
	}
}
