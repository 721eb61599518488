package record_test

import (
	"bytes"
	"errors"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/encoding/protodelim"

	"github.com/epperf/epperf/go/internal/record"
	"github.com/epperf/epperf/go/internal/record/recordtest"
	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

func TestARecordIsPartialUntilItIsClosed(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new", "folder")
	w, err := record.Create(dir, recordtest.Passed(epperfv1.Mode_MODE_COMBINE).Header)
	if err != nil {
		t.Fatal(err)
	}
	const name = "20270115T080000Z-combine-0a1b2c3d.epperf"
	if diff := cmp.Diff([]string{name + ".partial"}, namesIn(t, dir)); diff != "" {
		t.Errorf("before Close (-want +got):\n%s", diff)
	}
	path, err := w.Close(epperfv1.Trailer_STATUS_PASSED, "")
	if err != nil || path != filepath.Join(dir, name) || w.Path() != path {
		t.Errorf("Close = %s, %v, Path = %s; want %s", path, err, w.Path(), filepath.Join(dir, name))
	}
	if diff := cmp.Diff([]string{name}, namesIn(t, dir)); diff != "" {
		t.Errorf("after Close (-want +got):\n%s", diff)
	}
}

func TestCreateOverwritesNothing(t *testing.T) {
	header := recordtest.Passed(epperfv1.Mode_MODE_E2E).Header
	dir := t.TempDir()
	w, err := record.Create(dir, header)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := record.Create(dir, header); !errors.Is(err, fs.ErrExist) {
		t.Errorf("Create beside a partial record: %v; want %v", err, fs.ErrExist)
	}
	if _, err := w.Close(epperfv1.Trailer_STATUS_PASSED, ""); err != nil {
		t.Fatal(err)
	}
	if _, err := record.Create(dir, header); !errors.Is(err, fs.ErrExist) {
		t.Errorf("Create beside a closed record: %v; want %v", err, fs.ErrExist)
	}
}

func TestCreateRefusesWhatNamesNoFile(t *testing.T) {
	for name, change := range map[string]func(*epperfv1.Plan){
		"a path":    func(p *epperfv1.Plan) { p.RunId = "../etc/x" },
		"no run id": func(p *epperfv1.Plan) { p.RunId = "" },
		"no cases":  func(p *epperfv1.Plan) { p.Cases = nil },
	} {
		t.Run(name, func(t *testing.T) {
			header := recordtest.Passed(epperfv1.Mode_MODE_E2E).Header
			change(header.Plan)
			dir := t.TempDir()
			if w, err := record.Create(dir, header); err == nil {
				t.Errorf("Create made %s", w.Path())
			}
			if names := namesIn(t, dir); len(names) > 0 {
				t.Errorf("Create left %v", names)
			}
		})
	}
}

// Other programs read records with what protobuf libraries offer.
func TestARecordIsDelimitedMessages(t *testing.T) {
	content, err := os.ReadFile(recordtest.Passed(epperfv1.Mode_MODE_E2E).Write(t))
	if err != nil {
		t.Fatal(err)
	}
	source := bytes.NewReader(content)
	entries, kinds := 0, ""
	var last *epperfv1.Entry
	for source.Len() > 0 {
		last = &epperfv1.Entry{}
		if err := protodelim.UnmarshalFrom(source, last); err != nil {
			t.Fatalf("entry %d: %v", entries, err)
		}
		entries++
		kinds += string(last.ProtoReflect().WhichOneof(last.ProtoReflect().Descriptor().Oneofs().Get(0)).Name()[0])
	}
	if want := "h" + strings.Repeat("s", 8) + strings.Repeat("r", 8) + "t"; kinds != want {
		t.Errorf("entries begin with %s; want %s", kinds, want)
	}
	if got := last.GetTrailer().GetEntries(); got != uint64(entries-1) {
		t.Errorf("the trailer counts %d entries; want %d", got, entries-1)
	}
}

func TestALongBlockIsSplitAndPutTogetherAgain(t *testing.T) {
	run := recordtest.Passed(epperfv1.Mode_MODE_DISPATCH)
	run.Case().Passes[0].Count = 2*record.MaxDurations + 5
	long := make([]uint64, run.Case().Iterations())
	for i := range long {
		long[i] = math.MaxInt64 - uint64(i) // as long as a varint gets
	}
	run.Samples = []*epperfv1.Samples{{Rank: 3, FirstEpoch: 7, DurationNs: long}}
	kept, err := record.Read(run.Write(t))
	if err != nil {
		t.Fatal(err)
	}
	got := kept.Rank(0, 3).Pass(0)
	if !slices.EqualFunc(got, long, func(a int64, b uint64) bool { return uint64(a) == b }) {
		t.Errorf("%d durations came back other than the %d written", len(got), len(long))
	}
}

// A fullDisk takes so many bytes and no more.
type fullDisk struct {
	bytes.Buffer
	free int
	full error
}

func (d *fullDisk) Write(p []byte) (int, error) {
	n := min(len(p), d.free)
	d.free -= n
	d.Buffer.Write(p[:n])
	if n < len(p) {
		return n, d.full
	}
	return n, nil
}

func (d *fullDisk) Sync() error  { return nil }
func (d *fullDisk) Close() error { return nil }

func (d *fullDisk) Seek(int64, int) (int64, error) { return 0, nil }
func (d *fullDisk) Truncate(int64) error           { return nil }

func TestAFullDiskKeepsWhatWasMeasured(t *testing.T) {
	for full, want := range map[error]string{
		syscall.ENOSPC: "write record results/x.epperf.partial: no space left on device (what was written before is kept there; " +
			"free some space there or choose another folder with --output)",
		syscall.EFBIG: "write record results/x.epperf.partial: file too large (what was written before is kept there; " +
			"raise the limit of a file's size, ulimit -f)",
	} {
		t.Run(full.Error(), func(t *testing.T) { keepsWhatWasMeasured(t, full, want) })
	}
}

func keepsWhatWasMeasured(t *testing.T, full error, want string) {
	run := recordtest.Passed(epperfv1.Mode_MODE_E2E)
	disk := &fullDisk{free: 800, full: full} // room for the header and two of the blocks
	w, err := record.NewWriterTo(disk, "results/x.epperf", run.Header)
	if err != nil {
		t.Fatal(err)
	}
	for _, samples := range run.Samples {
		err = w.WriteSamples(samples)
	}
	if !errors.Is(err, full) {
		t.Fatalf("WriteSamples: %v; want %v", err, full)
	}
	path, err := w.Close(epperfv1.Trailer_STATUS_PASSED, "")
	if err == nil || err.Error() != want || path != "results/x.epperf.partial" {
		t.Errorf("Close = %s, %v; want the partial path and\n%s", path, err, want)
	}

	saved := filepath.Join(t.TempDir(), "x.epperf.partial")
	if err := os.WriteFile(saved, disk.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	kept, err := record.Read(saved)
	if err != nil {
		t.Fatal(err)
	}
	if !kept.Incomplete() || len(kept.Rank(0, 0).Pass(0)) != 100 {
		t.Errorf("incomplete = %t with %d samples of rank 0; want true and 100", kept.Incomplete(), len(kept.Rank(0, 0).Pass(0)))
	}
}

func namesIn(t *testing.T, dir string) []string {
	t.Helper()
	found, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, entry := range found {
		names = append(names, entry.Name())
	}
	return names
}
