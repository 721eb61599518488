package record

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"hash/crc32"
	"io"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

// A DamagedError says what in a file no Writer would have written, and where.
type DamagedError struct {
	// Offset is where the entry in question begins, in bytes from the start of the file.
	Offset  int64
	Problem string
}

func (e *DamagedError) Error() string {
	return fmt.Sprintf("damaged at byte %d: %s", e.Offset, e.Problem)
}

func damaged(offset int64, format string, arguments ...any) error {
	return &DamagedError{offset, fmt.Sprintf(format, arguments...)}
}

// checksumTable is that of CRC-32C.
var checksumTable = crc32.MakeTable(crc32.Castagnoli)

// A Reader reads a record entry by entry. It holds one entry at a time, and of a length that the
// file only claims it allocates nothing.
type Reader struct {
	source  *bufio.Reader
	entry   bytes.Buffer // the current entry as read, its length prefix first
	start   int64        // of the current entry
	next    int64        // of the entry after it
	crc     uint32       // of all bytes before the current entry
	entries uint64       // before the current one
	closed  bool         // the current entry is the trailer
}

// NewReader returns a Reader of a record that begins at source's next byte.
func NewReader(source io.Reader) *Reader {
	return &Reader{source: bufio.NewReader(source)}
}

// EntryOffset returns where the entry that Next returned last begins.
func (r *Reader) EntryOffset() int64 { return r.start }

// Next returns the next entry, with any fields that are newer than this program among its unknown
// fields. The error is io.EOF after the last entry, wraps io.ErrUnexpectedEOF where the file ends
// within an entry, and is a *DamagedError for all else that a Writer would not have written.
func (r *Reader) Next() (*epperfv1.Entry, error) {
	if r.next > 0 {
		r.entries++
		r.crc = crc32.Update(r.crc, checksumTable, r.entry.Bytes())
	}
	r.start = r.next
	prefixBytes, err := r.fill()
	if err != nil {
		return nil, err
	}
	r.next = r.start + int64(r.entry.Len())
	if r.closed {
		return nil, damaged(r.start, "something follows the trailer")
	}
	entry := &epperfv1.Entry{}
	if err := proto.Unmarshal(r.entry.Bytes()[prefixBytes:], entry); err != nil {
		return nil, damaged(r.start, "not an entry of a record: %v", err)
	}
	if _, isHeader := entry.GetKind().(*epperfv1.Entry_Header); isHeader != (r.start == 0) {
		if isHeader {
			return nil, damaged(r.start, "a second header")
		}
		return nil, damaged(r.start, "not a record: it does not begin with a header")
	}
	if trailer := entry.GetTrailer(); trailer != nil {
		r.closed = true
		if trailer.GetEntries() != r.entries {
			return nil, damaged(r.start, "the trailer counts %d entries, there are %d", trailer.GetEntries(), r.entries)
		}
		if trailer.GetCrc32C() != r.crc {
			return nil, damaged(r.start, "the checksum of all that precedes is %08x, the trailer says %08x", r.crc, trailer.GetCrc32C())
		}
	}
	return entry, nil
}

// fill reads one entry with its length prefix.
func (r *Reader) fill() (prefixBytes int, err error) {
	r.entry.Reset()
	for {
		b, err := r.source.ReadByte()
		if err != nil {
			return 0, r.ended(err)
		}
		r.entry.WriteByte(b)
		if b < 0x80 {
			break
		}
		if r.entry.Len() == maxPrefixBytes {
			return 0, damaged(r.start, "an entry of more than %d bytes", MaxEntryBytes)
		}
	}
	size, prefixBytes := protowire.ConsumeVarint(r.entry.Bytes())
	if size > MaxEntryBytes {
		return 0, damaged(r.start, "an entry of %d bytes, more than %d", size, MaxEntryBytes)
	}
	// The buffer grows with what is there, not with what is claimed.
	if _, err := io.CopyN(&r.entry, r.source, int64(size)); err != nil {
		return 0, r.ended(err)
	}
	return prefixBytes, nil
}

// maxPrefixBytes is the length of the longest varint that can be at most MaxEntryBytes.
const maxPrefixBytes = 4

// ended turns the error of the source into that of Next.
func (r *Reader) ended(err error) error {
	if errors.Is(err, io.EOF) {
		if r.entry.Len() == 0 {
			return io.EOF
		}
		err = io.ErrUnexpectedEOF
	}
	return fmt.Errorf("entry at byte %d: %w", r.start, err)
}
