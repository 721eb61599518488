package session_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"math"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/protobuf/proto"

	"github.com/epperf/epperf/go/internal/session"
	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// open makes both ends of a session in this process.
func open(t *testing.T) (*session.Peer, *session.Conn) {
	t.Helper()
	peer, file, err := session.Pair()
	if err != nil {
		t.Fatal(err)
	}
	conn, err := session.NewConn(file)
	file.Close()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		peer.Close()
		conn.Close()
	})
	return peer, conn
}

func within(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// answer receives one message and replies to it in another goroutine.
func answer(t *testing.T, peer *session.Peer, reply func(*epperfv1.FromRank) error) {
	t.Helper()
	done := make(chan error, 1)
	go func() {
		message, err := peer.Receive()
		if err == nil {
			err = reply(message)
		}
		done <- err
	}()
	t.Cleanup(func() {
		if err := <-done; err != nil {
			t.Errorf("launcher: %v", err)
		}
	})
}

func TestHelloBringsThePlanAndTheRank(t *testing.T) {
	peer, conn := open(t)
	want := &epperfv1.Start{Plan: &epperfv1.Plan{RunId: "r1"}, Rank: 3}
	answer(t, peer, func(message *epperfv1.FromRank) error {
		if got := message.GetHello().GetPid(); got != uint32(os.Getpid()) {
			t.Errorf("pid %d, want %d", got, os.Getpid())
		}
		if err := session.CheckHello(message.GetHello(), "b1"); err != nil {
			t.Error(err)
		}
		return peer.Start(want)
	})
	got, err := conn.Hello(within(t), "b1")
	if err != nil {
		t.Fatal(err)
	}
	if !proto.Equal(got, want) {
		t.Errorf("start %v, want %v", got, want)
	}
}

func TestAnotherBuildIsRefused(t *testing.T) {
	var build *session.BuildError
	err := session.CheckHello(&epperfv1.Hello{BuildId: "old"}, "new")
	if !errors.As(err, &build) || build.Got != "old" || build.Want != "new" {
		t.Errorf("got %v, want a BuildError naming both", err)
	}
}

func TestExchangeReturnsAllBlobsInRankOrder(t *testing.T) {
	peer, conn := open(t)
	answer(t, peer, func(message *epperfv1.FromRank) error {
		mine := message.GetBlob().GetData()
		return peer.Blobs(&epperfv1.Blobs{Name: "connect", Data: [][]byte{[]byte("zero"), mine, {}}})
	})
	got, err := conn.Exchange(within(t), "connect", []byte("one"))
	if err != nil {
		t.Fatal(err)
	}
	if joined := string(bytes.Join(got, []byte{'|'})); joined != "zero|one|" {
		t.Errorf("blobs %q", joined)
	}
}

func TestBarriersCountFromOne(t *testing.T) {
	peer, conn := open(t)
	for epoch := uint64(1); epoch <= 3; epoch++ {
		answer(t, peer, func(message *epperfv1.FromRank) error {
			if got := message.GetBarrier().GetEpoch(); got != epoch {
				t.Errorf("epoch %d, want %d", got, epoch)
			}
			return peer.Barrier(message.GetBarrier())
		})
		if err := conn.Barrier(within(t), "check"); err != nil {
			t.Fatal(err)
		}
	}
}

func TestAnswerToAnotherQuestionIsAnError(t *testing.T) {
	for name, reply := range map[string]func(*session.Peer) error{
		"other name":  func(p *session.Peer) error { return p.Barrier(&epperfv1.Barrier{Name: "late", Epoch: 1}) },
		"other epoch": func(p *session.Peer) error { return p.Barrier(&epperfv1.Barrier{Name: "now", Epoch: 2}) },
		"other kind":  func(p *session.Peer) error { return p.Blobs(&epperfv1.Blobs{Name: "now"}) },
	} {
		t.Run(name, func(t *testing.T) {
			peer, conn := open(t)
			answer(t, peer, func(*epperfv1.FromRank) error { return reply(peer) })
			if err := conn.Barrier(within(t), "now"); err == nil {
				t.Error("the barrier was released")
			}
		})
	}
}

func TestEndOfTheRunReachesAWaitingRank(t *testing.T) {
	for name, test := range map[string]struct {
		end  func(*session.Peer) error
		want string
	}{
		"abort":         {func(p *session.Peer) error { return p.Abort("rank 5 died") }, "rank 5 died"},
		"launcher gone": {(*session.Peer).Close, "the launcher is gone"},
	} {
		t.Run(name, func(t *testing.T) {
			peer, conn := open(t)
			bound, cancel := conn.Bind(within(t))
			defer cancel()
			answer(t, peer, func(*epperfv1.FromRank) error { return test.end(peer) })
			err := conn.Barrier(bound, "connected")
			<-bound.Done()
			for what, err := range map[string]error{"barrier": err, "bound context": context.Cause(bound)} {
				var abort *session.AbortError
				if !errors.As(err, &abort) || abort.Reason != test.want {
					t.Errorf("%s ended with %v, want AbortError %q", what, err, test.want)
				}
			}
			if err := conn.Result(&epperfv1.RankResult{}); name == "launcher gone" && err == nil {
				t.Error("a result went to a launcher that is gone")
			}
		})
	}
}

func TestWaitEndsWithItsContext(t *testing.T) {
	_, conn := open(t)
	ctx, cancel := context.WithCancelCause(t.Context())
	reason := errors.New("enough")
	cancel(reason)
	if err := conn.Barrier(ctx, "connected"); !errors.Is(err, reason) {
		t.Errorf("got %v, want %v", err, reason)
	}
}

func TestLauncherSeesTheRankLeave(t *testing.T) {
	peer, conn := open(t)
	conn.Close()
	if _, err := peer.Receive(); err != io.EOF {
		t.Errorf("got %v, want EOF", err)
	}
}

func TestDamagedMessages(t *testing.T) {
	oversized := binary.AppendUvarint(nil, session.MaxMessageBytes+1)
	for name, test := range map[string]struct {
		sent []byte
		want string // empty: end of file
	}{
		"oversized":         {oversized, "4194304"},
		"endless length":    {bytes.Repeat([]byte{0xff}, 11), "read from rank"},
		"not a message":     {[]byte{3, 0xff, 0xff, 0xff}, "read from rank"},
		"no kind":           {[]byte{0}, "no known kind"},
		"cut in a message":  {[]byte{9, 1}, ""},
		"cut in the length": {[]byte{0x80}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			peer, file, err := session.Pair()
			if err != nil {
				t.Fatal(err)
			}
			defer peer.Close()
			raw, err := net.FileConn(file)
			file.Close()
			if err != nil {
				t.Fatal(err)
			}
			raw.Write(test.sent)
			raw.Close()
			_, err = peer.Receive()
			if test.want == "" && err != io.EOF {
				t.Errorf("got %v, want EOF", err)
			}
			if test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
				t.Errorf("got %v, want an error with %q", err, test.want)
			}
		})
	}
}

func TestUnaskedAnswersEndTheRank(t *testing.T) {
	peer, conn := open(t)
	bound, cancel := conn.Bind(within(t))
	defer cancel()
	for range 2 { // one could be the answer to a question about to be asked
		if err := peer.Barrier(&epperfv1.Barrier{Name: "x"}); err != nil {
			t.Fatal(err)
		}
	}
	<-bound.Done()
	if cause := context.Cause(bound); !strings.Contains(cause.Error(), "nobody asked") {
		t.Errorf("cause %v", cause)
	}
}

func TestLongBlocksAreSplit(t *testing.T) {
	const count = 600_000
	peer, conn := open(t)
	durations := make([]uint64, count)
	for i := range durations {
		durations[i] = math.MaxUint64 - uint64(i) // ten bytes each on the wire
	}
	sent := make(chan error, 1)
	go func() {
		sent <- conn.Samples(&epperfv1.Samples{
			CaseIndex: 2, Rank: 1, FirstEpoch: math.MaxUint32 - 9, DurationNs: durations,
			Pass: 3,
		})
	}()
	var got []uint64
	for len(got) < count {
		message, err := peer.Receive()
		if err != nil {
			t.Fatal(err)
		}
		part := message.GetSamples()
		if part.GetCaseIndex() != 2 || part.GetRank() != 1 || part.GetPass() != 3 || part.GetFirstIteration() != uint64(len(got)) {
			t.Fatalf("after %d: case %d rank %d first %d", len(got), part.GetCaseIndex(), part.GetRank(), part.GetFirstIteration())
		}
		// Epochs wrap from 2³²−1 to 2, ten operations into the block.
		if want := uint32(len(got) - 8); len(got) > 0 && part.GetFirstEpoch() != want {
			t.Errorf("part at %d has first epoch %d, want %d", len(got), part.GetFirstEpoch(), want)
		}
		got = append(got, part.GetDurationNs()...)
	}
	if err := <-sent; err != nil {
		t.Fatal(err)
	}
	for i := range got {
		if got[i] != durations[i] {
			t.Fatalf("duration %d is %d, want %d", i, got[i], durations[i])
		}
	}
}

func TestOversizedBlobIsRefusedBeforeItIsSent(t *testing.T) {
	_, conn := open(t)
	_, err := conn.Exchange(within(t), "connect", make([]byte, session.MaxMessageBytes))
	if err == nil || !strings.Contains(err.Error(), "at most") {
		t.Errorf("got %v", err)
	}
}

// A rank that stays says Hello again; an Abort of what it has left already, or that comes right behind its Start,
// ends that alone.
func TestAGenerationEndsByItself(t *testing.T) {
	peer, conn := open(t)
	for generation := uint32(2); generation < 5; generation++ {
		answer(t, peer, func(*epperfv1.FromRank) error {
			err := peer.Start(&epperfv1.Start{Generation: generation})
			return errors.Join(err, peer.AbortGeneration(generation-1, "late"), peer.AbortGeneration(generation, "rank 2 is gone"))
		})
		start, err := conn.Hello(within(t), "b1")
		if err != nil || start.GetGeneration() != generation {
			t.Fatalf("generation %d: %v, %v", generation, start, err)
		}
		ctx, leave := conn.BindGeneration(within(t))
		<-ctx.Done()
		var abort *session.AbortError
		if !errors.As(context.Cause(ctx), &abort) || abort.Reason != "rank 2 is gone" {
			t.Errorf("generation %d: %v", generation, context.Cause(ctx))
		}
		leave()
	}
}
