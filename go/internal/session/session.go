// Package session is what a launcher and one of its ranks say to each other: length-delimited
// protobuf messages (control.proto) over a socket pair that the rank inherits.
//
// The rank holds a Conn, the launcher a Peer. A rank has at most one question open (an exchange
// or a barrier), and the launcher answers it or ends the run; so neither end queues more than a
// message. The socket needs no network, and its end of file tells each side at once that the
// other is gone.
package session

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"time"

	"google.golang.org/protobuf/encoding/protodelim"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
)

const (
	// MaxMessageBytes bounds one message either way, so that a damaged length cannot make a
	// reader allocate without limit.
	MaxMessageBytes = 4 << 20
	// RankFD is the file descriptor at which a rank finds its end.
	RankFD = 3
	// writeTimeout is how long a message may wait for the other side to read, and up to as much
	// again. Both ends read all the time, so only a stopped process comes near it.
	writeTimeout = 10 * time.Second
)

// A stream frames messages on one end of the pair. One goroutine may read while others write.
type stream struct {
	conn   net.Conn
	reader *bufio.Reader

	mu      sync.Mutex // held while a message is written, so that messages stay whole
	writeBy time.Time  // the deadline of writes
}

func newStream(file *os.File) (*stream, error) {
	conn, err := net.FileConn(file) // duplicates the descriptor and makes it pollable
	if err != nil {
		return nil, fmt.Errorf("open session socket: %w", err)
	}
	return &stream{conn: conn, reader: bufio.NewReader(conn)}, nil
}

// write sends one message.
func (s *stream) write(message proto.Message) error {
	size := proto.Size(message)
	if size > MaxMessageBytes {
		return fmt.Errorf("message of %d bytes: at most %d fit", size, MaxMessageBytes)
	}
	// Length and message in one write: each wakes the other side.
	frame := protowire.AppendVarint(make([]byte, 0, binary.MaxVarintLen32+size), uint64(size))
	frame, err := proto.MarshalOptions{UseCachedSize: true}.MarshalAppend(frame, message)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if now := time.Now(); s.writeBy.Sub(now) < writeTimeout { // not before each write: it costs a tenth of one
		s.writeBy = now.Add(2 * writeTimeout)
		if err := s.conn.SetWriteDeadline(s.writeBy); err != nil {
			return err
		}
	}
	_, err = s.conn.Write(frame)
	return err
}

// read waits for one message. It returns io.EOF once the other side closed its end or died, be it
// within a message, or this end was closed.
func (s *stream) read(message proto.Message) error {
	options := protodelim.UnmarshalOptions{MaxSize: MaxMessageBytes}
	err := options.UnmarshalFrom(s.reader, message)
	for _, gone := range []error{io.EOF, io.ErrUnexpectedEOF, syscall.ECONNRESET, net.ErrClosed} {
		if errors.Is(err, gone) {
			return io.EOF
		}
	}
	return err
}

// Close ends reads and writes of this end, and tells the other.
func (s *stream) Close() error { return s.conn.Close() }
