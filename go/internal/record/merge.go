package record

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"google.golang.org/protobuf/proto"

	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

// A part is one launcher's record that is being merged.
type part struct {
	path   string
	file   *os.File
	reader *Reader
	header *epperfv1.Header
}

// Merge makes one record at out of the parts of a run, one of each of its launchers. Entries stay as they
// are, with fields that are newer than this program. What one part says of another's ranks is left out. A
// part that is damaged, missing or of another run is an error, and then there is nothing at out; one that
// was not closed makes a record that failed.
func Merge(out string, paths []string) (err error) {
	if _, err := os.Lstat(out); err == nil {
		return fmt.Errorf("merge records: %s: %w", out, os.ErrExist)
	}
	parts, err := openParts(paths)
	defer func() {
		for _, p := range parts {
			p.file.Close()
		}
	}()
	if err != nil {
		return err
	}
	folder, err := os.MkdirTemp(filepath.Dir(out), ".merge-*")
	if err != nil {
		return fmt.Errorf("merge records: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
	merged, err := copyParts(folder, parts)
	if err != nil {
		return err
	}
	if _, err := Read(merged); err != nil { // what two parts say must fit together
		return fmt.Errorf("merge records: %w", err)
	}
	return os.Rename(merged, out)
}

// openParts opens parts, in the order of their nodes.
func openParts(paths []string) (parts []*part, err error) {
	for _, path := range paths {
		file, err := os.Open(path)
		if err != nil {
			return parts, fmt.Errorf("merge records: %w", err)
		}
		p := &part{path: path, file: file, reader: NewReader(file)}
		parts = append(parts, p)
		entry, err := p.reader.Next()
		if err != nil {
			return parts, p.fault(err)
		}
		p.header = entry.GetHeader()
		if problem := headerProblem(p.header); problem != "" {
			return parts, p.fault(&DamagedError{0, problem})
		}
		if p.header.PartOfNode == nil {
			return parts, fmt.Errorf("merge records: %s is no part of a run but the whole", path)
		}
	}
	slices.SortStableFunc(parts, func(a, b *part) int { return int(a.header.GetPartOfNode()) - int(b.header.GetPartOfNode()) })
	return parts, fit(parts)
}

// fit says what keeps parts from being one run.
func fit(parts []*part) error {
	if len(parts) == 0 {
		return errors.New("merge records: no parts")
	}
	first := parts[0]
	plan := first.header.GetPlan()
	if plan.GetRanksPerHost() == 0 {
		return first.fault(&DamagedError{0, "the plan has no ranks per host"})
	}
	nodes := (plan.GetCases()[0].GetRanks() + plan.GetRanksPerHost() - 1) / plan.GetRanksPerHost()
	for i, p := range parts {
		switch {
		case !samePlan(p.header, first.header):
			return fmt.Errorf("merge records: %s and %s are of different runs, %s and %s, or of different plans",
				first.path, p.path, plan.GetRunId(), p.header.GetPlan().GetRunId())
		case p.header.GetBuildId() != first.header.GetBuildId():
			return fmt.Errorf("merge records: %s and %s are of different programs", first.path, p.path)
		case i > 0 && p.header.GetPartOfNode() == parts[i-1].header.GetPartOfNode():
			return fmt.Errorf("merge records: %s and %s are both the part of node %d", parts[i-1].path, p.path, p.header.GetPartOfNode())
		case p.header.GetPartOfNode() != uint32(i):
			return fmt.Errorf("merge records: the part of node %d is missing, of %d", i, nodes)
		}
	}
	if len(parts) != int(nodes) {
		return fmt.Errorf("merge records: %d parts of a run of %d nodes; the part of node %d is missing", len(parts), nodes, len(parts))
	}
	return nil
}

// samePlan reports whether two launchers were asked the same in one run. Where hosts keep a routing file at
// different places, only the hash is equal.
func samePlan(a, b *epperfv1.Header) bool {
	if len(a.GetPlanSha256()) > 0 && len(b.GetPlanSha256()) > 0 {
		return bytes.Equal(a.GetPlanSha256(), b.GetPlanSha256()) && a.GetPlan().GetRunId() == b.GetPlan().GetRunId()
	}
	return proto.Equal(a.GetPlan(), b.GetPlan())
}

func (p *part) fault(err error) error { return fmt.Errorf("merge records: %s: %w", p.path, err) }

// copyParts writes the whole record into a folder.
func copyParts(folder string, parts []*part) (path string, err error) {
	header := proto.CloneOf(parts[0].header)
	header.PartOfNode = nil
	if len(header.GetHosts()) < len(parts) { // each knows its own
		header.Hosts = nil
		for _, p := range parts {
			header.Hosts = append(header.Hosts, p.header.GetHosts()...)
		}
	}
	w, err := Create(folder, header)
	if err != nil {
		return "", err
	}
	status, failure := epperfv1.Trailer_STATUS_PASSED, ""
	for i, p := range parts {
		trailer, err := p.copyTo(w)
		if err != nil {
			return "", errors.Join(err, w.file.Close())
		}
		if i == 0 {
			w.moments = trailer.GetMoments()
		}
		switch {
		case status != epperfv1.Trailer_STATUS_PASSED: // the first says why
		case trailer == nil:
			status, failure = epperfv1.Trailer_STATUS_FAILED, fmt.Sprintf("the part of node %d was not closed", p.header.GetPartOfNode())
		default:
			status, failure = trailer.GetStatus(), trailer.GetError()
		}
	}
	return w.Close(status, failure)
}

// copyTo writes what a part says of its own ranks, and returns its trailer; nil if it was not closed.
func (p *part) copyTo(w *Writer) (trailer *epperfv1.Trailer, err error) {
	perHost := p.header.GetPlan().GetRanksPerHost()
	for {
		entry, err := p.reader.Next()
		if err == io.EOF || errors.Is(err, io.ErrUnexpectedEOF) {
			return trailer, nil
		}
		if err != nil {
			return nil, p.fault(err)
		}
		rank, ofRank := uint32(0), true
		switch kind := entry.GetKind().(type) {
		case *epperfv1.Entry_Samples:
			rank = kind.Samples.GetRank()
		case *epperfv1.Entry_Result:
			rank = kind.Result.GetRank()
		case *epperfv1.Entry_Trailer:
			trailer = kind.Trailer
			continue
		default: // newer than this program
			ofRank = false
		}
		if ofRank && rank/perHost != p.header.GetPartOfNode() {
			continue
		}
		if err := w.write(entry); err != nil {
			return nil, err
		}
	}
}
