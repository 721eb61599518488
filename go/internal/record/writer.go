package record

import (
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"syscall"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/epperf/epperf/go/internal/samples"
	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

const (
	extension = ".epperf"
	partial   = ".partial"

	// maxDurations bounds the durations of one entry. A varint has at most 10 bytes, so this many
	// have 2.5 MiB.
	maxDurations = 256 << 10
)

// A Writer writes one record. It is for one goroutine at a time.
type Writer struct {
	file    file
	header  *epperfv1.Header // as written
	path    string           // of the closed record
	crc     uint32           // of all bytes written
	entries uint64
	err     error // the first that a write or Close met; nothing is written after it
	closed  bool
	moments []*epperfv1.Moment // for the trailer
}

// file is the part of os.File that a Writer needs.
type file interface {
	io.WriteCloser
	io.Seeker
	Truncate(size int64) error
	Sync() error
}

// Create makes the folder if need be and in it <UTC>-<mode>-<run id>.epperf.partial, or for a part
// <UTC>-<mode>-<run id>-node<n>.epperf.partial, with the header. It fills in the header's schema version. It never overwrites a file.
func Create(dir string, header *epperfv1.Header) (*Writer, error) {
	name, err := fileName(header)
	if err != nil {
		return nil, fmt.Errorf("create record: %w", err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("create record: %w; choose another folder with --output", err)
	}
	path := filepath.Join(dir, name)
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("create record: %s: %w", path, fs.ErrExist)
	}
	opened, err := os.OpenFile(path+partial, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return nil, fmt.Errorf("create record: %w; choose another folder with --output", err)
	}
	lockFile(opened) // nobody goes on with a record while it is written
	w := &Writer{file: opened, path: path}
	if err := w.writeHeader(header); err != nil {
		opened.Close()
		os.Remove(path + partial) // it holds nothing
		return nil, err
	}
	return w, nil
}

// runIDs are those that can be part of a file's name.
var runIDs = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)

func fileName(header *epperfv1.Header) (string, error) {
	runPlan := header.GetPlan()
	if !runIDs.MatchString(runPlan.GetRunId()) {
		return "", fmt.Errorf("run id %q cannot be part of a file's name", runPlan.GetRunId())
	}
	if len(runPlan.GetCases()) == 0 {
		return "", errors.New("the plan has no cases")
	}
	started := time.Unix(0, header.GetStartedUnixNs()).UTC().Format("20060102T150405Z")
	mode := runPlan.GetCases()[0].ModeName()
	part := ""
	if header.PartOfNode != nil {
		part = fmt.Sprintf("-node%d", header.GetPartOfNode()) // parts may share a folder
	}
	return fmt.Sprintf("%s-%s-%s%s%s", started, mode, runPlan.GetRunId(), part, extension), nil
}

// Path returns where the record is now: its partial name until Close succeeds.
func (w *Writer) Path() string {
	if w.closed && w.err == nil {
		return w.path
	}
	return w.path + partial
}

func (w *Writer) writeHeader(header *epperfv1.Header) error {
	w.header = proto.CloneOf(header)
	w.header.SchemaVersion = SchemaVersion
	return w.write(&epperfv1.Entry{Kind: &epperfv1.Entry_Header{Header: w.header}})
}

// SetHosts replaces the hosts of the header, of which a run of several launchers knows only its
// own at first. Nothing but the header may have been written.
func (w *Writer) SetHosts(hosts []*epperfv1.Host) error {
	if w.err != nil {
		return w.err
	}
	if w.entries != 1 || w.closed {
		return w.keep(fmt.Errorf("hosts after %d entries", w.entries))
	}
	w.header.Hosts = hosts
	if _, err := w.file.Seek(0, io.SeekStart); err != nil {
		return w.keep(err)
	}
	if err := w.file.Truncate(0); err != nil {
		return w.keep(err)
	}
	w.entries, w.crc = 0, 0
	return w.writeHeader(w.header)
}

// WriteSamples writes durations of a pass, in several entries if they are many. Those of a rank are
// written in their order.
func (w *Writer) WriteSamples(of *epperfv1.Samples) error {
	for part := range samples.Split(of, maxDurations) {
		if err := w.write(&epperfv1.Entry{Kind: &epperfv1.Entry_Samples{Samples: part}}); err != nil {
			return err
		}
	}
	return nil
}

// WriteResult writes how one rank ended one case.
func (w *Writer) WriteResult(result *epperfv1.RankResult) error {
	return w.write(&epperfv1.Entry{Kind: &epperfv1.Entry_Result{Result: result}})
}

// Note keeps a moment for the trailer.
func (w *Writer) Note(moment *epperfv1.Moment) { w.moments = append(w.moments, moment) }

// Close writes the trailer, makes sure that everything is on the disk, and gives the file its
// final name, which it returns. After an error the path is the partial file's, which keeps what
// was written before.
func (w *Writer) Close(status epperfv1.Trailer_Status, failure string) (path string, err error) {
	if w.closed {
		return w.Path(), w.err
	}
	w.closed = true
	trailer := &epperfv1.Trailer{Status: status, Error: failure, Entries: w.entries, Crc32C: w.crc, Moments: w.moments}
	w.write(&epperfv1.Entry{Kind: &epperfv1.Entry_Trailer{Trailer: trailer}}) // kept in w.err
	w.keep(w.file.Sync())
	w.keep(w.file.Close())
	if w.err == nil {
		w.keep(os.Rename(w.path+partial, w.path))
	}
	if w.err == nil {
		w.keep(syncDir(filepath.Dir(w.path)))
	}
	return w.Path(), w.err
}

// write appends one entry in a single write.
func (w *Writer) write(entry *epperfv1.Entry) error {
	if w.err != nil {
		return w.err
	}
	message, err := proto.MarshalOptions{Deterministic: true}.Marshal(entry)
	if err != nil {
		return w.keep(err)
	}
	if len(message) > MaxEntryBytes {
		return w.keep(fmt.Errorf("an entry of %d bytes, more than %d", len(message), MaxEntryBytes))
	}
	framed := append(protowire.AppendVarint(nil, uint64(len(message))), message...)
	if _, err := w.file.Write(framed); err != nil {
		return w.keep(err)
	}
	w.entries++
	w.crc = crc32.Update(w.crc, checksumTable, framed)
	return nil
}

// keep makes err, unless it is nil, the one that the Writer has met if it is the first.
func (w *Writer) keep(err error) error {
	if err == nil || w.err != nil {
		return w.err
	}
	advice := ""
	switch {
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		advice = "; free some space there or choose another folder with --output"
	case errors.Is(err, syscall.EFBIG):
		advice = "; raise the limit of a file's size, ulimit -f"
	}
	w.err = fmt.Errorf("write record %s: %w (what was written before is kept there%s)", w.path+partial, err, advice)
	return w.err
}

// syncDir makes a rename in dir last.
func syncDir(dir string) error {
	opened, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(opened.Sync(), opened.Close())
}
