package session

import (
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"

	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

// A Peer is the launcher's end of the session with one rank. One goroutine may receive while
// others send.
type Peer struct{ stream *stream }

// Pair makes a session: the launcher's end, and the file that its rank inherits as RankFD. The
// caller closes both; the file as soon as the rank has started, or its end is never seen.
func Pair() (*Peer, *os.File, error) {
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("make session socket pair: %w", err)
	}
	ours, theirs := os.NewFile(uintptr(fds[0]), "session"), os.NewFile(uintptr(fds[1]), "session")
	defer ours.Close()
	stream, err := newStream(ours)
	if err != nil {
		theirs.Close()
		return nil, nil, err
	}
	return &Peer{stream}, theirs, nil
}

// A BuildError says that a rank runs another binary than its launcher.
type BuildError struct{ Got, Want string }

func (e *BuildError) Error() string {
	return fmt.Sprintf("rank of build %q, launcher of build %q: start both from one binary", e.Got, e.Want)
}

// CheckHello returns a *BuildError if the rank's build is not buildID.
func CheckHello(hello *epperfv1.Hello, buildID string) error {
	if hello.GetBuildId() != buildID {
		return &BuildError{Got: hello.GetBuildId(), Want: buildID}
	}
	return nil
}

// Receive waits for the rank's next message. It returns io.EOF once the rank has closed its end
// or died, or this end was closed.
func (p *Peer) Receive() (*epperfv1.FromRank, error) {
	message := &epperfv1.FromRank{}
	if err := p.stream.read(message); errors.Is(err, io.EOF) {
		return nil, io.EOF
	} else if err != nil {
		return nil, fmt.Errorf("read from rank: %w", err)
	}
	if message.GetKind() == nil {
		return nil, errors.New("read from rank: a message of no known kind")
	}
	return message, nil
}

// Start answers a Hello.
func (p *Peer) Start(start *epperfv1.Start) error {
	return p.send("start", &epperfv1.ToRank{Kind: &epperfv1.ToRank_Start{Start: start}})
}

// Blobs answers an exchange.
func (p *Peer) Blobs(blobs *epperfv1.Blobs) error {
	return p.send("blobs", &epperfv1.ToRank{Kind: &epperfv1.ToRank_Blobs{Blobs: blobs}})
}

// Barrier releases the rank from a barrier.
func (p *Peer) Barrier(barrier *epperfv1.Barrier) error {
	return p.send("barrier", &epperfv1.ToRank{Kind: &epperfv1.ToRank_Barrier{Barrier: barrier}})
}

// Abort tells the rank that the run is over.
func (p *Peer) Abort(reason string) error {
	return p.send("abort", &epperfv1.ToRank{Kind: &epperfv1.ToRank_Abort{
		Abort: &epperfv1.Abort{Reason: reason},
	}})
}

// AbortGeneration ends what Start began under that number, and nothing else.
func (p *Peer) AbortGeneration(generation uint32, reason string) error {
	return p.send("abort", &epperfv1.ToRank{Kind: &epperfv1.ToRank_Abort{
		Abort: &epperfv1.Abort{Reason: reason, Generation: generation},
	}})
}

func (p *Peer) send(what string, message *epperfv1.ToRank) error {
	if err := p.stream.write(message); err != nil {
		return fmt.Errorf("send %s to rank: %w", what, err)
	}
	return nil
}

// Close ends the session.
func (p *Peer) Close() error { return p.stream.Close() }
