package session

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

// An AbortError says that the run is over for a reason outside this rank.
type AbortError struct{ Reason string }

func (e *AbortError) Error() string { return "run aborted: " + e.Reason }

// launcherGone is the reason where the socket closed without an Abort.
const launcherGone = "the launcher is gone"

// A Conn is a rank's end of the session. Exchange, Barrier, Samples and Result come from one
// goroutine at a time.
type Conn struct {
	stream *stream
	epoch  uint64 // of the last barrier
	// answer holds the launcher's reply to the one open question.
	answer chan *epperfv1.ToRank
	// generation is that of the plan that runs, and left ends its contexts; 0 and nil of a rank that runs one.
	mu         sync.Mutex
	generation uint32
	left       context.CancelCauseFunc
	phase      context.Context
	// ended is done once nothing more will come from the launcher; its cause says why.
	ended context.Context
	end   context.CancelCauseFunc
	// read is closed when the reader has returned.
	read chan struct{}
}

// FromFD takes over the rank's end that the process inherited at fd.
func FromFD(fd uintptr) (*Conn, error) {
	file := os.NewFile(fd, "session")
	if file == nil {
		return nil, fmt.Errorf("session: file descriptor %d is not open", fd)
	}
	defer file.Close()
	return NewConn(file)
}

// NewConn speaks through a duplicate of file, which stays the caller's.
func NewConn(file *os.File) (*Conn, error) {
	stream, err := newStream(file)
	if err != nil {
		return nil, err
	}
	ended, end := context.WithCancelCause(context.Background())
	c := &Conn{
		stream: stream,
		answer: make(chan *epperfv1.ToRank, 1),
		ended:  ended,
		end:    end,
		read:   make(chan struct{}),
	}
	go func() {
		defer close(c.read)
		end(c.receive())
	}()
	return c, nil
}

// receive hands on the launcher's answers until it ends the run or leaves. It never waits for
// this rank, so that an Abort is seen whatever the rank does.
func (c *Conn) receive() error {
	for {
		message := &epperfv1.ToRank{}
		if err := c.stream.read(message); errors.Is(err, io.EOF) {
			return &AbortError{Reason: launcherGone}
		} else if err != nil {
			return fmt.Errorf("read from launcher: %w", err)
		}
		if abort := message.GetAbort(); abort.GetGeneration() > 0 {
			c.leave(abort)
			continue
		} else if abort != nil {
			return &AbortError{Reason: abort.GetReason()}
		}
		if start := message.GetStart(); start.GetGeneration() > 0 {
			c.enter(start.GetGeneration())
		}
		select {
		case c.answer <- message:
		default:
			return fmt.Errorf("launcher sent %T that nobody asked for", message.GetKind())
		}
	}
}

// enter begins a generation. The reader does it, so that an Abort right behind its Start is not lost.
func (c *Conn) enter(generation uint32) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.generation = generation
	c.phase, c.left = context.WithCancelCause(context.Background())
}

// leave ends a generation, unless it is over already.
func (c *Conn) leave(abort *epperfv1.Abort) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if abort.GetGeneration() == c.generation {
		c.left(&AbortError{Reason: abort.GetReason()})
	}
}

// BindGeneration is as Bind, and its context also ends when the launcher ends the generation that Hello returned.
func (c *Conn) BindGeneration(ctx context.Context) (context.Context, context.CancelFunc) {
	c.mu.Lock()
	phase := c.phase
	c.mu.Unlock()
	whole, unbind := c.Bind(ctx)
	bound, cancel := context.WithCancelCause(whole)
	stop := context.AfterFunc(phase, func() { cancel(context.Cause(phase)) })
	return bound, func() {
		stop()
		cancel(context.Canceled)
		unbind()
	}
}

// Bind returns a context that ends with ctx, or when the launcher aborts the run or leaves; its
// cause is then an *AbortError.
func (c *Conn) Bind(ctx context.Context) (context.Context, context.CancelFunc) {
	bound, cancel := context.WithCancelCause(ctx)
	stop := context.AfterFunc(c.ended, func() { cancel(context.Cause(c.ended)) })
	return bound, func() {
		stop()
		cancel(context.Canceled)
	}
}

// Hello introduces this rank and waits for its plan and number; once more where another generation may follow.
func (c *Conn) Hello(ctx context.Context, buildID string) (*epperfv1.Start, error) {
	c.epoch = 0
	select {
	case <-c.answer: // of a generation that was ended meanwhile
	default:
	}
	answer, err := c.ask(ctx, &epperfv1.FromRank{Kind: &epperfv1.FromRank_Hello{
		Hello: &epperfv1.Hello{Pid: uint32(os.Getpid()), BuildId: buildID},
	}})
	if err != nil {
		return nil, fmt.Errorf("hello: %w", err)
	}
	if answer.GetStart() == nil {
		return nil, fmt.Errorf("hello: launcher answered with %T", answer.GetKind())
	}
	return answer.GetStart(), nil
}

// Exchange gives blob to all ranks and returns all ranks' blobs in rank order.
func (c *Conn) Exchange(ctx context.Context, name string, blob []byte) ([][]byte, error) {
	answer, err := c.ask(ctx, &epperfv1.FromRank{Kind: &epperfv1.FromRank_Blob{
		Blob: &epperfv1.Blob{Name: name, Data: blob},
	}})
	if err != nil {
		return nil, fmt.Errorf("exchange %q: %w", name, err)
	}
	blobs := answer.GetBlobs()
	if blobs == nil || blobs.GetName() != name {
		return nil, fmt.Errorf("exchange %q: launcher answered with %T %q", name, answer.GetKind(), blobs.GetName())
	}
	return blobs.GetData(), nil
}

// Barrier returns once every rank has called it.
func (c *Conn) Barrier(ctx context.Context, name string) error {
	c.epoch++
	answer, err := c.ask(ctx, &epperfv1.FromRank{Kind: &epperfv1.FromRank_Barrier{
		Barrier: &epperfv1.Barrier{Name: name, Epoch: c.epoch},
	}})
	if err != nil {
		return fmt.Errorf("barrier %q: %w", name, err)
	}
	if got := answer.GetBarrier(); got.GetName() != name || got.GetEpoch() != c.epoch {
		return fmt.Errorf("barrier %q, epoch %d: launcher answered with %T %q, epoch %d",
			name, c.epoch, answer.GetKind(), got.GetName(), got.GetEpoch())
	}
	return nil
}

// ask sends a question and waits for its answer, the run's end, or ctx.
func (c *Conn) ask(ctx context.Context, question *epperfv1.FromRank) (*epperfv1.ToRank, error) {
	if err := c.send(question); err != nil {
		return nil, err
	}
	select {
	case answer := <-c.answer:
		return answer, nil
	case <-c.ended.Done():
	case <-ctx.Done():
	}
	select { // an answer that came before the end counts
	case answer := <-c.answer:
		return answer, nil
	default:
	}
	if c.ended.Err() != nil {
		return nil, context.Cause(c.ended)
	}
	return nil, context.Cause(ctx)
}

// send prefers the reason why the run ended over the broken pipe that follows from it.
func (c *Conn) send(message *epperfv1.FromRank) error {
	err := c.stream.write(message)
	if err == nil {
		return nil
	}
	select {
	case <-c.ended.Done():
		return context.Cause(c.ended)
	case <-time.After(settle): // a broken pipe is followed by the reader's end of file
		return fmt.Errorf("write to launcher: %w", err)
	}
}

// settle is how long a failed write waits for the reader to learn the reason.
const settle = 50 * time.Millisecond

// Close leaves the session. The launcher takes it for the rank's end.
func (c *Conn) Close() error {
	err := c.stream.Close()
	<-c.read
	return err
}
