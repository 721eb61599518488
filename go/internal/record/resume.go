package record

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"google.golang.org/protobuf/proto"

	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

// An Unfinished is the record of a run that did not come to its end, and that nobody else writes as long
// as it is open. Of several launchers it is node 0's.
type Unfinished struct {
	Path   string
	Header *epperfv1.Header
	// Done is how many cases, the first of the plan, all ranks ended, whether they passed or not.
	Done int
	// Results are those of these cases.
	Results []*epperfv1.RankResult

	lock *os.File
}

// OpenUnfinished reads a record that can be gone on with. One that came to its end, that is a part, or
// that some process still writes is an error.
func OpenUnfinished(path string) (_ *Unfinished, err error) {
	lock, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return nil, fmt.Errorf("go on with record: %w", err)
	}
	defer func() {
		if err != nil {
			lock.Close()
		}
	}()
	if !lockFile(lock) {
		return nil, fmt.Errorf("go on with record %s: some process still writes it", path)
	}
	kept, err := ReadFrom(lock, path)
	if err != nil {
		return nil, err
	}
	cases := kept.Header.GetPlan().GetCases()
	u := &Unfinished{Path: path, Header: kept.Header, lock: lock}
	for u.Done < len(cases) && kept.ended(u.Done) {
		for rank := range int(cases[u.Done].GetRanks()) {
			u.Results = append(u.Results, kept.Rank(u.Done, rank).Result)
		}
		u.Done++
	}
	switch {
	case u.Done == len(cases):
		return nil, fmt.Errorf("go on with record %s: all of its cases came to their end", path)
	case kept.Header.PartOfNode != nil:
		return nil, fmt.Errorf("go on with record %s: it is the part of node %d, and not all launchers' record", path, kept.Header.GetPartOfNode())
	}
	return u, nil
}

// ended reports whether all ranks of a case did all that they had to.
func (r *Record) ended(index int) bool {
	c := r.Header.GetPlan().GetCases()[index]
	if c.GetSoak() != nil {
		return false
	}
	for rank := range int(c.GetRanks()) {
		left := r.Rank(index, rank)
		if left.Result == nil {
			return false
		}
		for pass, of := range c.GetPasses() {
			if uint64(len(left.Pass(pass))) != of.Durations(rank) {
				return false
			}
		}
	}
	return true
}

// Continue returns a writer behind the cases that are done, of a run that goes on at this time. What was
// measured stays where it is until a file that has it is whole; a closed record stays until the new one
// is closed.
func (u *Unfinished) Continue(unixNS int64) (_ *Writer, err error) {
	if _, err := u.lock.Seek(0, io.SeekStart); err != nil {
		return nil, fmt.Errorf("go on with record %s: %w", u.Path, err)
	}
	file, err := os.CreateTemp(filepath.Dir(u.Path), ".resume-*")
	if err != nil {
		return nil, fmt.Errorf("go on with record %s: %w", u.Path, err)
	}
	w := &Writer{file: file, path: strings.TrimSuffix(u.Path, partial)}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("go on with record %s: %w", u.Path, err), file.Close(), os.Remove(file.Name()))
		}
	}()
	header := proto.CloneOf(u.Header)
	header.ResumedUnixNs = append(header.ResumedUnixNs, unixNS)
	if err := w.writeHeader(header); err != nil {
		return nil, err
	}
	if err := u.copyTo(w); err != nil {
		return nil, err
	}
	lockFile(file)
	if err := errors.Join(file.Chmod(0o644), file.Sync()); err != nil {
		return nil, err
	}
	if err := os.Rename(file.Name(), w.path+partial); err != nil {
		return nil, err
	}
	return w, u.Close()
}

// copyTo writes the entries of the cases that are done.
func (u *Unfinished) copyTo(w *Writer) error {
	reader := NewReader(u.lock)
	for {
		entry, err := reader.Next()
		if err == io.EOF || errors.Is(err, io.ErrUnexpectedEOF) {
			return nil
		}
		if err != nil {
			return err
		}
		index := uint32(u.Done)
		switch kind := entry.GetKind().(type) {
		case *epperfv1.Entry_Samples:
			index = kind.Samples.GetCaseIndex()
		case *epperfv1.Entry_Result:
			index = kind.Result.GetCaseIndex()
		}
		if int(index) < u.Done {
			if err := w.write(entry); err != nil {
				return err
			}
		}
	}
}

// Close lets others go on with the record.
func (u *Unfinished) Close() error { return u.lock.Close() }

// IsOf reports whether a file begins as a record of a plan with this hash.
func IsOf(path string, planSHA256 []byte) bool {
	file, err := os.Open(path)
	if err != nil {
		return false
	}
	defer file.Close()
	entry, err := NewReader(file).Next()
	return err == nil && bytes.Equal(entry.GetHeader().GetPlanSha256(), planSHA256)
}

// lockFile reports whether no other process has the file locked. The lock ends with the process. File
// systems that have no locks keep nobody out.
func lockFile(file *os.File) bool {
	return !errors.Is(syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB), syscall.EWOULDBLOCK)
}
