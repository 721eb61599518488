package record_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/epperf/epperf/go/internal/record"
	"github.com/epperf/epperf/go/internal/record/recordtest"
	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

// interrupted is a sweep of three cases of which the second was under way.
func interrupted() *recordtest.Run {
	run := recordtest.Small()
	run.Header.Plan.RanksPerHost = 2
	for index := range uint32(2) {
		run.Header.Plan.Cases = append(run.Header.Plan.Cases, proto.CloneOf(run.Case()))
		for _, samples := range slices.Clone(run.Samples[:2-index]) {
			more := proto.CloneOf(samples)
			more.CaseIndex = index + 1
			run.Samples = append(run.Samples, more)
		}
	}
	run.Samples = run.Samples[:3] // of the second case one rank's
	run.Status = epperfv1.Trailer_STATUS_INTERRUPTED
	return run
}

func TestARecordGoesOnWhereItWasInterrupted(t *testing.T) {
	for name, write := range map[string]func(*recordtest.Run, testing.TB) string{
		"killed": (*recordtest.Run).WritePartial, "by a signal": (*recordtest.Run).Write,
	} {
		t.Run(name, func(t *testing.T) {
			run := interrupted()
			path := write(run, t)
			u, err := record.OpenUnfinished(path)
			if err != nil {
				t.Fatal(err)
			}
			if u.Done != 1 || len(u.Results) != 2 {
				t.Fatalf("%d cases, %d results are done", u.Done, len(u.Results))
			}
			w, err := u.Continue(7)
			if err != nil {
				t.Fatal(err)
			}
			for index := uint32(1); index < 3; index++ {
				for rank := range uint32(2) {
					if err := w.WriteSamples(&epperfv1.Samples{CaseIndex: index, Rank: rank, DurationNs: []uint64{1, 2, 3}}); err != nil {
						t.Fatal(err)
					}
					if err := w.WriteResult(&epperfv1.RankResult{CaseIndex: index, Rank: rank, Passed: true}); err != nil {
						t.Fatal(err)
					}
				}
			}
			out, err := w.Close(epperfv1.Trailer_STATUS_PASSED, "")
			if err != nil {
				t.Fatal(err)
			}
			files, _ := os.ReadDir(filepath.Dir(path))
			if out != strings.TrimSuffix(path, ".partial") || len(files) != 1 {
				t.Errorf("the record is %s, %d files", out, len(files))
			}
			kept, err := record.Read(out)
			if err != nil {
				t.Fatal(err)
			}
			if got := kept.Rank(0, 1).Pass(0); !slices.Equal(got, []int64{1_001_000, 1_011_000, 1_021_000}) {
				t.Errorf("the case that was done has %v", got)
			}
			if got := kept.Rank(1, 0).Pass(0); !slices.Equal(got, []int64{1, 2, 3}) {
				t.Errorf("the case that was under way has %v", got)
			}
			if !slices.Equal(kept.Header.GetResumedUnixNs(), []int64{7}) {
				t.Errorf("it went on at %v", kept.Header.GetResumedUnixNs())
			}
		})
	}
}

func TestWhatCannotGoOn(t *testing.T) {
	ended := recordtest.Small()
	part := interrupted()
	part.Header.PartOfNode = new(uint32(1))
	for want, path := range map[string]string{
		"all of its cases came to their end": ended.Write(t),
		"it is the part of node 1":           part.Write(t),
		"no such file":                       filepath.Join(t.TempDir(), "none"),
	} {
		if _, err := record.OpenUnfinished(path); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v; want %q", err, want)
		}
	}
}

// Two processes do not go on with one record, nor one with what another is writing.
func TestARecordIsWrittenByOne(t *testing.T) {
	path := interrupted().Write(t)
	u, err := record.OpenUnfinished(path)
	if err != nil {
		t.Fatal(err)
	}
	again := func() error {
		other, err := record.OpenUnfinished(path)
		if err == nil {
			other.Close()
		}
		return err
	}
	if err := again(); err == nil || !strings.Contains(err.Error(), "some process still writes it") {
		t.Errorf("error %v", err)
	}
	u.Close()
	if err := again(); err != nil {
		t.Error(err)
	}
	w, err := record.Create(t.TempDir(), interrupted().Header)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := record.OpenUnfinished(w.Path()); err == nil || !strings.Contains(err.Error(), "some process still writes it") {
		t.Errorf("a record that is being written: error %v", err)
	}
	if _, err := w.Close(epperfv1.Trailer_STATUS_FAILED, ""); err != nil {
		t.Fatal(err)
	}
}
